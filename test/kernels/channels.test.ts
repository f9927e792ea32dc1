import { describe, expect, it } from 'vitest';
import { Arena, AWKWARD, bits, excess, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

type Sizes = readonly [n: number, c: number, inner: number];

/** Each channel's elements of x[n, c, inner], in float64. */
function channels(x: Float32Array, [n, c, inner]: Sizes): number[][] {
  return Array.from({ length: c }, (_, channel) =>
    Array.from(
      { length: n * inner },
      (_, i) => x[(Math.floor(i / inner) * c + channel) * inner + (i % inner)]!,
    ),
  );
}

const add = (a: number, b: number): number => a + b;
const meanOf = (row: number[]): number => row.reduce(add, 0) / row.length;
const varianceOf = (row: number[]): number => {
  const mean = meanOf(row);
  return row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
};

const SIZES: Sizes[] = [
  ...AWKWARD.flatMap((size): Sizes[] => [[3, size, 1], [2, size, 5]]),
  ...AWKWARD.filter((size) => size > 0).flatMap((size): Sizes[] => [[size, 5, 1], [2, 3, size]]),
]; // prettier-ignore

describe.each(SIZES)('of [%i, %i, %i]', (...sizes) => {
  const [n, c, inner] = sizes;
  const x = noise(n * c * inner, 7).map((value) => value + 50);
  const g = noise(n * c * inner, 8);
  const mean = Float32Array.from(channels(x, sizes), meanOf);
  const variance = Float32Array.from(channels(x, sizes), varianceOf);

  /** What a kernel writes for all channels at once, and for two ranges of them. */
  function run(f: (y: number, first: number, count: number) => void): Float32Array {
    const whole = arena.space(c);
    f(whole, 0, c);
    const halves = arena.space(c);
    const cut = inner === 1 ? Math.min(16, c) : Math.floor(c / 2);
    if (cut > 0) f(halves, 0, cut);
    if (c > cut) f(halves + 4 * cut, cut, c - cut);
    expect(bits(arena.read(halves, c))).toEqual(bits(arena.read(whole, c)));
    expect(arena.intact()).toBe(true);
    return arena.read(whole, c);
  }

  it('sums and variances are within 1e-6 of their formulas around 50, in whatever ranges they are computed', () => {
    arena.clear();
    const [at, atMean] = [arena.place(x), arena.place(mean)];
    const sums = run((y, first, count) =>
      kernels.channel_sum(at + 4 * first * inner, y, n, c, inner, count, n * inner),
    );
    expect(excess(sums, channels(x, sizes).map(meanOf), 1e-6, 1e-6)).toBeLessThan(1);
    const variances = run((y, first, count) =>
      kernels.channel_variance(at + 4 * first * inner, atMean + 4 * first, y, n, c, inner, count),
    );
    expect(excess(variances, channels(x, sizes).map(varianceOf), 1e-6, 1e-6)).toBeLessThan(1);
  });

  it('dots are within 1e-5 of their formulas', () => {
    arena.clear();
    const [atX, atG] = [arena.place(x), arena.place(g)];
    const [atMean, atVariance] = [arena.place(mean), arena.place(variance)];
    const eps = 1e-3;
    const dots = run((y, first, count) => {
      const wide = 4 * first * inner;
      const narrow = 4 * first;
      // prettier-ignore
      kernels.channel_dot(atG + wide, atX + wide, atMean + narrow, atVariance + narrow, y, n, c, inner, count, eps);
    });
    const gs = channels(g, sizes);
    const expected = channels(x, sizes).map((row, i) =>
      row.map((value, j) => (gs[i]![j]! * (value - mean[i]!)) / Math.sqrt(variance[i]! + eps)).reduce(add, 0),
    );
    expect(excess(dots, expected, 1e-5, 1e-5)).toBeLessThan(1);
    const plain = run((y, first, count) => {
      const wide = 4 * first * inner;
      kernels.channel_dot(atG + wide, atX + wide, 0, 0, y, n, c, inner, count, 0);
    });
    const products = channels(x, sizes).map((row, i) =>
      row.map((value, j) => gs[i]![j]! * value).reduce(add, 0),
    );
    expect(excess(plain, products, 1e-5, 1e-5)).toBeLessThan(1);
  });
});
