import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DType } from '#src/tensor/dtype.js';
import {
  answerPieces,
  decodeTensor,
  inspectTensor,
  stringifyAnswer,
  TensorError,
  writeTensor,
} from '#src/tensor/json.js';
import { numel } from '#src/tensor/shape.js';
import { TensorValue, type TensorData } from '#src/tensor/tensor-value.js';

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const float32 = fc.oneof(
  fc.float(),
  fc.integer({ min: -100, max: 100 }).map(Math.fround),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity),
);
const int64 = fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

const list = <T>(element: fc.Arbitrary<T>, length: number) =>
  fc.array(element, { minLength: length, maxLength: length });
const MAKERS: Record<DType, (length: number) => fc.Arbitrary<TensorData>> = {
  float32: (length) => list(float32, length).map((values) => Float32Array.from(values)),
  int64: (length) => list(int64, length).map((values) => BigInt64Array.from(values)),
  int32: (length) => list(int32, length).map((values) => Int32Array.from(values)),
  bool: (length) => list(fc.constantFrom(0, 1), length).map((values) => Uint8Array.from(values)),
};
const tensors = fc
  .tuple(fc.constantFrom<DType>('float32', 'int64', 'int32', 'bool'), shapes)
  .chain(([dtype, shape]) => MAKERS[dtype](numel(shape)).map((data) => new TensorValue(dtype, shape, data)));

const floats = (shape: number[], values: number[]) =>
  new TensorValue('float32', shape, Float32Array.from(values));

function faultsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof TensorError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}
const inspectFaults = (value: unknown) => faultsOf(() => inspectTensor(value, 'inputs'));
const writeFaults = (value: unknown, target: TensorData) =>
  faultsOf(() => writeTensor(value, target, 'inputs'));

describe('an answer', () => {
  it('says what JSON.stringify says, where there are no tensors', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect(stringifyAnswer(body)).toBe(JSON.stringify(body));
      }),
      { numRuns: 200 },
    );
    const odd = {
      gone: undefined,
      list: [undefined, () => 1, Symbol('s'), NaN, -0, 1e21],
      date: new Date(0),
      text: 'a "quoted" \\ \n \u0007 \ud800 é 𝄞',
      'odd "key"': new Number(3),
      nested: { toJSON: (key: string) => `under ${key}` },
      toJSON: undefined,
    };
    expect(stringifyAnswer(odd)).toBe(JSON.stringify(odd));
    expect(() => stringifyAnswer({ big: 1n })).toThrow(TypeError);
  });

  it('has tensors anywhere in it, flat or nested, and maps as objects', () => {
    const body = {
      a: [floats([2, 2], [1, 0.1, -0, 1e-7])],
      m: new Map([['__proto__', floats([], [NaN])]]),
      z: undefined,
    };
    expect(stringifyAnswer(body)).toBe(
      '{"a":[{"dtype":"float32","shape":[2,2],"data":[1,0.1,-0,1e-7]}],' +
        '"m":{"__proto__":{"dtype":"float32","shape":[],"data":["NaN"]}}}',
    );
    expect(stringifyAnswer(body, { layout: 'nested' })).toBe(
      '{"a":[{"dtype":"float32","shape":[2,2],"data":[[1,0.1],[-0,1e-7]]}],' +
        '"m":{"__proto__":{"dtype":"float32","shape":[],"data":"NaN"}}}',
    );
  });

  it('writes int64 as integers beyond 2^53 too, and bools as true and false', () => {
    const big = new TensorValue('int64', [2], BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)));
    expect(stringifyAnswer(big)).toContain('[9223372036854775807,-9223372036854775808]');
    expect(stringifyAnswer(new TensorValue('bool', [2], Uint8Array.of(0, 1)))).toContain('[false,true]');
  });

  it('nests dimensions of no elements', () => {
    const nested = (shape: number[]) => stringifyAnswer(floats(shape, []), { layout: 'nested' });
    expect(nested([2, 0])).toContain('"data":[[],[]]');
    expect(nested([0, 4])).toContain('"data":[]');
  });

  it('is whole where it is longer than any block of bytes', () => {
    const values = Float32Array.from({ length: 100_003 }, (_, i) =>
      Math.fround(Math.sin(i) * 10 ** ((i % 30) - 15)),
    );
    const { data } = JSON.parse(stringifyAnswer(new TensorValue('float32', [values.length], values))) as {
      data: number[];
    };
    expect(Float32Array.from(data)).toEqual(values);
  });
});

