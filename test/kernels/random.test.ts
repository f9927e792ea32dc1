import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bernoulli } from '#src/random/distributions.js';
import { Generator } from '#src/random/generator.js';
import { Arena, AWKWARD, bits } from './instance.js';

const arena = new Arena();
const { kernels } = arena;
const GENERATOR_FLOATS = Generator.bytes / 4;

function seeded(seed: number | bigint, words = 0): Uint8Array {
  const bytes = new Uint8Array(Generator.bytes);
  const generator = new Generator(bytes);
  generator.seed(seed);
  for (let i = 0; i < words; i++) generator.random();
  return bytes;
}

/** Places the generator's bytes, lets `draw` use them, and answers what they are then. */
function advanced(generator: Uint8Array, draw: (at: number) => void): Uint8Array {
  const at = arena.place(new Float32Array(GENERATOR_FLOATS));
  const bytes = new Uint8Array(arena.memory.buffer, at, Generator.bytes);
  bytes.set(generator);
  draw(at);
  return bytes.slice();
}

const seeds = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 32n),
);
const words = fc.oneof(fc.nat({ max: 1400 }), fc.constantFrom(0, 1, 622, 623, 624, 625, 1247));
const lengths = fc.oneof(fc.nat({ max: 700 }), fc.constantFrom(...AWKWARD, 311, 312, 313, 624));
const chances = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1, 0.5));

describe('bernoulli', () => {
  it("has the bits of the TypeScript generator's draws, and leaves its state, wherever it stands", () => {
    fc.assert(
      fc.property(seeds, words, lengths, chances, (seed, skipped, n, p) => {
        arena.clear();
        const expected = new Float32Array(n);
        const state = seeded(seed, skipped);
        bernoulli(new Generator(state), expected, { p });
        const y = arena.space(n);
        const after = advanced(seeded(seed, skipped), (at) => kernels.bernoulli(at, y, n, p, 1));
        expect(bits(arena.read(y, n))).toEqual(bits(expected));
        expect(after).toEqual(state);
        expect(arena.intact()).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('gives its scale where it gives anything', () => {
    arena.clear();
    const y = arena.space(500);
    advanced(seeded(3), (at) => kernels.bernoulli(at, y, 500, 0.7, 1 / 0.7));
    expect(new Set(arena.read(y, 500))).toEqual(new Set([0, Math.fround(1 / 0.7)]));
  });
});

describe('rrelu_noise', () => {
  it('draws for the elements that are not above 0, and for no others', () => {
    const values = fc.float32Array({ maxLength: 100 });
    fc.assert(
      fc.property(seeds, words, values, (seed, skipped, x) => {
        arena.clear();
        const [lower, upper] = [0.125, 1 / 3];
        const state = seeded(seed, skipped);
        const generator = new Generator(state);
        const expected = x.map((value) => (value <= 0 ? generator.random53() * (upper - lower) + lower : 1));
        const [from, y] = [arena.place(x), arena.space(x.length)];
        const after = advanced(seeded(seed, skipped), (at) =>
          kernels.rrelu_noise(from, at, y, x.length, lower, upper),
        );
        expect(bits(arena.read(y, x.length))).toEqual(bits(expected));
        expect(after).toEqual(state);
      }),
      { numRuns: 100 },
    );
  });
});
