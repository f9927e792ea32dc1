import { describe, expect, it } from 'vitest';
import { PythonFloat } from '#src/nn/options.js';
import { architectureOf, faultsOf } from './round-trip.js';

const relu = { type: 'ReLU' };

describe('constructor calls become the JSON architecture', () => {
  it('positional arguments take the names of the constructor, in its order', () => {
    expect(architectureOf('nn.Conv2d(1, 6, (5, 3), 2, bias=False)')).toEqual({
      type: 'Conv2d',
      in_channels: 1,
      out_channels: 6,
      kernel_size: [5, 3],
      stride: 2,
      bias: false,
    });
  });

  it('children have names only where their place does not give it', () => {
    const text = 'nn.Sequential(OrderedDict([("0", nn.ReLU()), ("act", nn.ReLU())]))';
    expect(architectureOf(text)).toEqual({ type: 'Sequential', children: [relu, { ...relu, name: 'act' }] });
    expect(architectureOf('nn.ModuleDict({"0": nn.ReLU()})')).toEqual({
      type: 'ModuleDict',
      children: [{ ...relu, name: '0' }],
    });
  });

  it('a float with a whole value stays a float, an int an int', () => {
    const slope = (text: string): unknown => {
      return (architectureOf(`nn.LeakyReLU(${text})`) as { negative_slope: unknown }).negative_slope;
    };
    expect(slope('1.0')).toEqual(new PythonFloat(1));
    expect(slope('4 / 2')).toEqual(new PythonFloat(2));
    expect(slope('float(3)')).toEqual(new PythonFloat(3));
    expect(slope('2 ** -1')).toBe(0.5);
    expect(slope('4 // 2')).toBe(2);
    expect(slope('2 ** 3')).toBe(8);
    expect(slope('-2 ** 2')).toBe(-4);
    expect(slope('-7 // 2')).toBe(-4);
    expect(slope('-7 % 3')).toBe(2);
    expect(slope('2 * 3 + 4 * 5 - 6')).toBe(20);
    expect(slope('10 - 4 - 3')).toBe(3);
    expect(slope('2 ** 3 ** 2')).toBe(512);
    expect(slope('(1)')).toBe(1);
  });

  it('None, True, False, tuples and lists are options', () => {
    expect(architectureOf('nn.AdaptiveAvgPool2d((None, 7))')).toEqual({
      type: 'AdaptiveAvgPool2d',
      output_size: [null, 7],
    });
    expect(architectureOf('nn.LayerNorm([8])')).toEqual({ type: 'LayerNorm', normalized_shape: [8] });
    expect(architectureOf('nn.LayerNorm((8,),)')).toEqual({ type: 'LayerNorm', normalized_shape: [8] });
    expect(architectureOf('nn.Linear(1, 1, True)')).toEqual({
      type: 'Linear',
      in_features: 1,
      out_features: 1,
      bias: true,
    });
  });

  it('a named module is shared, made first and in order; the last line is the network', () => {
    const linear = { type: 'Linear', in_features: 8, out_features: 8 };
    expect(
      architectureOf(
        'from torch import nn\nh = 8\na = nn.Linear(h, h)\nb = [nn.ReLU()]\nnet = nn.Sequential(a, *b, a)',
      ),
    ).toEqual({
      type: 'Sequential',
      children: [{ shared: 'a' }, { shared: 'b[0]' }, { shared: 'a' }],
      shared: { a: linear, 'b[0]': relu },
    });
    expect(architectureOf('net = nn.ReLU()\nnet')).toEqual(relu);
  });

  it("a client's names are data: __proto__ and constructor are names like others", () => {
    const text = '__proto__ = nn.ReLU()\nnn.Sequential(__proto__)';
    expect(JSON.stringify(architectureOf(text))).toBe(
      '{"type":"Sequential","children":[{"shared":"__proto__"}],"shared":{"__proto__":{"type":"ReLU"}}}',
    );
    expect(faultsOf('nn.Linear(__proto__=1)')).toEqual([
      'line 1, column 11: unknown option of Linear: __proto__',
    ]);
    expect(faultsOf('constructor(1)')).toEqual(['line 1, column 1: there is no layer constructor']);
  });
});

