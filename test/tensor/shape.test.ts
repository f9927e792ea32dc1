import { describe, expect, it } from 'vitest';
import { TensorError } from '#src/tensor/json.js';
import { byteLength, checkShape, contiguousStrides, numel } from '#src/tensor/shape.js';

describe('a shape', () => {
  it('is a list of nonnegative whole numbers, none or many', () => {
    expect(checkShape([])).toEqual([]);
    expect(checkShape([2, 0, 65536])).toEqual([2, 0, 65536]);
    expect(Object.is(checkShape([-0])[0], 0)).toBe(true);
  });

  it.each([
    null,
    3,
    '2,3',
    {},
    [-1],
    [1.5],
    [2 ** 53],
    ['2'],
    [NaN],
    [2 ** 40, 2 ** 40],
    [2 ** 40, 0],
    Array(65).fill(1),
    new Array(2),
  ])('is not %j', (value) => {
    expect(() => checkShape(value)).toThrow(TensorError);
  });

  it('has its size counted without overflow', () => {
    expect(numel([])).toBe(1);
    expect(numel([65536, 65536])).toBe(2 ** 32);
    expect(() => numel([2 ** 27, 2 ** 27])).toThrow(RangeError);
    expect(() => byteLength([2 ** 51], 'float32')).toThrow(RangeError);
  });

  it('strides from the last dimension outwards', () => {
    expect(contiguousStrides([2, 3, 4])).toEqual([12, 4, 1]);
  });
});
