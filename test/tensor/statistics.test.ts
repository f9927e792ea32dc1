import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { statistics } from '#src/tensor/statistics.js';

describe('statistics', () => {
  it('of four numbers are those that torch gives', () => {
    // torch.tensor([0.1, -2.0, 0.0, 5.5]): .mean() 0.9000, .std() 3.2156, .norm() 5.8532
    expect(statistics(Float32Array.of(0.1, -2, 0, 5.5))).toEqual({
      numel: 4, min: -2, max: 5.5, mean: 0.9, std: 3.2155871, norm: 5.8532043, nan: 0, inf: 0, zeros: 1,
    }); // prettier-ignore
  });

  it('are float32 numbers in their shortest form', () => {
    expect(statistics(Float32Array.of(0.1))).toMatchObject({
      min: 0.1,
      max: 0.1,
      mean: 0.1,
      std: null,
      norm: 0.1,
    });
  });

  it('show a NaN in everything but the counts, and infinities as strings', () => {
    expect(statistics(Float32Array.of(1, NaN, Infinity, 0, -0))).toEqual({
      numel: 5, min: 'NaN', max: 'NaN', mean: 'NaN', std: 'NaN', norm: 'NaN', nan: 1, inf: 1, zeros: 2,
    }); // prettier-ignore
    expect(statistics(Float32Array.of(-Infinity, 1))).toMatchObject({
      min: '-Infinity',
      max: 1,
      mean: '-Infinity',
    });
  });

  it('of nothing are null', () => {
    expect(statistics(new Float32Array())).toMatchObject({
      numel: 0,
      min: null,
      max: null,
      mean: null,
      std: null,
      norm: 0,
    });
  });

  it('lose nothing where the mean is large and the deviations small', () => {
    const data = Float32Array.from({ length: 1000 }, (_, i) => 1e6 + (i % 2));
    expect(statistics(data).std).toBeCloseTo(0.50025, 5);
  });

  it('of integers are those of the same floats', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 20 }), (values) => {
        const expected = statistics(Float32Array.from(values));
        expect(statistics(BigInt64Array.from(values, BigInt))).toEqual(expected);
        expect(statistics(Int32Array.from(values))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});
