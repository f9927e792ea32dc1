import { describe, expect, it } from 'vitest';
import { describeArchitecture } from '#src/nn/architecture-text.js';
import { readArchitecture } from '#src/nn/architecture.js';
import { parseNotation } from '#src/nn/notation/parse.js';
import { printModule } from '#src/nn/notation/print.js';

const LIMITS = { maxModules: 50, maxDepth: 8 };

const linear = (from: number, to: number) => ({ type: 'Linear', in_features: from, out_features: to });
const graph = (inputs: unknown, nodes: unknown, outputs: unknown) => ({
  type: 'Graph',
  inputs,
  nodes,
  outputs,
});

const NETWORK = graph(
  ['a', 'b'],
  [
    { name: 's', op: 'add', inputs: ['h', 'b'] },
    { name: 'h', module: linear(4, 8), inputs: ['a'] },
    { name: 'c', op: 'cat', dim: 1, inputs: ['s', 'h'] },
    { name: 'odd one', op: 'mean', dim: [1], inputs: ['c'] },
  ],
  ['c', 'odd one'],
);

function read(architecture: unknown) {
  const found = readArchitecture(architecture, LIMITS);
  if ('faults' in found) throw new Error(JSON.stringify(found.faults));
  return found.root;
}

function faults(architecture: unknown): string[] {
  const found = readArchitecture(architecture, LIMITS);
  return 'faults' in found ? found.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

describe('a Graph', () => {
  it('prints what reads what, then its modules', () => {
    expect(printModule(read(NETWORK))).toBe(
      [
        'Graph(',
        '  inputs: a, b',
        '  s = add(h, b)',
        '  h = h(a)',
        '  c = cat(s, h, dim=1)',
        "  'odd one' = mean(c, dim=(1,))",
        "  outputs: c, 'odd one'",
        '  (h): Linear(in_features=4, out_features=8, bias=True)',
        ')',
      ].join('\n'),
    );
  });

  it('is described as it was given', () => {
    expect(describeArchitecture(read(NETWORK))).toEqual(NETWORK);
    const one = graph('x', [{ name: 'y', op: 'relu', inputs: 'x' }], 'y');
    expect(describeArchitecture(read(one))).toEqual(
      graph(['x'], [{ name: 'y', op: 'relu', inputs: ['x'] }], ['y']),
    );
  });

  it('is read from JSON alone, and says so', () => {
    for (const text of [
      printModule(read(NETWORK)),
      'nn.Sequential(Graph())',
      'Sequential(\n  (0): Graph(\n',
    ]) {
      const parsed = parseNotation(text, LIMITS);
      const messages = 'faults' in parsed ? parsed.faults.map(({ message }) => message) : [];
      expect(messages).toEqual(['a Graph is not read from a text: give its architecture as JSON']);
    }
  });

  it('runs nodes behind those that they read, and refuses those that read themselves', () => {
    const order = read(NETWORK).wiring!.order.map(({ name }) => name);
    expect(order).toEqual(['h', 's', 'c', 'odd one']);
    const nodes = ['a', 'b', 'c'].map((name, i, all) => ({
      name,
      op: 'add',
      inputs: ['x', all[(i + 1) % 3]],
    }));
    expect(faults(graph(['x'], nodes, ['a']))).toEqual([
      'architecture.nodes[0]: a node cannot read itself: a → c → b → a',
    ]);
    const self = [{ name: 'y', op: 'add', inputs: ['x', 'y'] }];
    expect(faults(graph(['x'], self, ['y']))).toEqual([
      'architecture.nodes[0]: a node cannot read itself: y → y',
    ]);
  });

  it('is as long as modules may be many, without any recursion over its nodes', () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, i) => ({
        name: `n${i}`,
        op: 'relu',
        inputs: [i === 0 ? 'x' : `n${i - 1}`],
      }));
    const limits = { maxModules: 100_000, maxDepth: 8 };
    const long = graph(['x'], chain(50_000).reverse(), ['n49999']);
    const found = readArchitecture(long, limits);
    expect('root' in found && found.root.wiring!.order[0]!.name).toBe('n0');
    expect(faults(graph(['x'], chain(51), ['n50']))).toEqual([
      'architecture.nodes: there are more than 50 modules (one at several places counts at each)',
    ]);
    const twenty = graph(['x'], chain(20), ['n19']);
    const shared = { type: 'Sequential', shared: { g: twenty }, children: Array(3).fill({ shared: 'g' }) };
    expect(faults(shared)[0]).toContain('there are more than 50 modules');
  });

  const node = (fields: object) => graph(['x'], [{ name: 'y', inputs: ['x'], ...fields }], ['y']);

  it.each([
    [{ type: 'Graph' }, [
      'architecture.inputs: must be a list of 1 to 256 names, got nothing',
      'architecture.outputs: must be a list of 1 to 256 names, got nothing',
      'architecture.nodes: must be a list of nodes, got nothing',
    ]],
    [graph([], [], 'x'), ['architecture.inputs: must be a list of 1 to 256 names, got []']],
    [graph([1], [], 'x'), ['architecture.inputs[0]: must be a string, got 1']],
    [graph(['x'], [3], 'x'), ['architecture.nodes[0]: must be an object with a name, a module or an op, and inputs, got 3']],
    [{ ...node({ op: 'relu' }), children: [] }, ['architecture.children: a Graph has nodes']],
    [node({}), ['architecture.nodes[0]: needs a module or an op']],
    [node({ op: 'relu', module: {} }), ['architecture.nodes[0]: has a module and an op: give one']],
    [node({ op: 'rleu' }), ['architecture.nodes[0].op: unknown op "rleu"; did you mean relu?']],
    [node({ op: 'constructor' }), ['architecture.nodes[0].op: unknown op "constructor"']],
    [node({ op: 'mean', dmi: 1 }), ['architecture.nodes[0].dmi: unknown option of mean; did you mean dim?']],
    [node({ op: 'select', index: '1;' }), ['architecture.nodes[0].index: ";" has no meaning in an index, at character 2, got "1;"']],
    [node({ op: 'softmax' }), ['architecture.nodes[0].dim: softmax needs dim']],
    [node({ module: { type: 'ReLU' }, dim: 1 }), ['architecture.nodes[0].dim: does not go with a module: its options stand in it']],
    [node({ module: { type: 'ReLU', name: 'y' } }), ['architecture.nodes[0].module.name: is the name of its node']],
    [node({ module: { type: 'RLU' } }), ['architecture.nodes[0].module.type: unknown layer type "RLU"; did you mean ReLU?']],
    [node({ op: 'relu', name: 'a.b' }), ['architecture.nodes[0].name: module name can\'t contain ".", got: "a.b"']],
    [node({ op: 'relu', inputs: ['xx'] }), [
      'architecture.nodes[0].inputs[0]: there is no input or node "xx"; did you mean x?',
      'architecture.inputs[0]: nothing reads the input "x"',
    ]],
    [node({ op: 'matmul' }), ['architecture.nodes[0].inputs: matmul takes 2 inputs, got 1']],
    [node({ op: 'relu', inputs: ['x', 'x'] }), ['architecture.nodes[0].inputs: relu takes 1 input, got 2']],
    [node({ module: linear(1, 1), inputs: ['x', 'x'] }), ['architecture.nodes[0].inputs: Linear takes 1 input, got 2']],
    [graph(['x', 'x'], [], ['x']), ['architecture.inputs[1]: there are two inputs named "x"']],
    [graph(['x'], [], ['x', 'x']), ['architecture.outputs[1]: "x" is an output already']],
    [graph(['x', 'z'], [], ['x']), ['architecture.inputs[1]: nothing reads the input "z"']],
    [graph(['__proto__'], [], ['__proto__']), ['architecture.inputs[0]: no JSON object has a field of that name here']],
    [graph(['x'], [{ name: 'y', op: 'relu', inputs: 'x' }], ['x']), ['architecture.nodes[0]: nothing reads the node "y"']],
    [graph(['x'], [{ name: 'x', op: 'relu', inputs: 'x' }], ['x']), ['architecture.nodes[0].name: "x" is an input of the Graph already']],
  ])('refuses %j', (architecture, expected) => {
    expect(faults(architecture)).toEqual(expected);
  }); // prettier-ignore
});
