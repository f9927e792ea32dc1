import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everyName } from '#src/nn/module.js';
import { printModule } from '#src/nn/notation/print.js';
import { architectures } from '../architecture-arbitrary.js';
import { networksOnOneLineNames } from './network-arbitrary.js';
import { built, reprinted } from './round-trip.js';

interface Case {
  name: string;
  source: string;
  print: string;
  state_keys: string[];
}

function fixture<T>(path: string): T[] {
  const url = new URL(`../../fixtures/${path}`, import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { cases: T[] }).cases;
}

describe("PyTorch's own prints", () => {
  describe.each(fixture<Case>('prints.json'))('$name', ({ source, print, state_keys: keys }) => {
    it('its constructors give the same print and state_dict keys', () => {
      const net = built(source);
      expect(printModule(net)).toBe(print);
      expect(everyName(net).map(({ path }) => path)).toEqual(keys);
    });

    it('its print is read back to the same print and state_dict keys', () => {
      const net = built(print);
      expect(printModule(net)).toBe(print);
      expect(everyName(net).map(({ path }) => path)).toEqual(keys);
    });
  });

  it.each(fixture<{ name: string; repr: string }>('golden/networks.json'))(
    '$name prints as it was read',
    ({ repr }) => {
      expect(reprinted(repr)).toBe(repr);
    },
  );
});

describe('any network', () => {
  it.each([
    ['of every layer', architectures],
    ['with repeated blocks and hostile names', networksOnOneLineNames],
  ])('%s: parse(print(net)) prints the same', (_name, networks) => {
    fc.assert(
      fc.property(networks, (architecture) => {
        const print = printModule(built(architecture));
        expect(reprinted(print)).toBe(print);
      }),
      { numRuns: 300 },
    );
  });

  it("a print's indentation and line ends do not matter, where names are on one line", () => {
    fc.assert(
      fc.property(networksOnOneLineNames, (architecture) => {
        const print = printModule(built(architecture));
        const mangled = print.replace(/^ +/gm, '').replaceAll('\n', ' \r\n\n\t');
        expect(reprinted(`\n\n  ${mangled}\n`)).toBe(print);
      }),
      { numRuns: 100 },
    );
  });

  it('a name with line ends is read where it cannot be two children', () => {
    const node = (name: string): object => ({ type: 'Sequential', children: [{ type: 'Tanh', name }] });
    const print = (name: string): string =>
      printModule(built({ type: 'Sequential', children: [node(name)] }));
    for (const name of ['\n', 'a\nb', '\n\n', 'a\n  b\n', '\n): x', '\n(']) {
      expect(built(print(name)).children.get('0')?.children.keys().next().value).toBe(name);
      expect(reprinted(print(name))).toBe(print(name));
    }
  });
});

describe('prints of PyTorch 1.13', () => {
  it('norms without bias= are read with their default', () => {
    const old = [
      'Sequential(',
      '  (0): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
      '  (1): LayerNorm((8,), eps=1e-05, elementwise_affine=True)',
      '  (2): BatchNorm1d(8, eps=1e-05, momentum=0.1, affine=False, track_running_stats=True)',
      ')',
    ];
    expect(reprinted(old.join('\n')).split('\n')).toEqual([
      'Sequential(',
      '  (0): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)',
      '  (1): LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=True)',
      '  (2): BatchNorm1d(8, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True)',
      ')',
    ]);
  });

  it('a ModuleList that is written out is compressed', () => {
    const old = 'ModuleList(\n  (0): ReLU()\n  (1): ReLU()\n  (2): ReLU()\n)';
    expect(reprinted(old)).toBe('ModuleList(\n  (0-2): 3 x ReLU()\n)');
  });
});
