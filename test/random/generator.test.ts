import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bernoulli, normal, uniform } from '#src/random/distributions.js';
import { Generator } from '#src/random/generator.js';
import { bitsOf, fixture, rand, seeded } from './fixture.js';

interface Seeded {
  seed: number;
  initial_seed: string;
  rand: number[];
}
const { negative, large, states } = fixture<{
  negative: Seeded;
  large: Seeded;
  states: { after: string; state: string }[];
}>('random.json');

const DRAWS = [
  (generator: Generator, out: Float32Array) => uniform(generator, out),
  (generator: Generator, out: Float32Array) => normal(generator, out),
  (generator: Generator, out: Float32Array) => bernoulli(generator, out),
] as const;
const draws = fc.array(fc.record({ draw: fc.constantFrom(...DRAWS), n: fc.integer({ min: 0, max: 40 }) }), {
  maxLength: 12,
});

describe("a generator's state", () => {
  it('is, byte for byte, what torch.get_rng_state() gives: seeded, past a refill, with and without a kept normal', () => {
    const bytes = new Uint8Array(Generator.bytes);
    const generator = new Generator(bytes);
    const steps = [
      () => generator.seed(11),
      () => rand(generator, 700),
      () => normal(generator, new Float32Array(3)),
      () => normal(generator, new Float32Array(1)),
    ];
    steps.forEach((step, i) => {
      step();
      expect(Buffer.from(bytes).toString('base64'), states[i]!.after).toBe(states[i]!.state);
    });
  });

  it('is its bytes: a copy in shared memory goes on with the same draws after any draws before', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), draws, draws, (seed, before, after) => {
        const bytes = new Uint8Array(Generator.bytes);
        const generator = new Generator(bytes);
        generator.seed(seed);
        for (const { draw, n } of before) draw(generator, new Float32Array(n));
        const copied = new Uint8Array(new SharedArrayBuffer(Generator.bytes + 16), 16);
        copied.set(bytes);
        const copy = new Generator(copied);
        for (const { draw, n } of after) {
          const [a, b] = [new Float32Array(n), new Float32Array(n)];
          draw(generator, a);
          draw(copy, b);
          expect(bitsOf(a)).toEqual(bitsOf(b));
        }
        expect(copied).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
  });

  it('is refused where it has another size, is not aligned to 8 bytes, or was never seeded', () => {
    expect(() => new Generator(new Uint8Array(Generator.bytes - 1))).toThrow(RangeError);
    expect(() => new Generator(new Uint8Array(new ArrayBuffer(Generator.bytes + 4), 4))).toThrow(RangeError);
    expect(() => new Generator(new Uint8Array(Generator.bytes)).random()).toThrow('never seeded');
  });
});

describe('a seed', () => {
  it.each([negative, large])('of $seed draws as in PyTorch and reads as $initial_seed', (golden) => {
    const generator = seeded(golden.seed);
    expect(generator.initialSeed()).toBe(BigInt(golden.initial_seed));
    expect(bitsOf(rand(generator, 3))).toEqual(golden.rand);
  });

  it('counts by its low 32 bits, and forgets a kept normal', () => {
    const generator = seeded(5);
    normal(generator, new Float32Array(1));
    generator.seed(2 ** 32 + 7);
    const [a, b] = [new Float32Array(3), new Float32Array(3)];
    normal(generator, a);
    normal(seeded(7), b);
    expect(bitsOf(a)).toEqual(bitsOf(b));
  });

  it('is any integer from -2^63 to 2^64 - 1, and a number only where it is a safe integer', () => {
    expect(seeded(2n ** 64n - 1n).initialSeed()).toBe(2n ** 64n - 1n);
    expect(seeded(-(2n ** 63n)).initialSeed()).toBe(2n ** 63n);
    for (const wrong of [2n ** 64n, -(2n ** 63n) - 1n, 1.5, NaN, Infinity, 2 ** 53]) {
      expect(() => seeded(wrong)).toThrow(RangeError);
    }
  });
});
