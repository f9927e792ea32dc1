// Architectures in and out: blocks, shared modules, references, ties, names; faults; bounds on what a client can grow.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeArchitecture } from '#src/nn/architecture-text.js';
import { readArchitecture } from '#src/nn/architecture.js';
import { LAYERS } from '#src/nn/layers/table.js';
import { everyName, namedModules, namedParameters, type Module } from '#src/nn/module.js';
import { printModule } from '#src/nn/notation/print.js';
import { ARBITRARY_TYPES, architectures, sharingArchitectures } from './architecture-arbitrary.js';

const LIMITS = { maxModules: 10_000, maxDepth: 64 };

function build(architecture: unknown, limits = LIMITS) {
  const read = readArchitecture(architecture, limits);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return read;
}
function faults(architecture: unknown, limits = LIMITS): string[] {
  const read = readArchitecture(architecture, limits);
  return 'faults' in read ? read.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}
const linear = (inFeatures: number, outFeatures: number, more: object = {}) => ({
  type: 'Linear',
  in_features: inFeatures,
  out_features: outFeatures,
  ...more,
});
const relu = { type: 'ReLU' };
const sequential = (...children: unknown[]) => ({ type: 'Sequential', children });

/** Names, and which of them are one module or storage. */
function names(root: Module) {
  const parameters = everyName(root);
  const modules: [string, Module][] = [];
  const visit = (module: Module, path: string): void => {
    modules.push([path, module]);
    for (const [name, child] of module.children) visit(child, `${path}/${name}`);
  };
  visit(root, '');
  return {
    print: printModule(root),
    modules: modules.map(([path, module]) => [path, modules.findIndex(([, other]) => other === module)]),
    parameters: parameters.map(({ path, value }) => [
      path,
      parameters.findIndex((other) => other.value === value),
    ]),
  };
}

describe('an architecture reads as PyTorch constructs it', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../fixtures/golden/networks.json', import.meta.url), 'utf8'),
  ) as {
    cases: {
      name: string;
      architecture: unknown;
      repr: string;
      state_keys: string[];
      named_parameters: unknown;
    }[];
  };

  it.each(
    golden.cases
      .filter(({ architecture }) => architecture !== null)
      .map((network) => [network.name, network] as const),
  )('%s', (_name, network) => {
    const { root } = build(network.architecture);
    expect(printModule(root)).toBe(network.repr);
    expect(everyName(root).map(({ path }) => path)).toEqual(network.state_keys);
    const parameters = namedParameters(root).filter(({ value }) => value.kind === 'parameter');
    expect(parameters.map(({ path, value }) => [path, value.shape])).toEqual(network.named_parameters);
  });

  it('a block is a new instance each time it is used, and may use other blocks', () => {
    const { root } = build({
      blocks: {
        inner: linear(4, 4),
        outer: sequential({ block: 'inner' }, { block: 'inner' }),
        alias: { block: 'outer' },
      },
      ...sequential({ block: 'outer', name: 'block 0' }, { block: 'alias', name: 'block 1' }),
    });
    expect(namedParameters(root).map(({ path }) => path)).toEqual(
      ['block 0.0', 'block 0.1', 'block 1.0', 'block 1.1'].flatMap((path) => [
        `${path}.weight`,
        `${path}.bias`,
      ]),
    );
  });

  it('the root itself may be a block', () => {
    expect(printModule(build({ blocks: { b: relu }, block: 'b' }).root)).toBe('ReLU()');
  });

  it('shared modules are drawn first, in order, and are one module wherever they stand', () => {
    const { root, drawn } = build({
      shared: { a: linear(8, 8), b: sequential({ shared: 'a' }, linear(8, 2)) },
      ...sequential(linear(4, 8), { shared: 'a' }, { shared: 'b' }, { shared: 'a' }),
    });
    expect(root.children.get('1')).toBe(root.children.get('3'));
    expect(root.children.get('2')!.children.get('0')).toBe(root.children.get('1'));
    expect(drawn.filter(({ name }) => name === 'weight').map(({ parameter }) => parameter.shape)).toEqual([
      [8, 8],
      [2, 8],
      [8, 4],
    ]);
  });

  it('a ref places the module that already stands at a path', () => {
    const { root } = build(
      sequential(sequential(linear(2, 2), relu), { ref: '0.0', name: 'again' }, { ref: '0' }),
    );
    expect(root.children.get('again')).toBe(root.children.get('0')!.children.get('0'));
    expect(root.children.get('2')).toBe(root.children.get('0'));
  });

  it('a tied parameter is drawn all the same, and then let go of', () => {
    const { root, drawn } = build(sequential(linear(4, 4), linear(4, 4, { tie: { weight: '0.weight' } })));
    const [first, second] = [root.children.get('0')!, root.children.get('1')!];
    expect(second.parameters.get('weight')).toBe(first.parameters.get('weight'));
    expect(second.parameters.get('bias')).not.toBe(first.parameters.get('bias'));
    const kept = new Set(everyName(root).map(({ value }) => value));
    expect(drawn.map(({ name, parameter }) => [name, kept.has(parameter)])).toEqual([
      ['weight', true],
      ['bias', true],
      ['weight', false],
      ['bias', true],
    ]);
  });

  it('the children of a ModuleDict may be an object', () => {
    const { root } = build({
      type: 'nn.ModuleDict',
      children: { left: relu, __proto: relu, 'a b': linear(1, 1) },
    });
    expect([...root.children.keys()]).toEqual(['left', '__proto', 'a b']);
  });
});

