import { describe, expect, it } from 'vitest';
import { parseNotation } from '#src/nn/notation/parse.js';
import { architectureOf, faultsOf } from './round-trip.js';

const linear = (in_features: number, out_features: number) => ({ type: 'Linear', in_features, out_features });
const children = (...nodes: object[]) => ({ type: 'Sequential', children: nodes });

describe('a comprehension makes new modules each time round', () => {
  it('unpacked, as a list, in parentheses and as the only argument', () => {
    const [a, b] = [linear(8, 8), linear(8, 8)];
    expect(architectureOf('nn.Sequential(*[nn.Linear(8, 8) for _ in range(2)])')).toEqual(children(a, b));
    expect(architectureOf('nn.Sequential(*(nn.Linear(8, 8) for _ in range(2)))')).toEqual(children(a, b));
    for (const list of ['[nn.Linear(8, 8) for i in range(2)]', 'nn.Linear(8, 8) for i in range(2)']) {
      expect(architectureOf(`nn.ModuleList(${list})`)).toEqual({ type: 'ModuleList', children: [a, b] });
    }
  });

  it('between other modules, in their order', () => {
    const text = 'nn.Sequential(nn.Linear(4, 8), *[nn.Linear(8, 8) for _ in range(2)], nn.Linear(8, 1))';
    expect(architectureOf(text)).toEqual(children(linear(4, 8), linear(8, 8), linear(8, 8), linear(8, 1)));
  });

  it('the variable is a number to compute with', () => {
    const text = 'nn.Sequential(*[nn.Linear(8 * (i + 1), 8 * (i + 2)) for i in range(3)])';
    expect(architectureOf(text)).toEqual(children(linear(8, 16), linear(16, 24), linear(24, 32)));
    const powers = 'nn.Sequential(*[nn.Linear(2 ** n, 2 ** (n - 2)) for n in range(6, 2, -2)])';
    expect(architectureOf(powers)).toEqual(children(linear(64, 16), linear(16, 4)));
  });

  it('within one another, an inner variable before an outer one of its name', () => {
    const text =
      'nn.Sequential(*[nn.Sequential(*[nn.Linear(i + 1, j + 1) for j in range(2)]) for i in range(2)])';
    const rows = [1, 2].map((i) => children(linear(i, 1), linear(i, 2)));
    expect(architectureOf(text)).toEqual(children(...rows));
    const shadowed =
      'nn.Sequential(*[nn.Sequential(*[nn.Linear(i, 1) for i in range(7, 8)], nn.Linear(i, i)) for i in range(1, 2)])';
    expect(architectureOf(shadowed)).toEqual(children(children(linear(7, 1), linear(1, 1))));
  });

  it('over a list of constants, and over names', () => {
    const text = 'width = 4\nnn.Sequential(*[nn.Linear(width, n) for n in [1, 2 * 2]])';
    expect(architectureOf(text)).toEqual(children(linear(4, 1), linear(4, 4)));
  });

  it('named, its modules are each the same wherever the name stands', () => {
    const text = 'layers = [nn.Linear(8, 8) for _ in range(2)]\nnn.Sequential(*layers, *layers)';
    const [a, b] = [{ shared: 'layers[0]' }, { shared: 'layers[1]' }];
    expect(architectureOf(text)).toEqual({
      ...children(a, b, a, b),
      shared: { 'layers[0]': linear(8, 8), 'layers[1]': linear(8, 8) },
    });
  });

  it('over lines, and of no rounds at all', () => {
    const text =
      'nn.Sequential(\n  *[\n    nn.ReLU()  # for each\n    for i in range(0)\n  ],\n  nn.Tanh(),\n)';
    expect(architectureOf(text)).toEqual(children({ type: 'Tanh' }));
  });
});

describe('what is wrong with a comprehension is said once, where it is', () => {
  it.each([
    [
      'nn.ModuleList([nn.Lnear(8, 8) for i in range(9)])',
      'line 1, column 16: there is no layer Lnear; did you mean Linear?',
    ],
    ['nn.ModuleList([nn.Linear(j, 8) for i in range(9)])', 'line 1, column 26: j is not defined here'],
    ['nn.ModuleList([nn.Linear(j, 8) for i in range(0)])', 'line 1, column 26: j is not defined here'],
    [
      'nn.ModuleList([nn.ReLU() for i in range(1.5)])',
      'line 1, column 35: range() takes whole numbers: range(stop), range(start, stop), range(start, stop, step)',
    ],
    ['nn.ModuleList([nn.ReLU() for i in range(0, 9, 0)])', 'line 1, column 35: the step of range() is not 0'],
    [
      'nn.ModuleList([nn.ReLU() for i in 3])',
      'line 1, column 35: a comprehension goes over range(...) or a list of constants',
    ],
    [
      'nn.ModuleList([m for m in [nn.ReLU()]])',
      'line 1, column 27: a comprehension goes over range(...) or a list of constants',
    ],
    ['nn.ModuleList([nn.ReLU() for i in range(3) if i])', 'line 1, column 44: expected "]", found "if"'],
    ['nn.ModuleList([nn.ReLU() for i, j in range(3)])', 'line 1, column 31: expected "in", found ","'],
    [
      'nn.ModuleList([nn.ReLU() for 3 in range(3)])',
      'line 1, column 30: expected a name after "for", found a number',
    ],
    [
      'nn.ModuleList([nn.ReLU(), nn.ReLU() for i in range(3)])',
      'line 1, column 25: expected "for", found ","',
    ],
    ['nn.ModuleList([for i in range(3)])', 'line 1, column 16: expected a value, found "for"'],
    [
      'nn.Sequential([nn.ReLU() for i in range(3)])',
      'line 1, column 15: Sequential takes modules one by one: Sequential(*[...])',
    ],
    [
      'nn.Sequential(*[nn.ReLU() for i in range(3)], nn.Linear(i, 1))',
      'line 1, column 57: i is not defined here',
    ],
    [
      'nn.ModuleDict({"a": nn.ReLU() for i in range(3)})',
      'line 1, column 31: this comprehension is not read here; write the items out',
    ],
  ])('%s', (text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });
});

describe('rounds are bounded before they are done', () => {
  const faults = (text: string, maxModules = 100): unknown => parseNotation(text, { maxModules });

  it('as many modules as the limit are made, one more is not', () => {
    const text = (rounds: number): string =>
      `nn.Sequential(*[nn.Sequential(nn.ReLU()) for _ in range(${rounds})])`;
    expect(faults(text(50))).toHaveProperty('architecture');
    expect(faults(text(51))).toEqual({
      faults: [{ path: 'line 1, column 31', message: 'comprehensions make more than 100 modules' }],
    });
  });

  it.each([
    ['a long range', 'nn.ModuleList([nn.ReLU() for i in range(2 ** 52)])'],
    ['ranges in ranges', `nn.ModuleList(${'['.repeat(20)}1${' for i in range(1000)]'.repeat(20)})`],
    ['long items', `nn.ModuleList([${'1 + '.repeat(50_000)}1 for i in range(100000)])`],
    ['many ranges', `nn.ModuleList([${'range(100000), '.repeat(50_000)}])`],
    ['many comprehensions', `nn.ModuleList([${'[1 for i in range(1000)], '.repeat(30_000)}])`],
    ['brackets without an end', `${'[1 for i in '.repeat(50_000)}`],
  ])('%s, within a second', (_, text) => {
    const start = performance.now();
    expect(faults(text)).toHaveProperty('faults');
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
