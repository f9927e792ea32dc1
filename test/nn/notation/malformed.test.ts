import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNotation } from '#src/nn/notation/parse.js';
import { faultsOf } from './round-trip.js';

const fixture = new URL('../../fixtures/prints.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: { source: string; print: string }[] };
const texts = cases.flatMap(({ source, print }) => [source, print]);

/** What a body can hold. */
const MIB = 2 ** 20;
const filled = (piece: string): string => piece.repeat(Math.floor(MIB / piece.length));

function expectAnswer(text: string): void {
  const parsed = parseNotation(text);
  if (!('faults' in parsed)) return;
  expect(parsed.faults.length).toBeGreaterThan(0);
  const lines = text.split('\n');
  for (const { path, message } of parsed.faults) {
    const [, line, column] = /^line (\d+), column (\d+)$/.exec(path) ?? [];
    expect(lines.length).toBeGreaterThanOrEqual(Number(line));
    expect((lines[Number(line) - 1] ?? '').length + 1).toBeGreaterThanOrEqual(Number(column));
    expect(message).not.toBe('');
    expect(message.length).toBeLessThan(400);
  }
}

describe('whatever the text, there is an answer and every fault is at a place in it', () => {
  it('a sound text, cut anywhere', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), (text, at) =>
        expectAnswer(text.slice(0, at % text.length)),
      ),
      { numRuns: 500 },
    );
  });

  it('a sound text with a piece taken out, put in or moved', () => {
    const pieces = fc.oneof(
      fc.constantFrom(
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
        ',',
        ':',
        '=',
        '*',
        '**',
        '-',
        '.',
        "'",
        '"',
        '#',
        '\n',
        '\\',
        ' ',
      ),
      fc.constantFrom(
        'nn.',
        'ReLU()',
        '(0): ',
        '4 x ',
        '(0-3): ',
        'None',
        '1e9',
        'for',
        '__proto__',
        '\0',
        '\u2028',
      ),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(8), pieces, (text, at, taken, piece) => {
        const place = at % (text.length + 1);
        expectAnswer(text.slice(0, place) + piece + text.slice(place + taken));
      }),
      { numRuns: 1000 },
    );
  });

  it('any text at all', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), expectAnswer), { numRuns: 500 });
    const tokens = [
      'nn.Linear(',
      'Sequential(',
      ')',
      '(',
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '=',
      '*',
      '-',
      '1',
      '.5',
      '"a"',
      'x',
      '\n',
      '(0): ',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 30 }), (found) =>
        expectAnswer(found.join('')),
      ),
      { numRuns: 500 },
    );
  });
});

describe('a text of 1 MiB is answered within 2 s, whatever it repeats', () => {
  // Half a second is what the slowest takes on two busy cores; anything quadratic takes hours.
  it.each(
    [
      '(',
      '[',
      '{',
      '-',
      '+',
      '1+',
      '1**',
      '2*',
      'nn.Sequential(',
      'nn.Sequential([',
      '1',
      '1_',
      '1.',
      '0x',
      '.',
      ' ',
      '\n',
      '#',
      '#\n',
      ';',
      ',',
      ':',
      "'",
      '"a"',
      '\\',
      '\\\n',
      'a',
      'a.',
      'a=',
      'a=1\n',
      'import ',
      'é',
      '\u{1F600}',
      '\0',
      '): ',
      '): A',
      '(0): ',
      '4 x ',
      '()',
      'a(',
      'a(b)',
      'a=[a]\n',
    ].map((piece) => [JSON.stringify(piece), filled(piece)]),
  )('%s', (_name, text) => {
    const started = performance.now();
    expectAnswer(text);
    expectAnswer(`nn.Sequential(${text}`);
    expectAnswer(`Sequential(\n${text}\n)`);
    expectAnswer(`Sequential(\n  (0): ${text}\n  (1): ReLU(${text})\n)`);
    expect(performance.now() - started).toBeLessThan(4 * 2000);
  });

  it.each([
    ['children', `nn.Sequential(${filled('nn.ReLU(), ')})`],
    ['unknown layers', `nn.Sequential(${filled('nn.Lineer(), ')})`],
    ['arguments', `nn.Linear(${filled('1, ')})`],
    ['keywords', `nn.Linear(${filled('bias=1, ')})`],
    ['unknown keywords', `nn.Linear(${filled('bais=1, ')})`],
    [
      'printed children',
      `Sequential(\n${Array.from({ length: 50_000 }, (_, i) => `  (${i}): ReLU()`).join('\n')}\n)`,
    ],
    ['printed depth', `Sequential(\n${filled('(0): Sequential(\n')}`],
    ['shared modules', Array.from({ length: 40_000 }, (_, i) => `m${i} = nn.ReLU()`).join('\n')],
    ['dicts in dicts', `a = {"x": 1}\n${filled('a = {"x": a}\n')}`],
  ])('%s', (_name, text) => {
    const started = performance.now();
    expectAnswer(text);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('what a short text can multiply into is bounded', () => {
  it('counts of a print', () => {
    const blocks = (levels: number): string =>
      levels === 0 ? 'ReLU()' : `ModuleList(\n(0-999): 1000 x ${blocks(levels - 1)}\n)`;
    expect(faultsOf(blocks(1))).toEqual([]);
    expect(faultsOf(blocks(2))).toEqual(['line 2, column 10: the network has more than 100000 modules']);
    expect(faultsOf('ModuleList(\n  (0-999999999): 1000000000 x ReLU()\n)')).toHaveLength(1);
    expect(faultsOf(`ModuleList(\n  (0-${'9'.repeat(400)}): ${'9'.repeat(400)} x ReLU()\n)`)).toHaveLength(1);
  });

  it('variables that unpack one another', () => {
    const doubling = (pair: string): string =>
      [
        'v0 = [1, 1]',
        ...Array.from({ length: 60 }, (_, i) => `v${i + 1} = ${pair.replaceAll('v', `v${i}`)}`),
      ].join('\n');
    expect(faultsOf(doubling('[*v, *v]')).join()).toMatch(/: lists unpack to more than 100000 items$/);
    expect(faultsOf(doubling('(v, v)')).join()).toMatch(/: lists unpack to more than 100000 items$/);
    expect(faultsOf(doubling('{"a": v, "b": v}')).join()).toMatch(
      /: lists unpack to more than 100000 items$/,
    );
  });

  it('modules are at most 64 deep, named or not', () => {
    const nested = (depth: number): string =>
      'nn.Sequential('.repeat(depth - 1) + 'nn.ReLU()' + ')'.repeat(depth - 1);
    expect(faultsOf(nested(64))).toEqual([]);
    expect(faultsOf(nested(65))).toEqual(['line 1, column 1: modules are nested deeper than 64']);
    const named = (depth: number): string =>
      'nn.Sequential(OrderedDict([("a", '.repeat(depth - 1) + 'nn.ReLU()' + ')]))'.repeat(depth - 1);
    expect(faultsOf(named(64))).toEqual([]);
    const printed = (depth: number): string =>
      `${'Sequential(\n(0): '.repeat(depth - 1)}ReLU()${'\n)'.repeat(depth - 1)}`;
    expect(faultsOf(printed(64))).toEqual([]);
    expect(faultsOf(printed(65))).toEqual(['line 1, column 1: modules are nested deeper than 64']);
    const chained = [
      'm0 = nn.ReLU()',
      ...Array.from({ length: 70 }, (_, i) => `m${i + 1} = nn.Sequential(m${i})`),
    ];
    expect(faultsOf(chained.join('\n'))[0]).toMatch(/: modules are nested deeper than 64$/);
  });
});
