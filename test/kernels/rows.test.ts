import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchNorm, layerNorm, logSoftmax, softmax } from '../oracles/rows.js';
import { Arena, AWKWARD, bits, excess, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

type Shape = readonly [outer: number, d: number, inner: number];

function runSoftmax(name: 'softmax' | 'log_softmax', x: Float32Array, shape: Shape): Float32Array {
  arena.clear();
  const [from, to] = [arena.place(x), arena.space(x.length)];
  kernels[name](from, to, ...shape);
  expect(arena.intact()).toBe(true);
  return arena.read(to, x.length);
}

/** A function of rows, over the middle dimension of x[outer, d, inner]. */
function overMiddle(x: Float32Array, [outer, d, inner]: Shape, f: (row: number[]) => number[]): number[] {
  const y: number[] = Array.from<number>({ length: x.length });
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (j: number): number => (o * d + j) * inner + i;
      const row = Array.from({ length: d }, (_, j) => x[at(j)]!);
      f(row).forEach((value, j) => (y[at(j)] = value));
    }
  }
  return y;
}

const SOFTMAXES = [
  ['softmax', softmax],
  ['log_softmax', logSoftmax],
] as const;

describe.each(SOFTMAXES)('%s', (name, oracle) => {
  it.each(AWKWARD)('is within 1e-5 relative, 1e-6 absolute of its formula over %i elements', (d) => {
    for (const [outer, inner] of [
      [1, 1],
      [3, 1],
      [2, 3],
      [2, 17],
      [0, 1],
      [1, 0],
    ] as const) {
      for (const scale of [1, 30]) {
        const x = noise(outer * d * inner, d + 1).map((value) => value * scale);
        const shape = [outer, d, inner] as const;
        expect(excess(runSoftmax(name, x, shape), overMiddle(x, shape, oracle)), String(shape)).toBeLessThan(
          1,
        );
      }
    }
  });

  it('gives a row the same bits alone, in a batch of 64 and at every place in it', () => {
    const d = 37;
    const x = noise(64 * d, 3);
    for (const inner of [1, 37]) {
      const size = inner === 1 ? d : d * inner;
      const rows = x.length / d;
      const shape = inner === 1 ? ([rows, d, 1] as const) : ([1, 64, d] as const);
      const batch = bits(runSoftmax(name, x, shape));
      if (inner === 1) {
        for (const i of [0, 1, 33, 63]) {
          const alone = runSoftmax(name, x.slice(i * size, (i + 1) * size), [1, d, 1]);
          expect(bits(alone)).toEqual(batch.slice(i * size, (i + 1) * size));
        }
      } else {
        // A column: first of a narrower array, where it stands in a tail.
        const column = (values: ArrayLike<number>, i: number, width: number): number[] =>
          Array.from({ length: 64 }, (_, j) => values[j * width + i]!);
        const two = Float32Array.from({ length: 128 }, (_, i) => x[(i >> 1) * d + 35 + (i & 1)]!);
        const alone = bits(runSoftmax(name, two, [1, 64, 2]));
        expect(column(alone, 0, 2)).toEqual(column(batch, 35, d));
        expect(column(alone, 1, 2)).toEqual(column(batch, 36, d));
      }
    }
  });

  it('answers NaN for a row with NaN, with +infinity, or of -infinities alone, and for no other', () => {
    const d = 5;
    const rows = [NaN, Infinity, 0, -Infinity].map((special) =>
      Array.from({ length: d }, (_, j) => (j === 3 ? special : j)),
    );
    const x = Float32Array.from([...rows.flat(), ...Array.from({ length: d }, () => -Infinity)]);
    const y = runSoftmax(name, x, [5, d, 1]);
    const isNaNRow = [0, 1, 2, 3, 4].map((i) => [...y.slice(i * d, (i + 1) * d)].some(Number.isNaN));
    expect(isNaNRow).toEqual([true, true, false, false, true]);
    expect(y[3 * d + 3]).toBe(name === 'softmax' ? 0 : -Infinity);
    expect(runSoftmax(name, x.slice(0, d), [1, d, 1]).every(Number.isNaN)).toBe(true);
  });
});