describe('faults', () => {
  it('are all reported, each with its path and the nearest name', () => {
    expect(
      faults(
        sequential(
          { type: 'linear', in_features: 4 },
          { typ: 'ReLU' },
          linear(4, 8, { in_featurs: 4, in_features: undefined }),
          { type: 'ReLU', children: [] },
          { type: 'Sequential', childern: [] },
          sequential({ type: 'Sequentil' }, 7, 'nn.ReLU()', null, []),
          {},
          { type: 3 },
        ),
      ),
    ).toEqual([
      'architecture.children[0].type: unknown layer type "linear"; did you mean Linear?',
      'architecture.children[1].typ: unknown field; did you mean type?',
      'architecture.children[1]: needs a type (or block, shared, ref)',
      'architecture.children[2].in_featurs: unknown option of Linear; did you mean in_features?',
      'architecture.children[2].in_features: Linear needs in_features',
      'architecture.children[3].children: ReLU has no children',
      'architecture.children[4].childern: unknown option of Sequential',
      'architecture.children[5].children[0].type: unknown layer type "Sequentil"; did you mean Sequential?',
      'architecture.children[5].children[1]: must be an object with a type, got 7',
      'architecture.children[5].children[2]: must be an object with a type, got "nn.ReLU()"',
      'architecture.children[5].children[3]: must be an object with a type, got null',
      'architecture.children[5].children[4]: must be an object with a type, got []',
      'architecture.children[6]: needs a type (or block, shared, ref)',
      'architecture.children[7].type: must be a string, got 3',
    ]);
  });

  it.each([
    [{ name: '', ...relu }, '.name: module name can\'t be empty string ""'],
    [{ name: 'a.b', ...relu }, '.name: module name can\'t contain ".", got: "a.b"'],
    [{ name: 3, ...relu }, '.name: must be a string, got 3'],
    [{ name: 'x'.repeat(256), ...relu }, '.name: a module name has at most 255 characters'],
    [{ name: '0', ...relu }, '.name: there are two children named "0"'],
    [{ ref: '2' }, '.ref: no module stands at "2" before this one'],
    [{ ref: '1' }, '.ref: no module stands at "1" before this one'],
    [{ ref: '' }, '.ref: a module cannot contain itself: "" is not complete here'],
    [{ ref: '__proto__' }, '.ref: no module stands at "__proto__" before this one'],
    [{ ref: '0', type: 'ReLU' }, ': has type and ref: give one'],
    [{ shared: 'blok' }, '.shared: there is no shared module "blok"'],
    [{ block: 'blok' }, '.block: there is no block "blok"; did you mean block?'],
    [{ block: 'constructor' }, '.block: there is no block "constructor"'],
    [{ block: 7 }, '.block: must be a string, got 7'],
    [{ block: 'block', bias: false }, '.bias: does not go with block: it belongs where the module is made'],
    [
      linear(2, 2, { tie: { weight: '0.weight' } }),
      '.tie.weight: weight has shape [2, 2], 0.weight has shape [3, 2]: tied parameters have one shape',
    ],
    [
      linear(2, 2, { tie: { weight: '0.wieght' } }),
      '.tie.weight: no parameter stands at "0.wieght" before this one; did you mean weight?',
    ],
    [
      linear(2, 2, { tie: { weigth: '0.weight' } }),
      '.tie.weigth: this Linear has no parameter "weigth"; did you mean weight?',
    ],
    [linear(2, 2, { tie: { weight: '2.weight' } }), '.tie.weight: no module stands at "2" before this one'],
    [linear(2, 2, { tie: { weight: 0 } }), ".tie.weight: must be a parameter's path, got 0"],
    [linear(2, 2, { tie: '0' }), '.tie: must be an object of parameters\' paths by name, got "0"'],
  ])('%j', (child, message) => {
    const architecture = { blocks: { block: relu }, ...sequential(linear(2, 3), child) };
    expect(faults(architecture)).toEqual([`architecture.children[1]${message}`]);
  });

  it.each([
    [7, 'architecture: must be an object with a type, got 7'],
    [null, 'architecture: must be an object with a type, got null'],
    [{ ...relu, name: 'net' }, 'architecture.name: only the child of a container has a name'],
    [{ ...relu, blocks: [] }, 'architecture.blocks: must be an object of modules by name, got []'],
    [{ type: 'Sequential', children: {} }, 'architecture.children: must be a list of modules, got an object'],
    [
      { type: 'ModuleDict', children: [relu] },
      'architecture.children[0]: needs a name, as every child of a ModuleDict',
    ],
    [
      { type: 'ModuleList', children: [{ ...relu, name: 'a' }] },
      'architecture.children[0].name: a ModuleList names its children by position: "0"',
    ],
    [
      { blocks: { a: { block: 'b' }, b: sequential({ block: 'a' }) }, block: 'a' },
      'architecture.blocks.b.children[0].block: a block cannot contain itself: a → b → a',
    ],
    [
      { blocks: { a: { block: 'a' } }, block: 'a' },
      'architecture.blocks.a.block: a block cannot contain itself: a → a',
    ],
    [
      { shared: { b: relu, 1: relu }, ...relu },
      'architecture.shared.1: a number is no name here: JSON objects do not keep its place in the order',
    ],
    [
      { type: 'ModuleDict', children: { b: relu, 10: relu } },
      'architecture.children.10: a number is no name here, as JSON objects do not keep its place in the order: ' +
        'give a list, [{"name": ..., ...}]',
    ],
    [
      { shared: { a: { shared: 'b' }, b: relu }, ...relu },
      'architecture.shared.a.shared: shared module "b" is not made yet: they are made in order',
    ],
    [
      { blocks: { b: linear(0, 1) }, ...sequential({ block: 'b' }, { block: 'b' }) },
      'architecture.blocks.b.in_features: must be an integer from 1 to 2147483647, got 0',
    ],
    [
      { type: 'LayerNorm', normalized_shape: [2 ** 31 - 1, 2 ** 31 - 1] },
      'architecture: weight: [2147483647, 2147483647] has too many elements',
    ],
  ])('%j', (architecture, message) => expect(faults(architecture)).toEqual([message]));

  it('that follow from another fault are not reported', () => {
    const broken = sequential(linear(2, 0), relu);
    expect(
      faults(sequential(broken, { ref: '0.0' }, linear(2, 2, { tie: { weight: '0.0.weight' } }))),
    ).toHaveLength(1);
  });

  it('are at most a hundred', () => {
    expect(faults(sequential(...Array.from({ length: 5000 }, () => ({ type: 'Nothing' }))))).toHaveLength(
      100,
    );
  });
});