describe('what PyTorch lets pass', () => {
  it.each([
    ['nn.Linear(2, 3, False, None, None)', { type: 'Linear', in_features: 2, out_features: 3, bias: false }],
    ['nn.Linear(2, 3, 1, "cpu")', { type: 'Linear', in_features: 2, out_features: 3, bias: true }],
    ['nn.Linear(2, 3, bias=0)', { type: 'Linear', in_features: 2, out_features: 3, bias: false }],
    ['nn.BatchNorm1d(2, bias=None)', { type: 'BatchNorm1d', num_features: 2, bias: false }],
  ])('%s', (text, architecture) => expect(architectureOf(text)).toEqual(architecture));
});

describe('faults say where and what would be right', () => {
  it.each([
    ['nn.Lineer(4, 8)', ['line 1, column 1: there is no layer Lineer; did you mean Linear?']],
    [
      'nn.Linear(4, out_featurs=8)',
      ['line 1, column 14: unknown option of Linear: out_featurs; did you mean out_features?'],
    ],
    ['nn.Linear(4, in_features=8)', ['line 1, column 14: Linear is given in_features twice']],
    ['nn.Linear(4, bias=True, bias=True)', ['line 1, column 25: Linear is given bias twice']],
    [
      'nn.Linear(4, 8, True, None, None, 5)',
      [
        'line 1, column 35: Linear takes at most 5 (in_features, out_features, bias, device, dtype) by position, 6 are given',
      ],
    ],
    ['nn.Tanh(1)', ['line 1, column 9: Tanh takes no arguments by position, 1 are given']],
    ['nn.Linear(bias=True, 4)', ['line 1, column 22: a positional argument follows a keyword argument']],
    ['nn.Sequential(nn.ReLU)', ['line 1, column 15: nn.ReLU is a class; nn.ReLU() makes a module of it']],
    [
      'nn.Sequential([nn.ReLU()])',
      ['line 1, column 15: Sequential takes modules one by one: Sequential(*[...])'],
    ],
    [
      'nn.Sequential({"a": nn.ReLU()})',
      ['line 1, column 15: Sequential takes an OrderedDict, this is a dict'],
    ],
    ['nn.Sequential(nn.ReLU(), 5)', ['line 1, column 26: Sequential takes modules, this is a number']],
    [
      'nn.ModuleList(nn.ReLU())',
      ['line 1, column 15: ModuleList takes one list of modules: ModuleList([...])'],
    ],
    [
      'nn.ModuleDict([nn.ReLU()])',
      [
        'line 1, column 15: ModuleDict takes one dict, or one list of pairs: ModuleDict({"name": module, ...})',
      ],
    ],
    [
      'nn.ModuleDict({1: nn.ReLU()})',
      ['line 1, column 16: a name in ModuleDict is a string, this is a number'],
    ],
    [
      'nn.ModuleDict([("a", nn.ReLU()), ("a", nn.ReLU())])',
      ['line 1, column 35: there are two children named "a"'],
    ],
    ['nn.Linear(4, nn.ReLU())', ['line 1, column 14: out_features of Linear is a module, not a constant']],
    ['nn.Linear(4, n)', ['line 1, column 14: n is not defined here']],
    ['nn.Linear(4, 8, device="cuda")', ['line 1, column 24: device can only be cpu here']],
    ['nn.Linear(4, 1 / 0)', ['line 1, column 16: division by zero']],
    ['nn.Linear(4, 2 ** 60)', ['line 1, column 16: integers end at 2 ** 53 here']],
    ['nn.Linear(4, (-1) ** 0.5)', ['line 1, column 19: the result is not a real number']],
    ['nn.Linear(4, 8, True, 5)', ['line 1, column 23: device can only be cpu here']],
    [
      'nn.ModuleList([nn.ReLU()] * 3)',
      [
        'line 1, column 27: a list is not repeated here: give one module a name and write it out in each place, ' +
          'or make new ones with [... for _ in range(n)]',
      ],
    ],
    ['nn.Linear(4, "8" + 1)', ['line 1, column 18: + can only stand between numbers']],
    ['nn.Linear(4, -None)', ['line 1, column 14: a sign can only stand before a number']],
    ['nn.Linear(4, 007)', ['line 1, column 14: 007: an integer does not begin with zeros']],
    ['nn.Linear(4, 8px)', ['line 1, column 14: 8px is not a number']],
    ['nn.Linear(4 8)', ['line 1, column 13: expected "," or ")", found a number']],
    ['nn.Linear(4,, 8)', ['line 1, column 13: expected a value, found ","']],
    ['nn.Linear(4, 8', ['line 1, column 15: expected "," or ")", found the end of the text']],
    ['nn.Linear(4, 8))', ['line 1, column 16: expected the end of the line, found ")"']],
    ["nn.GELU('tanh)", ['line 1, column 9: the string is not closed']],
    [
      'a, b = 1',
      [
        'line 1, column 1: a is not defined here',
        'line 1, column 2: expected the end of the line, found ","',
      ],
    ],
    ['nn.ReLU() # fine\n$', ['line 2, column 1: the character "$" has no meaning here']],
    ['nn.ReLU()\nnn.ReLU()', ['line 1, column 1: this value is not used; only the last line is the network']],
    [
      'a = nn.ReLU()\nb = nn.ReLU()\na',
      ['line 3, column 1: the network is made before other modules; make it on the last line'],
    ],
    ['[1, 2]', ['line 1, column 1: the last line is not a network']],
    ['', ['line 1, column 1: there is no network in the text']],
    [' \n# nothing\n', ['line 1, column 1: there is no network in the text']],
  ])('%j', (text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it('all of them at once, in the order of the text', () => {
    const text = 'nn.Sequential(\n  nn.Lineer(4, 8),\n  nn.Linear(4, 8, bais=True),\n  x,\n  nn.ReLU(1, 2))';
    expect(faultsOf(text)).toEqual([
      'line 2, column 3: there is no layer Lineer; did you mean Linear?',
      'line 3, column 19: unknown option of Linear: bais; did you mean bias?',
      'line 4, column 3: x is not defined here',
      'line 5, column 14: ReLU takes at most 1 (inplace) by position, 2 are given',
    ]);
  });

  it('of a print', () => {
    expect(faultsOf('Sequential(\n  (0): Lineer(in_features=4)\n  (1): Linear(in_featurs=4)\n)')).toEqual([
      'line 2, column 8: there is no layer Lineer; did you mean Linear?',
      'line 3, column 15: unknown option of Linear: in_featurs; did you mean in_features?',
    ]);
    expect(faultsOf('Sequential(\n  (0): ReLU()\n')).toEqual([
      'line 3, column 1: ")" is missing: Sequential( is still open',
    ]);
    expect(faultsOf('Sequential(\n  (0): ReLU()\n)\n)')).toEqual([
      'line 4, column 1: the network has ended, but the text goes on',
    ]);
    expect(faultsOf('Sequential(\n  (0): ReLU()\n  ...\n)')).toEqual([
      'line 3, column 3: expected a child, "(name): Type(...)", or ")"',
    ]);
    expect(faultsOf('MLP(\n  (net): Linear(in_features=4, out_features=8, bias=True)\n)')).toEqual([
      'line 1, column 1: there is no layer MLP',
    ]);
    expect(faultsOf('ModuleList(\n  (0-2): 4 x ReLU()\n)')).toEqual([
      'line 2, column 10: (0-2): 4 x does not add up: the next child is 0',
    ]);
    expect(faultsOf('Sequential(\n  (0-3): 4 x ReLU()\n)')).toEqual([
      'line 2, column 14: repeated children are written (first-last): count x, in a ModuleList',
    ]);
  });
});
