// Constructor arguments: what is refused and in which words, and Python's way to write values.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAYERS, type LayerType } from '#src/nn/layers/table.js';
import { checkOptions, optionsAsJson, PythonFloat, pythonRepr } from '#src/nn/options.js';

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/layers-repr.json', import.meta.url), 'utf8'),
) as { float_reprs: string[]; string_reprs: [string, string][] };

const check = (type: LayerType, given: object) =>
  checkOptions({ type, definition: LAYERS[type] }, new Map(Object.entries(given)), 'architecture');
const faults = (type: LayerType, given: object) =>
  check(type, given).faults.map(({ path, message }) => `${path}: ${message}`);

describe('pythonRepr writes what repr() writes', () => {
  it.each(fixture.float_reprs)('the float %s', (text) => {
    const value = Number(text.replace('inf', 'Infinity'));
    expect(pythonRepr(new PythonFloat(value))).toBe(text);
    if (!Number.isSafeInteger(value)) expect(pythonRepr(value)).toBe(text);
  });

  it.each(fixture.string_reprs)('the string %j', (text, repr) => expect(pythonRepr(text)).toBe(repr));

  it.each([
    [null, 'None'],
    [true, 'True'],
    [false, 'False'],
    [0, '0'],
    [-0, '0'],
    [-7, '-7'],
    [2 ** 53 - 1, '9007199254740991'],
    [[], '()'],
    [[8], '(8,)'],
    [[3, 2], '(3, 2)'],
    [[null, [1]], '(None, (1,))'],
  ])('%j', (value, repr) => expect(pythonRepr(value)).toBe(repr));

  it('every finite float reads back as itself', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        expect(Number(pythonRepr(new PythonFloat(x)))).toBe(x);
      }),
      { numRuns: 300 },
    );
  });
});

describe('an extent', () => {
  it.each([0, -1, 1.5, 2 ** 31, 2 ** 53, NaN, Infinity, '4', true, [4], null, {}, new PythonFloat(4)])(
    'is never %j',
    (value) => {
      const [fault, ...more] = check('Linear', { in_features: value, out_features: 1 }).faults;
      expect(fault!.path).toBe('architecture.in_features');
      expect(fault!.message).toMatch(/^must be an integer from 1 to 2147483647, got /);
      expect(more).toEqual([]);
    },
  );

  it('is anything from 1 to 2^31 - 1', () => {
    for (const value of [1, 65536, 2 ** 31 - 1]) {
      expect(faults('Linear', { in_features: value, out_features: value })).toEqual([]);
    }
  });
});