describe('what a client can make grow is bounded by the limits', () => {
  const limits = { maxModules: 100, maxDepth: 8 };
  const many = 'there are more than 100 modules (one at several places counts at each)';

  it('wide trees', () => {
    expect(faults(sequential(...Array.from({ length: 99 }, () => relu)), limits)).toEqual([]);
    expect(faults(sequential(...Array.from({ length: 100 }, () => relu)), limits)).toEqual([
      `architecture.children[99]: ${many}`,
    ]);
  });

  it('a node with a hundred thousand fields', () => {
    const fields = Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`in_featur${i}`, 1])) as object;
    expect(faults({ ...relu, ...fields })).toEqual([
      'architecture: has 100001 fields: no module takes as many',
    ]);
  });

  it('trees that are wider than any could be', () => {
    expect(faults(sequential(...Array.from({ length: 101 }, () => relu)), limits)).toEqual([
      `architecture.children: ${many}`,
    ]);
  });

  it('deep trees', () => {
    const nested = (depth: number): object => (depth === 1 ? relu : sequential(nested(depth - 1)));
    expect(faults(nested(8), limits)).toEqual([]);
    expect(faults(nested(9), limits)[0]).toMatch(/: modules are nested deeper than 8$/);
    let deep: unknown = relu;
    for (let i = 0; i < 50_000; i++) deep = { type: 'Sequential', children: [deep] };
    expect(faults(deep, limits)).toHaveLength(1);
  });

  it('blocks that double at every step', () => {
    const steps = Array.from({ length: 60 }, (_, i) => [
      `b${i + 1}`,
      sequential({ block: `b${i}` }, { block: `b${i}` }),
    ]);
    const blocks = Object.fromEntries([['b0', relu], ...steps]) as object;
    expect(faults({ blocks, block: 'b60' }, { maxModules: 1000, maxDepth: 64 })[0]).toContain(
      'more than 1000 modules',
    );
  });

  it('shared modules and refs that double at every step', () => {
    const shared = Object.fromEntries([
      ['s0', relu],
      ...Array.from({ length: 60 }, (_, i) => [
        `s${i + 1}`,
        sequential({ shared: `s${i}` }, { shared: `s${i}` }),
      ]),
    ]) as object;
    expect(faults({ shared, ...sequential({ shared: 's60' }) })[0]).toContain('more than 10000 modules');
    const refs = Array.from({ length: 60 }, (_, i) => sequential({ ref: `${i}` }, { ref: `${i}` }));
    expect(faults(sequential(relu, ...refs))[0]).toContain('more than 10000 modules');
  });

  it('shared modules placed deep', () => {
    const nested = (depth: number): object => (depth === 1 ? relu : sequential(nested(depth - 1)));
    const at = (depth: number): object => (depth === 1 ? { shared: 's' } : sequential(at(depth - 1)));
    expect(faults({ shared: { s: nested(4) }, ...at(5) }, limits)).toEqual([]);
    expect(faults({ shared: { s: nested(4) }, ...at(6) }, limits)[0]).toContain('nested deeper than 8');
  });

  it('a chain of a hundred thousand blocks', () => {
    const links = Array.from({ length: 1e5 }, (_, i) => [`b${i}`, i === 0 ? relu : { block: `b${i - 1}` }]);
    const blocks = Object.fromEntries(links) as object;
    expect(printModule(build({ blocks, block: 'b63' }).root)).toBe('ReLU()');
    expect(faults({ blocks, block: 'b99999' })[0]).toContain('blocks are nested deeper than 64');
  });

  it('ten thousand misspelt names among a hundred thousand', () => {
    const blocks = Object.fromEntries(
      Array.from({ length: 1e5 }, (_, i) => [`block number ${i}`, relu]),
    ) as object;
    const children = Array.from({ length: 1e4 - 1 }, (_, i) => ({ block: `blok number ${i}` }));
    expect(faults({ blocks, type: 'Sequential', children })).toHaveLength(100);
  });

  it('names from Object.prototype are names like others', () => {
    const architecture = JSON.parse(
      '{"type":"Sequential","blocks":{"__proto__":{"type":"ReLU"}},"children":[{"name":"__proto__","block":"__proto__"},{"name":"constructor","ref":"__proto__"}]}',
    ) as unknown;
    expect(printModule(build(architecture).root)).toBe(
      'Sequential(\n  (__proto__): ReLU()\n  (constructor): ReLU()\n)',
    );
    expect(faults(JSON.parse('{"type":"ReLU","__proto__":1}'))).toEqual([
      'architecture.__proto__: unknown option of ReLU',
    ]);
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });
});

