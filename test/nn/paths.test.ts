// Paths into a tree as a client writes them, and trees with a module put in or taken out.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeArchitecture } from '#src/nn/architecture-text.js';
import { readArchitecture } from '#src/nn/architecture.js';
import { everyName, namedModules, namedParameters, type Module } from '#src/nn/module.js';
import { printModule } from '#src/nn/notation/print.js';
import { findModule, findParameter, withModule, withoutModule } from '#src/nn/paths.js';
import { sharingArchitectures } from './architecture-arbitrary.js';

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/layers-repr.json', import.meta.url), 'utf8'),
) as { slices: [string, string[]][]; deletions: [string, string[]][] };

const relu = { type: 'ReLU' };
const linear = { type: 'Linear', in_features: 2, out_features: 2 };
const sequential = (...children: unknown[]) => ({ type: 'Sequential', children });

function build(architecture: unknown): Module {
  const read = readArchitecture(architecture, { maxModules: 1000, maxDepth: 64 });
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read.root;
}
function edited(result: { root: Module } | { fault: string }): Module {
  if ('fault' in result) throw new Error(result.fault);
  return result.root;
}
const names = (module: Module) => [...module.children.keys()];

const net = build(
  sequential(
    sequential(
      { ...sequential(linear, relu), name: 'block 0' },
      { ...sequential(linear, relu), name: 'block 1' },
    ),
    linear,
    {
      type: 'ModuleDict',
      children: [
        { ...linear, name: '-1' },
        { ...relu, name: 'act' },
      ],
    },
    { type: 'ModuleList', children: [relu, linear, relu] },
  ),
);
const at = (path: string) => {
  const found = findModule(net, path);
  return 'module' in found ? [found.path, found.module.type] : found;
};

describe('findModule', () => {
  it.each([
    ['', '', 'Sequential'],
    ['0', '0', 'Sequential'],
    ['0.block 1.0', '0.block 1.0', 'Linear'],
    ['-1', '3', 'ModuleList'],
    ['-4.-2', '0.block 0', 'Sequential'],
    ['3.-2', '3.1', 'Linear'],
    ['2.-1', '2.-1', 'Linear'],
    ['1:3', '1:3', 'Sequential'],
    ['0.-1:', '0.-1:', 'Sequential'],
    ['3.::2', '3.::2', 'ModuleList'],
  ])('%j is %j, a %s', (path, canonical, type) => expect(at(path)).toEqual([canonical, type]));

  it.each([
    ['4', undefined],
    ['-5', undefined],
    ['-0', undefined],
    ['-1.-4', undefined],
    ['2.-2', undefined],
    ['2.act7', '2.act'],
    ['2.0:1', undefined],
    ['1:3.0', undefined],
    ['::0', undefined],
    ['.', undefined],
    ['0.', undefined],
    ['__proto__', undefined],
    ['0.blok 1', '0.block 1'],
    ['0.Block 0.0', '0.block 0.0'],
    ['0.blok 0.7', '0.block 0'],
    ['1.weight', undefined],
    ['x'.repeat(100_000), undefined],
  ])('nothing stands at %j; near: %s', (path, suggestion) => expect(at(path)).toEqual({ suggestion }));

  it('a name comes before a position and before a slice', () => {
    const odd = build(sequential({ ...relu, name: '-1' }, { ...linear, name: '0:1' }, { type: 'Tanh' }));
    const type = (path: string) => (findModule(odd, path) as { module: Module }).module.type;
    expect(['-1', '0:1', '-2'].map(type)).toEqual(['ReLU', 'Linear', 'Linear']);
  });

  it.each(fixture.slices)('net[%s] has the children that PyTorch gives it', (slice, expected) => {
    const five = build(sequential(...Array.from({ length: 5 }, () => relu)));
    const found = findModule(five, slice) as { module: Module };
    expect(names(found.module)).toEqual(expected);
    for (const [name, child] of found.module.children) expect(child).toBe(five.children.get(name));
  });

  it('a slice of a ModuleList is numbered anew', () => {
    const found = findModule(net, '3.1:') as { module: Module };
    expect(names(found.module)).toEqual(['0', '1']);
  });
});

