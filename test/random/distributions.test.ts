import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bernoulli, normal, randint, randperm, uniform } from '#src/random/distributions.js';
import type { Generator } from '#src/random/generator.js';
import { truncNormal, truncNormalFault } from '#src/random/trunc-normal.js';
import { bitsOf, fixture, floatsOf, maxUlps, rand, seeded, type GoldenTensor } from './fixture.js';

type Draw = (generator: Generator, out: Float32Array) => void;

const golden = fixture<{ cases: ({ seed: number; n: number } & Record<string, GoldenTensor>)[] }>(
  'golden/rng.json',
);
const more = fixture<{
  fills: { fill: string; n: number; seed: number; first: number[]; last: number[]; next: number[] }[];
  randperm: { n: number; seed: number; result: number[] }[];
  randint: { low: number; high: number; seed: number; result: string[] }[];
}>('random.json');

function drawn(seed: number, n: number, draw: Draw): Float32Array {
  const out = new Float32Array(n);
  draw(seeded(seed), out);
  return out;
}

describe.each(golden.cases)('after torch.manual_seed($seed), $n elements', (wanted) => {
  const { seed, n } = wanted as { seed: number; n: number };
  const EXACT: Record<string, Draw> = {
    rand: (generator, out) => uniform(generator, out),
    'uniform(-3,2)': (generator, out) => uniform(generator, out, { a: -3, b: 2 }),
    'bernoulli(0.3)': (generator, out) => bernoulli(generator, out, { p: 0.3 }),
  };
  it.each(Object.keys(EXACT))("%s is PyTorch's to the bit", (name) => {
    expect([...drawn(seed, n, EXACT[name]!)]).toEqual(wanted[name]!.data);
  });

  const CLOSE: Record<string, Draw> = {
    randn: (generator, out) => normal(generator, out),
    'normal(1.5,0.25)': (generator, out) => normal(generator, out, { mean: 1.5, std: 0.25 }),
  };
  it.each(Object.keys(CLOSE))("%s is PyTorch's within 2 ulps", (name) => {
    expect(maxUlps(drawn(seed, n, CLOSE[name]!), wanted[name]!.data)).toBeLessThanOrEqual(2);
  });

  it("randn(3), randn(3), rand(2), randn(20) in a row are PyTorch's within 2 ulps", () => {
    const generator = seeded(seed);
    const out = new Float32Array(28);
    normal(generator, out.subarray(0, 3));
    normal(generator, out.subarray(3, 6));
    uniform(generator, out.subarray(6, 8));
    normal(generator, out.subarray(8));
    expect(maxUlps(out, wanted['randn3+randn3+rand2+randn20']!.data)).toBeLessThanOrEqual(2);
  });
});

const FILLS: Record<string, Draw> = {
  uniform: (generator, out) => uniform(generator, out, { a: -3, b: 2 }),
  normal: (generator, out) => normal(generator, out, { mean: 1.5, std: 0.25 }),
  bernoulli: (generator, out) => bernoulli(generator, out, { p: 0.3 }),
  trunc_normal: (generator, out) => truncNormal(generator, out),
  trunc_normal_tail: (generator, out) => truncNormal(generator, out, { a: 1, b: 3 }),
};

describe.each(more.fills)('$fill of $n elements', ({ fill, n, seed, first, last, next }) => {
  it("has PyTorch's first and last forty within 2 ulps, and leaves the generator where PyTorch does", () => {
    const generator = seeded(seed);
    const out = new Float32Array(n);
    FILLS[fill]!(generator, out);
    expect(maxUlps(out.subarray(0, 40), floatsOf(first))).toBeLessThanOrEqual(2);
    expect(maxUlps(out.subarray(-40), floatsOf(last))).toBeLessThanOrEqual(2);
    expect(bitsOf(rand(generator, 3))).toEqual(next);
  });
});