describe('describeArchitecture', () => {
  it('writes what differs from the defaults, refs and ties', () => {
    const architecture = sequential(
      linear(4, 4),
      { type: 'ELU', alpha: 2 },
      { ref: '0', name: 'again' },
      linear(4, 4, { tie: { weight: '0.weight' } }),
      { type: 'ModuleDict', children: [{ ...relu, name: '0' }] },
    );
    expect(describeArchitecture(build(architecture).root)).toEqual(architecture);
  });

  it('keeps 1.0 apart from 1', () => {
    for (const alpha of [2, '2.0', 'inf', 0.1]) {
      const architecture = { type: 'ELU', alpha };
      expect(describeArchitecture(build(architecture).root)).toEqual(architecture);
    }
    expect(describeArchitecture(build({ type: 'ELU', alpha: '1.0' }).root)).toEqual({ type: 'ELU' });
  });

  it.each([
    ['any tree', architectures],
    ['any tree with shared modules and ties', sharingArchitectures],
  ])('of %s reads back to the same print, names and sharing, also through JSON text', (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, (architecture) => {
        const { root } = build(architecture);
        const text = JSON.stringify(describeArchitecture(root));
        expect(names(build(JSON.parse(text)).root)).toEqual(names(root));
        expect(JSON.stringify(describeArchitecture(build(JSON.parse(text)).root))).toBe(text);
      }),
      { numRuns: 150 },
    );
  });

  it('of an architecture that went through JSON text prints the same', () => {
    fc.assert(
      fc.property(architectures, (architecture) => {
        const again = build(JSON.parse(JSON.stringify(architecture))).root;
        expect(printModule(again)).toBe(printModule(build(architecture).root));
      }),
      { numRuns: 100 },
    );
  });
});

it('the arbitrary makes every layer type of the table; Graphs are a test of their own', () => {
  expect(new Set([...ARBITRARY_TYPES, 'Graph'])).toEqual(new Set(Object.keys(LAYERS)));
});

it('every name is unique in named_modules, whatever the tree', () => {
  fc.assert(
    fc.property(sharingArchitectures, (architecture) => {
      const paths = namedModules(build(architecture).root).map(({ path }) => path);
      expect(new Set(paths).size).toBe(paths.length);
    }),
    { numRuns: 50 },
  );
});