describe('findParameter', () => {
  it.each([
    ['1.weight', '1.weight'],
    ['-3.bias', '1.bias'],
    ['2.-1.weight', '2.-1.weight'],
    ['0.-1.0.bias', '0.block 1.0.bias'],
  ])('%j is %j', (path, canonical) => expect(findParameter(net, path)).toMatchObject({ path: canonical }));

  it.each([
    ['1.wieght', '1.weight'],
    ['1.Weight', '1.weight'],
    ['0.blok 0.0.weight', '0.block 0.0.weight'],
    ['weight', undefined],
    ['', undefined],
    ['1', undefined],
    ['1.', undefined],
    ['1.__proto__', undefined],
    ['0:2.1.weight', undefined],
  ])('there is none at %j; near: %s', (path, suggestion) =>
    expect(findParameter(net, path)).toEqual({ suggestion }),
  );

  it('does not find a parameter that is registered as absent', () => {
    const bare = build({ ...linear, bias: false });
    expect(findParameter(bare, 'bias')).toEqual({ suggestion: undefined });
  });

  it('finds every name of every tree', () => {
    fc.assert(
      fc.property(sharingArchitectures, (architecture) => {
        const root = build(architecture);
        for (const { path, value } of everyName(root))
          expect(findParameter(root, path)).toEqual({ path, parameter: value });
        for (const { path, value } of namedModules(root)) {
          const found = findModule(root, path) as { path: string; module: Module };
          expect(found.path).toBe(path);
          expect(found.module).toBe(value);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('withModule', () => {
  const tanh = build({ type: 'Tanh' });

  it('replaces a child in its place and shares everything else', () => {
    const before = describeArchitecture(net);
    const root = edited(withModule(net, '0.block 0.1', tanh));
    expect(findModule(root, '0.block 0.1')).toEqual({ path: '0.block 0.1', module: tanh });
    expect(names(root.children.get('0')!)).toEqual(['block 0', 'block 1']);
    for (const path of ['1', '2', '3', '0.block 1', '0.block 0.0']) {
      expect((findModule(root, path) as { module: Module }).module).toBe(
        (findModule(net, path) as { module: Module }).module,
      );
    }
    expect(describeArchitecture(net)).toEqual(before);
  });

  it('appends under a new name', () => {
    expect(names(edited(withModule(net, 'head', tanh)))).toEqual(['0', '1', '2', '3', 'head']);
    expect(names(edited(withModule(net, '3.3', tanh)).children.get('3')!)).toEqual(['0', '1', '2', '3']);
    expect(names(edited(withModule(net, '2.0', tanh)).children.get('2')!)).toEqual(['-1', 'act', '0']);
  });

  it('takes a negative position for a child that is there', () => {
    expect(edited(withModule(net, '-1', tanh)).children.get('3')).toBe(tanh);
  });

  it('of the root is the module itself', () => expect(edited(withModule(net, '', tanh))).toBe(tanh));

  it.each([
    ['1.0', 'a Linear has no children'],
    ['9.0', 'no module stands there'],
    ['0.blok 0.0', 'no module stands there; did you mean "0.block 0"?'],
    ['-9', 'index -9 is out of range'],
    ['0:2', 'one module is put in one place: a slice is several'],
    ['3.7', 'a ModuleList names its children by position: "3"'],
    ['0.', 'module name can\'t be empty string ""'],
  ])('at %j is refused: %s', (path, fault) => expect(withModule(net, path, tanh)).toMatchObject({ fault }));

  it('keeps within the limits', () => {
    const limits = { maxModules: 100, maxDepth: 3 };
    const deep = build(sequential(sequential(relu)));
    expect(withModule(deep, '0.0', deep, limits)).toEqual({ fault: 'modules are nested deeper than 3' });
    expect(withModule(deep, '0.1', relu2(), limits)).toHaveProperty('root');
    const wide = build(sequential(...Array.from({ length: 60 }, () => relu)));
    expect(withModule(wide, '60', wide, limits)).toHaveProperty('fault');
  });

  it('replaces one place of a shared module, as net[2] = m does', () => {
    const tied = build(sequential(linear, relu, { ref: '0' }));
    const root = edited(withModule(tied, '2', tanh));
    expect(root.children.get('0')).toBe(tied.children.get('0'));
    expect(root.children.get('2')).toBe(tanh);
    expect(namedParameters(root)).toHaveLength(2);
  });

  it('inside a shared module shows at every place of it, which stays one module', () => {
    const tied = build(sequential(sequential(linear, relu), sequential({ ref: '0' }), { ref: '1' }));
    const root = edited(withModule(tied, '1.0.1', tanh));
    const [a, b, c] = ['0', '1', '2'].map((name) => root.children.get(name)!) as [Module, Module, Module];
    expect(b).toBe(c);
    expect(b.children.get('0')).toBe(a);
    expect(a.children.get('1')).toBe(tanh);
    expect(a.children.get('0')).toBe(tied.children.get('0')!.children.get('0'));
  });
});

describe('withoutModule', () => {
  it.each(fixture.deletions)('%s leaves the names that PyTorch leaves', (deletion, expected) => {
    const three = build(sequential(linear, relu, { type: 'Tanh' }));
    expect(names(edited(withoutModule(three, /\[(.*)\]/.exec(deletion)![1]!)))).toEqual(expected);
  });

  it('numbers a ModuleList anew, and leaves other names', () => {
    expect(names(edited(withoutModule(net, '3.0')).children.get('3')!)).toEqual(['0', '1']);
    expect(names(edited(withoutModule(net, '2.-1')).children.get('2')!)).toEqual(['act']);
    expect(names(edited(withoutModule(net, '0.block 0')).children.get('0')!)).toEqual(['block 1']);
    const mixed = build(sequential(relu, { ...relu, name: 'act' }, relu));
    expect(names(edited(withoutModule(mixed, '0')))).toEqual(['act', '2']);
  });

  it('removes one place of a shared module', () => {
    const tied = build(sequential(linear, relu, { ref: '0' }));
    const root = edited(withoutModule(tied, '0'));
    expect(printModule(root)).toBe(printModule(build(sequential(relu, linear))));
    expect(root.children.get('1')).toBe(tied.children.get('0'));
  });

  it('of the root is refused', () => {
    expect(withoutModule(net, '')).toEqual({ fault: 'the root cannot be removed' });
  });

  it.each([
    ['7', 'no module stands there'],
    ['2.Act', 'no module stands there; did you mean "2.act"?'],
    ['1.weight', 'no module stands there'],
    ['0:2', 'no module stands there'],
    ['8.0', 'no module stands there'],
  ])('of %j is refused: %s', (path, fault) =>
    expect(withoutModule(net, path)).toEqual({ fault, missing: true }),
  );
});

function relu2(): Module {
  return build(relu);
}