describe('an answer in pieces', () => {
  const body = {
    'a\0b': [floats([3], [1, 2, 3]), floats([2], [4, 5])],
    c: { d: floats([2, 2], [6, 7, 8, 9]), e: null },
  };

  it('has the large tensors between its texts, which with their numbers are the answer', () => {
    const pieces = answerPieces(body, { least: 3, layout: 'nested' });
    expect(pieces.filter((piece) => typeof piece !== 'string')).toEqual([body['a\0b'][0], body.c.d]);
    const numbers = ['[1,2,3]', '[[6,7],[8,9]]'];
    const text = pieces.map((piece) => (typeof piece === 'string' ? piece : numbers.shift())).join('');
    expect(text).toBe(stringifyAnswer(body, { layout: 'nested' }));
  });

  it('is one text where there are none', () => {
    expect(answerPieces(body, { least: 5 })).toEqual([stringifyAnswer(body)]);
  });
});

describe('a tensor in a request', () => {
  it('decoded from its own answer is the same bit for bit, in any layout and dtype', () => {
    fc.assert(
      fc.property(tensors, fc.constantFrom('flat' as const, 'nested' as const), (tensor, layout) => {
        const decoded = decodeTensor(JSON.parse(stringifyAnswer(tensor, { layout })), { path: 'x' });
        expect(decoded).toEqual(tensor);
        const bytes = ({ data }: TensorValue) =>
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        if (!Array.from<number | bigint>(tensor.data).some(Number.isNaN))
          expect(bytes(decoded)).toEqual(bytes(tensor));
      }),
      { numRuns: 300 },
    );
  });

  it('may be a number, nested lists, or an object with flat or nested data', () => {
    const read = (value: unknown) => decodeTensor(value, { path: 'x' });
    expect(read(5)).toEqual(floats([], [5]));
    expect(read([[1, 2], [3, 4]])).toEqual(floats([2, 2], [1, 2, 3, 4])); // prettier-ignore
    expect(read({ shape: [2, 2], data: [1, 2, 3, 4] })).toEqual(floats([2, 2], [1, 2, 3, 4]));
    expect(read({ shape: [2, 2], data: [[1, 2], [3, 4]] })).toEqual(floats([2, 2], [1, 2, 3, 4])); // prettier-ignore
    expect(read({ shape: [], data: 5 })).toEqual(read({ shape: [], data: [5] }));
    expect(read({ shape: [0, 4], data: [] })).toEqual(floats([0, 4], []));
    expect(read({ shape: [2, 0, 3], data: [[], []] })).toEqual(floats([2, 0, 3], []));
    expect(read(['NaN', '-Infinity', 1e39, -0])).toEqual(floats([4], [NaN, -Infinity, Infinity, -0]));
    expect(read({ dtype: 'int64', shape: [1], data: [7] }).data).toEqual(BigInt64Array.of(7n));
  });

  it('tells its shape, its dtype if it says so, and whether its numbers are whole', () => {
    expect(inspectTensor([[1, 2, 3]], 'x')).toEqual({ shape: [1, 3], dtype: undefined, integral: true });
    expect(inspectTensor([0.5], 'x').integral).toBe(false);
    expect(inspectTensor(['NaN'], 'x').integral).toBe(false);
    expect(inspectTensor({ dtype: 'bool', shape: [], data: true }, 'x').dtype).toBe('bool');
  });

  it('can be written into shared memory', () => {
    const target = new Float32Array(new SharedArrayBuffer(16), 4, 3);
    writeTensor([1, 2, 3], target, 'x');
    expect([...target]).toEqual([1, 2, 3]);
  });

  it('with ragged lists or other things than numbers has every such place named, before memory is taken', () => {
    expect(inspectFaults([[1, 2], [3], 4, [5, [6]], [7, null], [8, '9']])).toEqual([
      'inputs[1]: expected sequence of length 2 at dim 1 (got 1)',
      'inputs[2]: expected sequence of length 2 at dim 1 (got 4)',
      'inputs[3][1]: must be a number, not a list',
      'inputs[4][1]: must be a number, not null',
      'inputs[5][1]: must be a number, not "9"',
    ]);
    expect(inspectFaults(JSON.parse('[1, 1e400]'))).toEqual([
      'inputs[1]: is too large for a number; "Infinity" is written as a string',
    ]);
    expect(inspectFaults([1, [2]])).toEqual(['inputs[1]: must be a number, not a list']);
    expect(inspectFaults(null)).toEqual(['inputs: must be a number, not null']);
    expect(inspectFaults('many')).toEqual(['inputs: must be a number, not "many"']);
  });

  it('with a shape that cannot be, or whose numbers are not there, is refused whatever size it claims', () => {
    const faults = (shape: unknown, data: unknown = [1]) => inspectFaults({ shape, data });
    expect(faults([65536, 65536])).toEqual([
      "inputs.data: shape '[65536, 65536]' is invalid for input of size 1",
    ]);
    expect(faults([0])).toEqual(['inputs.data: expected sequence of length 0 at dim 0 (got 1)']);
    expect(faults([2 ** 31])).toEqual([
      'inputs.data: expected sequence of length 2147483648 at dim 0 (got 1)',
    ]);
    expect(faults([-1, 1.5, 2 ** 53, '2'])).toEqual([
      'inputs.shape[0]: must be a nonnegative whole number, not -1',
      'inputs.shape[1]: must be a nonnegative whole number, not 1.5',
      'inputs.shape[2]: must be a nonnegative whole number, not 9007199254740992',
      'inputs.shape[3]: must be a nonnegative whole number, not "2"',
    ]);
    expect(faults([2 ** 40, 2 ** 40])).toEqual([
      'inputs.shape: [1099511627776, 1099511627776] has too many elements',
    ]);
    expect(faults([2 ** 52, 2 ** 52, 0])[0]).toMatch(/^inputs\.shape: .* has too many elements$/);
    expect(faults(Array(65).fill(1))).toEqual(['inputs.shape: has 65 dimensions; 64 is the most']);
    expect(faults([2, 2], [[1, 2], [3]])).toEqual([
      'inputs.data[1]: expected sequence of length 2 at dim 1 (got 1)',
    ]);
    expect(faults(2)).toEqual(['inputs.shape: must be a list of whole numbers, not 2']);
  });

  it('nested a hundred thousand lists deep is refused, not followed', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(inspectFaults(deep)).toEqual(['inputs: is nested more than 64 lists deep']);
    expect(inspectFaults({ shape: [1], data: deep })).toEqual([
      'inputs.data[0]: must be a number, not a list',
    ]);
  });

  it('with unknown fields or dtypes hears of the nearest known ones', () => {
    expect(inspectFaults({ dtype: 'flaot32', shpae: [1], data: [1] })).toEqual([
      'inputs.shpae: is no field of a tensor; did you mean shape?',
      'inputs.dtype: must be one of float32, int64, int32, bool, not "flaot32"; did you mean float32?',
      'inputs.shape: is required',
    ]);
    expect(inspectFaults({ dtype: 'constructor', shape: [1], data: [1] })).toHaveLength(1);
    expect(inspectFaults(JSON.parse('{"__proto__": 1, "shape": [1], "data": [1]}'))).toHaveLength(1);
  });

  it('has at most 20 faults told, and the number of the others', () => {
    const faults = inspectFaults(Array(100_000).fill(null));
    expect(faults).toHaveLength(21);
    expect(faults[20]).toBe('inputs: and 99980 more');
  });

  it('for int64 has whole numbers up to 2^53, and for int32 as many as fit', () => {
    expect(writeFaults([1.5, 2 ** 53, 'NaN', true, 7], new BigInt64Array(5))).toEqual([
      'inputs[0]: 1.5 is not an integer: expected dtype int64 but found float32',
      'inputs[1]: 9007199254740992 is beyond 2^53: as JSON it is not exact',
      'inputs[2]: value cannot be converted to type int64 without overflow',
      'inputs[3]: must be a number: true and false are of dtype bool, not int64',
    ]);
    expect(writeFaults([2 ** 31], new Int32Array(1))).toEqual([
      'inputs[0]: value cannot be converted to type int32 without overflow',
    ]);
  });

  it('for bool has true and false, which no other dtype takes', () => {
    expect(writeFaults([true, false, 1, 0], new Uint8Array(4))).toEqual([]);
    expect(writeFaults([2], new Uint8Array(1))).toEqual(['inputs[0]: must be true or false, not 2']);
    expect(writeFaults([true], new Float32Array(1))).toEqual([
      'inputs[0]: must be a number: true and false are of dtype bool, not float32',
    ]);
  });

  it('never writes past its target', () => {
    expect(writeFaults([1, 2, 3], new Float32Array(2))).toEqual([
      'inputs: has 3 elements where 2 are wanted',
    ]);
  });
});