describe('softmax', () => {
  it('has rows that sum to 1 within 1e-6, for any finite numbers', () => {
    const rows = fc.float32Array({ minLength: 1, maxLength: 70, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(rows, (x) => {
        const y = runSoftmax('softmax', x, [1, x.length, 1]);
        expect(Math.abs(y.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-6);
      }),
      { numRuns: 100 },
    );
  });
});

describe('layer_norm', () => {
  interface Given {
    x: Float32Array;
    weight: Float32Array | null;
    bias: Float32Array | null;
  }

  const run = ({ x, weight, bias }: Given, d: number, eps: number): Float32Array => {
    arena.clear();
    const [atX, atWeight, atBias] = [arena.place(x), arena.place(weight), arena.place(bias)];
    const y = arena.space(x.length);
    kernels.layer_norm(atX, atWeight, atBias, y, d ? x.length / d : 3, d, eps, 1);
    expect(arena.intact()).toBe(true);
    return arena.read(y, x.length);
  };

  it.each(AWKWARD)('is within 1e-5 relative, 1e-6 absolute of its formula over %i elements', (d) => {
    for (const affine of [true, false]) {
      for (const offset of [0, 1000]) {
        const x = noise(3 * d, 5).map((value) => value + offset);
        const [weight, bias] = affine ? [noise(d, 6), noise(d, 7)] : [null, null];
        const expected = overMiddle(x, [3, d, 1], (row) => layerNorm(row, { weight, bias }, 1e-5));
        expect(excess(run({ x, weight, bias }, d, 1e-5), expected)).toBeLessThan(1);
      }
    }
  });

  it('gives a row the same bits alone, in a batch of 64 and at every place in it', () => {
    for (const d of [7, 64, 65]) {
      const given = { weight: noise(d, 1), bias: noise(d, 2) };
      const x = noise(64 * d, 3);
      const batch = bits(run({ ...given, x }, d, 1e-5));
      for (const i of [0, 1, 33, 63]) {
        const alone = run({ ...given, x: x.slice(i * d, (i + 1) * d) }, d, 1e-5);
        expect(bits(alone)).toEqual(batch.slice(i * d, (i + 1) * d));
      }
    }
  });
});

describe('batch_norm', () => {
  const run = (x: Float32Array, shape: Shape, affine: boolean): { y: Float32Array; expected: number[] } => {
    const c = shape[1];
    const [weight, bias] = affine ? [noise(c, 2), noise(c, 3)] : [null, null];
    const [mean, variance] = [noise(c, 4), noise(c, 5).map((value) => value + 1)];
    arena.clear();
    const from = arena.place(x);
    const parameters = [
      arena.place(mean),
      arena.place(variance),
      arena.place(weight),
      arena.place(bias),
    ] as const;
    const y = arena.space(x.length);
    kernels.batch_norm(from, ...parameters, y, ...shape, 1e-5);
    expect(arena.intact()).toBe(true);
    const expected = batchNorm(x, shape, { mean, variance, weight, bias }, 1e-5);
    return { y: arena.read(y, x.length), expected };
  };

  it.each(AWKWARD)(
    'is within 1e-5 relative, 1e-6 absolute of its formula, %i channels or %i positions',
    (size) => {
      for (const [n, c, inner] of [
        [3, size, 1],
        [2, size, 9],
        [2, 3, size],
        [0, size, 4],
      ] as const) {
        for (const affine of [true, false]) {
          const { y, expected } = run(noise(n * c * inner, 1), [n, c, inner], affine);
          expect(excess(y, expected), String([n, c, inner])).toBeLessThan(1);
        }
      }
    },
  );

  it('gives an element the same bits with one position and with several', () => {
    const c = 19;
    const values = noise(c, 8);
    const one = bits(run(values, [1, c, 1], true).y);
    const repeated = Float32Array.from({ length: c * 5 }, (_, i) => values[Math.floor(i / 5)]!);
    const five = bits(run(repeated, [1, c, 5], true).y);
    expect(five).toEqual(one.flatMap((value) => [value, value, value, value, value]));
  });
});
