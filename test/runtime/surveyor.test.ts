import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK, Surveyor } from '#src/runtime/surveyor.js';
import { compileKernels } from '#src/runtime/webassembly.js';
import { edgesOf } from '#src/tensor/bins.js';
import type { TensorData } from '#src/tensor/tensor-value.js';
import { parseIndex, resolveIndex } from '#src/tensor/index-grammar.js';
import { gather, wholeView } from '#src/tensor/view.js';
import { AWKWARD, noise } from '../kernels/instance.js';
import { histogram, moments } from '../oracles/statistics.js';

const surveyor = new Surveyor(compileKernels());
const SIZES = [...AWKWARD, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5];

function whole(data: TensorData) {
  return { view: wholeView([data.length]), from: 0, to: data.length };
}

/** Equal, but for what the order of a sum may change. */
function expectMoments(found: Record<string, number>, values: readonly number[]): void {
  const { sum, squares, deviations, ...exact } = found;
  const expected = moments(values);
  expect(exact).toEqual({
    count: expected.count,
    min: expected.min,
    max: expected.max,
    least: expected.least,
    most: expected.most,
    nan: expected.nan,
    infinity: expected.infinity,
    zeros: expected.zeros,
  });
  const size = expected.squares + Math.abs(expected.sum) + 1;
  for (const [name, value] of Object.entries({ sum, squares, deviations })) {
    const wanted = values.length === 0 ? 0 : expected[name as 'sum'];
    if (Number.isFinite(wanted)) expect(Math.abs(value! - wanted) / size, name).toBeLessThan(1e-13);
    else expect(value, name).toBe(wanted);
  }
}

const special = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1e-45, 3.4028234663852886e38);
const number = fc.oneof(
  { arbitrary: fc.float({ noNaN: true }), weight: 5 },
  { arbitrary: special, weight: 1 },
);

describe('moments', () => {
  it.each(SIZES)('of %i float32 numbers are those of the oracle', (n) => {
    const data = noise(n, n + 1);
    expectMoments({ ...surveyor.moments(data, whole(data)) }, [...data]);
  });

  it.each([
    [[0, -0]],
    [[-0, 0, 1]],
    [[1, 0, -0, NaN, 2, -0, 0]],
    [[Infinity, 0, -0]],
    [[NaN, -0, 0, -1, 0, 0, 0, -0]],
  ])('of %j: -0 is less than 0', (values) => {
    const data = Float32Array.from(values);
    expectMoments({ ...surveyor.moments(data, whole(data)) }, values);
  });

  it('of any numbers, NaN, infinities and zeros of both signs among them, are those of the oracle', () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 40 }), (values) => {
        const data = Float32Array.from(values);
        expectMoments({ ...surveyor.moments(data, whole(data)) }, [...data]);
      }),
    );
  });

  it.each(SIZES)('of %i integers of each type are those of the oracle', (n) => {
    const values = [...noise(n)].map((x) => Math.trunc(x * 100));
    const small = values.map((x) => Math.abs(x) % 2);
    for (const [data, expected] of [
      [BigInt64Array.from(values, BigInt), values],
      [Int32Array.from(values), values],
      [Uint8Array.from(small), small],
    ] as const) {
      expectMoments({ ...surveyor.moments(data, whole(data)) }, [...expected]);
    }
  });

  it('of a slice are, to the bit, those of its copy: what stands between does not count', () => {
    const data = noise(60 * 70 * 3);
    for (const index of [':,::2', '1:59,5,:', '::7,3:,1', '...,2', '0', ':,:,0:1']) {
      const view = resolveIndex(parseIndex(index), [60, 70, 3]);
      const copy = gather({ dtype: 'float32', data }, view).data;
      const stretch = { view, from: 0, to: copy.length };
      expect(surveyor.moments(data, stretch), index).toEqual(surveyor.moments(copy, whole(copy)));
    }
  });

  it('lose nothing where the mean is large and the deviations small, over any number of blocks', () => {
    const data = Float32Array.from({ length: 5 * BLOCK + 3 }, (_, i) => 1e6 + (i % 2));
    const { deviations, count } = surveyor.moments(data, whole(data));
    expect(deviations / count).toBeCloseTo(0.25, 6);
  });
});

describe('a histogram', () => {
  it.each(SIZES)('of %i numbers has each in the bin that the oracle puts it in', (n) => {
    const data = noise(n, 3);
    const range = moments([...data]);
    for (const bins of [1, 2, 10, 32, 1024]) {
      const edges = edgesOf(bins, range, 'float32');
      const counts = surveyor.histogram(data, whole(data), { edges, even: true });
      expect(counts).toEqual(histogram([...data], edges));
    }
  });

  it('of even bins, however many and however near the numbers, counts each finite number once, by its edges', () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 40 }), fc.integer({ min: 1, max: 1024 }), (values, bins) => {
        const data = Float32Array.from(values);
        const edges = edgesOf(bins, moments([...data]), 'float32');
        const counts = surveyor.histogram(data, whole(data), { edges, even: true });
        const finite = [...data].filter(Number.isFinite);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(finite.length);
        expect(counts).toEqual(histogram(finite, edges));
      }),
    );
  });

  it('of given edges leaves out what is beyond them', () => {
    fc.assert(
      fc.property(
        fc.array(number, { maxLength: 40 }),
        fc.uniqueArray(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 2, maxLength: 12 }),
        (values, given) => {
          const data = Float32Array.from(values);
          const edges = edgesOf(
            [...given].sort((a, b) => a - b),
            moments([...data]),
            'float32',
          );
          const counts = surveyor.histogram(data, whole(data), { edges, even: false });
          expect(counts).toEqual(histogram([...data], edges));
        },
      ),
    );
  });

  it('of integers of each type is that of the same numbers', () => {
    const values = [...noise(300)].map((x) => Math.trunc(x * 9));
    const edges = edgesOf(7, moments(values), 'int64');
    for (const data of [BigInt64Array.from(values, BigInt), Int32Array.from(values)]) {
      expect(surveyor.histogram(data, whole(data), { edges, even: true })).toEqual(histogram(values, edges));
    }
    const flags = Uint8Array.of(0, 1, 1, 0, 1);
    expect(surveyor.histogram(flags, whole(flags), { edges: [0, 0.5, 1], even: true })).toEqual([2, 3]);
  });
});