describe('checkOptions', () => {
  it('reports every fault, each by its path', () => {
    expect(faults('Linear', { in_featurs: 4, out_features: 1.5, bias: 1, Bias: false, toString: 1 })).toEqual(
      [
        'architecture.in_featurs: unknown option of Linear; did you mean in_features?',
        'architecture.Bias: unknown option of Linear; did you mean bias?',
        'architecture.toString: unknown option of Linear',
        'architecture.in_features: Linear needs in_features',
        'architecture.out_features: must be an integer from 1 to 2147483647, got 1.5',
        'architecture.bias: must be true or false, got 1',
      ],
    );
  });

  it('fills in defaults, in the order of the constructor', () => {
    const { options } = check('Softplus', { threshold: 7 });
    expect(Object.entries(options)).toEqual([
      ['beta', new PythonFloat(1)],
      ['threshold', 7],
    ]);
  });

  it('refuses device and dtype unless they are null', () => {
    const linear = { in_features: 1, out_features: 1 };
    expect(faults('Linear', { ...linear, device: null, dtype: null })).toEqual([]);
    expect(faults('Linear', { ...linear, device: 'cuda', dtype: 'float64' })).toEqual([
      'architecture.device: cannot be chosen: parameters are on the CPU',
      'architecture.dtype: cannot be chosen: parameters are float32',
    ]);
  });

  it('says what is not supported', () => {
    expect(faults('MaxPool2d', { kernel_size: 2, return_indices: true })).toEqual([
      'architecture.return_indices: only False is supported, got true',
    ]);
    const transposed = { in_channels: 1, out_channels: 1, kernel_size: 1, padding_mode: 'reflect' };
    expect(faults('ConvTranspose2d', transposed)).toEqual([
      'architecture: Only "zeros" padding mode is supported for ConvTranspose2d',
    ]);
    expect(faults('Embedding', { num_embeddings: 1, embedding_dim: 1, max_norm: 1, sparse: true })).toEqual([
      'architecture.max_norm: only None is supported, got 1',
      'architecture.sparse: only False is supported, got true',
    ]);
    expect(faults('MaxPool2d', { kernel_size: 2, return_indices: true })).toEqual([
      'architecture.return_indices: only False is supported, got true',
    ]);
  });

  it.each<[LayerType, object, string]>([
    [
      'Conv2d',
      { in_channels: 3, out_channels: 4, kernel_size: 1, groups: 2 },
      'in_channels must be divisible by groups',
    ],
    [
      'Conv2d',
      { in_channels: 4, out_channels: 3, kernel_size: 1, groups: 2 },
      'out_channels must be divisible by groups',
    ],
    [
      'Conv1d',
      { in_channels: 1, out_channels: 1, kernel_size: 3, stride: 2, padding: 'same' },
      "padding='same' is not supported for strided convolutions",
    ],
    ['Dropout', { p: 1.5 }, 'dropout probability has to be between 0 and 1, but got 1.5'],
    ['Hardtanh', { min_val: 1 }, 'max_val (1.0) must be greater than min_val (1)'],
    [
      'Embedding',
      { num_embeddings: 3, embedding_dim: 1, padding_idx: 3 },
      'Padding_idx must be within num_embeddings',
    ],
    [
      'Embedding',
      { num_embeddings: 3, embedding_dim: 1, padding_idx: -4 },
      'Padding_idx must be within num_embeddings',
    ],
    ['BatchNorm1d', { num_features: 1, eps: -1 }, 'batch_norm eps must be non-negative, but got -1'],
  ])("%s with %j is refused in PyTorch's words", (type, given, message) => {
    expect(check(type, given).faults).toEqual([{ path: 'architecture', message }]);
  });

  it.each<[LayerType, object, string]>([
    ['Conv2d', { kernel_size: [1, 2, 3] }, 'an integer from 1 to 2147483647 or a list of 2 of them'],
    ['Conv2d', { kernel_size: [1, 0] }, 'an integer from 1 to 2147483647 or a list of 2 of them'],
    [
      'Conv2d',
      { padding: 'full' },
      "an integer from 0 to 2147483647 or a list of 2 of them or 'same' or 'valid'",
    ],
    ['MaxPool2d', { kernel_size: [] }, 'an integer from 1 to 2147483647 or a list of 1 to 2 of them'],
    [
      'LayerNorm',
      { normalized_shape: [2.5] },
      'an integer from 1 to 2147483647 or a list of 1 to 64 of them',
    ],
    ['ELU', { alpha: 'one' }, 'a number'],
    ['ELU', { alpha: true }, 'a number'],
    ['BatchNorm1d', { momentum: [] }, 'a number or null'],
    ['Softmax', { dim: 1.5 }, 'an integer of at most 2147483647 or null'],
    ['GELU', { approximate: 'sigmoid' }, "'none' or 'tanh'"],
  ])('%s with %j: must be %s', (type, given, wanted) => {
    const [name] = Object.keys(given);
    const found = check(type, given).faults.find(({ path }) => path === `architecture.${name}`);
    expect(found?.message).toContain(`must be ${wanted}, got `);
  });

  it('keeps an int where a float is meant as an int, and reads the texts of floats', () => {
    const alpha = (value: unknown) => pythonRepr(check('ELU', { alpha: value }).options.alpha!);
    expect([1, 1.5, '1.0', '-0.0', 'inf', '-Infinity', 'NaN', '1e+16', '1e-05', new PythonFloat(2)].map(alpha)).toEqual([
      '1', '1.5', '1.0', '-0.0', 'inf', '-inf', 'nan', '1e+16', '1e-05', '2.0',
    ]); // prettier-ignore
  });

  it('answers a hostile value in a short message', () => {
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    for (const value of ['x'.repeat(1e6), deep, Array.from({ length: 1e5 }, () => 1), { a: deep }]) {
      const [fault] = check('Linear', { in_features: value, out_features: 1 }).faults;
      expect(fault!.message.length).toBeLessThan(200);
    }
    const odd = check('Linear', { ['y'.repeat(1e6)]: 1, in_features: 1, out_features: 1 }).faults[0];
    expect(odd!.message.length).toBeLessThan(200);
  });
});

it('optionsAsJson writes floats as numbers, and those that JSON lacks as texts', () => {
  const { options } = check('Hardtanh', { min_val: '-inf', max_val: '6.0' });
  expect(optionsAsJson(options)).toMatchObject({ min_val: '-Infinity', max_val: 6, inplace: false });
});
