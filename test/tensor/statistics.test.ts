import { describe, expect, it } from 'vitest';
import { edgesOf } from '#src/tensor/bins.js';
import { joined, NO_MOMENTS, numberOf, statisticsOf, type Moments } from '#src/tensor/statistics.js';
import type { DType } from '#src/tensor/dtype.js';
import { moments } from '../oracles/statistics.js';

function statistics(values: readonly number[], dtype: DType = 'float32') {
  const exact = dtype === 'float32' ? values.map(Math.fround) : values;
  const all: Moments = values.length === 0 ? NO_MOMENTS : moments(exact);
  return statisticsOf(all, { shape: [values.length], dtype });
}

describe('statistics', () => {
  it('of four numbers are those that torch gives', () => {
    // torch.tensor([0.1, -2.0, 0.0, 5.5]): .mean() 0.9000, .std() 3.2156, .norm() 5.8532
    expect(statistics([0.1, -2, 0, 5.5])).toEqual({
      shape: [4], numel: 4, min: -2, max: 5.5, mean: 0.9, std: 3.2155871, norm: 5.8532043,
      nan: 0, infinity: 0, zeros: 1,
    }); // prettier-ignore
  });

  it('are float32 numbers in their shortest form', () => {
    expect(statistics([0.1])).toMatchObject({ min: 0.1, max: 0.1, mean: 0.1, std: null, norm: 0.1 });
  });

  it('show a NaN in everything but the counts, and infinities as strings', () => {
    expect(statistics([1, NaN, Infinity, 0, -0])).toEqual({
      shape: [5], numel: 5, min: 'NaN', max: 'NaN', mean: 'NaN', std: 'NaN', norm: 'NaN',
      nan: 1, infinity: 1, zeros: 2,
    }); // prettier-ignore
    const infinite = { min: '-Infinity', max: 1, mean: '-Infinity', std: 'NaN', norm: 'Infinity' };
    expect(statistics([-Infinity, 1])).toMatchObject(infinite);
  });

  it('of nothing are null', () => {
    expect(statistics([])).toMatchObject({ numel: 0, min: null, max: null, mean: null, std: null, norm: 0 });
  });

  it('of integers have exact extremes, beyond what float32 tells', () => {
    expect(statistics([2 ** 24 + 1, 3], 'int64')).toMatchObject({ min: 3, max: 16_777_217, mean: 8_388_610 });
  });

  it('are numbers for a condition: NaN where there is none', () => {
    expect([null, 'NaN', 'Infinity', '-Infinity', 0.5].map((value) => numberOf(value as number))).toEqual(
      [NaN, NaN, Infinity, -Infinity, 0.5], // prettier-ignore
    );
  });
});

describe('moments of two halves', () => {
  it('are those of the whole', () => {
    const values = [3, -1, 4, 1, -5, 9, 2, 0];
    for (let cut = 0; cut <= values.length; cut++) {
      const [a, b] = [values.slice(0, cut), values.slice(cut)].map((half) =>
        half.length === 0 ? NO_MOMENTS : moments(half),
      );
      const { deviations, ...others } = joined(a!, b!);
      const { deviations: expected, ...wanted } = moments(values);
      expect(others).toEqual(wanted);
      expect(deviations).toBeCloseTo(expected, 10);
    }
  });
});

describe('edges', () => {
  it('go from the least to the largest finite number, as those of torch.histc', () => {
    expect(edgesOf(4, { least: -1, most: 3 }, 'float32')).toEqual([-1, 0, 1, 2, 3]);
    expect(edgesOf(3, { least: 0.1, most: 0.7 }, 'float32')).toEqual([0.1, 0.3, 0.5, 0.7].map(Math.fround));
  });

  it('go one to either side where all numbers are the same, or there are none, and further where one is nothing', () => {
    expect(edgesOf(2, { least: 5, most: 5 }, 'float32')).toEqual([4, 5, 6]);
    expect(edgesOf(2, { least: Infinity, most: -Infinity }, 'float32')).toEqual([-1, 0, 1]);
    const [first, , last] = edgesOf(2, { least: 1e30, most: 1e30 }, 'float32');
    expect(first).toBeLessThan(1e30);
    expect(last).toBeGreaterThan(1e30);
  });

  it('ascend, though the range is longer than float32 can tell', () => {
    const most = 3.4028234663852886e38;
    const edges = edgesOf(1024, { least: -most, most }, 'float32');
    expect(edges.every((edge, i) => i === 0 || edge > edges[i - 1]!)).toBe(true);
    expect(edges.every(Number.isFinite)).toBe(true);
  });
});