describe('the words that a fill takes', () => {
  const wordsAfter = (seed: number, words: number): number => {
    const generator = seeded(seed);
    for (let i = 0; i < words; i++) generator.random();
    return generator.random();
  };

  it.each([16, 17, 31, 32, 33, 64, 65])(
    'of %i normals: one each, and sixteen more unless 16 divides them',
    (n) => {
      const generator = seeded(n);
      normal(generator, new Float32Array(n));
      expect(generator.random()).toBe(wordsAfter(n, n + (n % 16 === 0 ? 0 : 16)));
    },
  );

  it.each([0, 1, 2, 3, 15])('of %i normals: four for each two begun', (n) => {
    const generator = seeded(n);
    normal(generator, new Float32Array(n));
    expect(generator.random()).toBe(wordsAfter(n, 4 * Math.ceil(n / 2)));
  });
});

describe('bounds', () => {
  const finite = fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) });

  it('uniform stays in [a, b), or at a where they are equal', () => {
    fc.assert(
      fc.property(fc.nat(), finite, finite, (seed, x, y) => {
        const [a, b] = [Math.min(x, y), Math.max(x, y)];
        const out = drawn(seed, 33, (generator, values) => uniform(generator, values, { a, b }));
        for (const value of out) expect(value >= a && (value < b || a === b)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('truncNormal stays in [a, b], and in the end says no where too little of the normal lies there', () => {
    const around = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(),
        around,
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        around,
        around,
        (seed, mean, std, x, y) => {
          const spec = { mean, std, a: Math.min(x, y), b: Math.max(x, y) };
          if (truncNormalFault(spec, 20) !== undefined) return;
          for (const value of drawn(seed, 20, (generator, out) => truncNormal(generator, out, spec))) {
            expect(value >= Math.fround(spec.a) && value <= Math.fround(spec.b)).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
    const none = { mean: -1, std: 1, a: 0, b: 1e30 };
    expect(truncNormalFault(none, 10)).toMatch('too little of a normal distribution');
    expect(() => truncNormal(seeded(0), new Float32Array(10), none)).toThrow(RangeError);
    // Rounded to float32 the lower bound is the mean's neighbour, which a spread of 30 never reaches.
    const unreachable = { mean: 1e10 + 500, std: 30, a: 1e10 + 513, b: 1e10 + 1e4 };
    expect(() => truncNormal(seeded(0), new Float32Array(16), unreachable)).toThrow('no normal fell between');
  });

  it.each<[string, () => void]>([
    [
      'uniform_ expects to return a [from, to) range, but found from=1 > to=0',
      () => uniform(seeded(0), new Float32Array(1), { a: 1, b: 0 }),
    ],
    [
      'uniform_ expects to-from <= std::numeric_limits<Float>::max()',
      () => uniform(seeded(0), new Float32Array(1), { a: -3e38, b: 3e38 }),
    ],
    ['from is out of bounds for float', () => uniform(seeded(0), new Float32Array(1), { a: -1e39 })],
    ['to is out of bounds for float', () => uniform(seeded(0), new Float32Array(1), { b: 1e39 })],
    [
      'normal expects std >= 0.0, but found std -1',
      () => normal(seeded(0), new Float32Array(1), { std: -1 }),
    ],
    [
      'bernoulli_ expects p to be in [0, 1], but got p=1.5',
      () => bernoulli(seeded(0), new Float32Array(1), { p: 1.5 }),
    ],
    [
      "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
      () => randint(seeded(0), new BigInt64Array(1), { low: 5, high: 5 }),
    ],
    ['float division by zero', () => truncNormal(seeded(0), new Float32Array(1), { std: 0 })],
  ])("a wrong argument is a RangeError in PyTorch's words: %s", (message, draw) => {
    expect(draw).toThrow(message);
  });
});

describe('integers', () => {
  it.each(more.randperm)("randperm($n) is PyTorch's", ({ n, seed, result }) => {
    expect([...randperm(seeded(seed), n)]).toEqual(result);
  });

  it.each(more.randint)("randint($low, $high) is PyTorch's", ({ low, high, seed, result }) => {
    const out = new BigInt64Array(result.length);
    randint(seeded(seed), out, { low, high });
    expect([...out].map(String)).toEqual(result);
  });
});
