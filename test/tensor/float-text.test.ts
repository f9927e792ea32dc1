import { describe, expect, it } from 'vitest';
import { float32Text } from '#src/tensor/float-text.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const fromBits = (pattern: number): number => {
  bits[0] = pattern;
  return float[0]!;
};

/** value = numerator / 2^exponent. */
function asFraction(value: number): { numerator: bigint; exponent: number } {
  let exponent = 0;
  for (; !Number.isInteger(value); exponent++) value *= 2;
  return { numerator: BigInt(value), exponent };
}

/**
 * The definition: the fewest digits among decimals that read back; of those the nearest to the exact value, then the even.
 * Number#toExponential gives the nearest decimal of as many digits; its neighbours are tried as well, since the nearest
 * may be beyond the shorter half of an interval.
 */
function oracle(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const size = Math.abs(value);
  const { numerator, exponent: binary } = asFraction(size);
  for (let count = 1; count <= 9; count++) {
    const [mantissa, power] = size.toExponential(count - 1).split('e');
    const digits = BigInt(mantissa!.replace('.', ''));
    const decimal = Number(power) - (count - 1);
    const distance = (candidate: bigint): bigint => {
      const exact = numerator * 10n ** BigInt(Math.max(-decimal, 0));
      const other = candidate * 2n ** BigInt(binary) * 10n ** BigInt(Math.max(decimal, 0));
      return exact > other ? exact - other : other - exact;
    };
    const best = [digits - 1n, digits, digits + 1n]
      .filter((candidate) => candidate > 0n && Math.fround(Number(`${candidate}e${decimal}`)) === size)
      .sort((a, b) => Number(distance(a) - distance(b)) || Number(a % 2n) - Number(b % 2n))[0];
    if (best !== undefined) return (value < 0 ? '-' : '') + String(Number(`${best}e${decimal}`));
  }
  throw new Error(`nine digits do not tell ${value}`);
}

function wrong(patterns: Iterable<number>): string[] {
  const found: string[] = [];
  for (const pattern of patterns) {
    const value = fromBits(pattern);
    if (!Number.isFinite(value)) continue;
    const text = float32Text(value);
    const back = Math.fround(JSON.parse(text) as number);
    if (text !== oracle(value) || !Object.is(back, value)) found.push(`${pattern.toString(16)}: ${text}`);
  }
  return found;
}

/** xorshift32. */
function* randomPatterns(count: number, seed: number): Generator<number> {
  for (let i = 0; i < count; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    yield seed >>> 0;
  }
}

describe('the text of a float32', () => {
  it('is the shortest and closest that reads back, for 200,000 random bit patterns', () => {
    expect(wrong(randomPatterns(200_000, 2463534242))).toEqual([]);
  });

  it('is so for every power of two and its neighbours, of either sign', () => {
    const patterns = Array.from({ length: 255 }, (_, field) =>
      [0, 1, 2, 3, 0x333333, 0x400000, 0x7ffffe, 0x7fffff].flatMap((mantissa) => [
        (field << 23) | mantissa,
        ((field << 23) | mantissa | 0x80000000) >>> 0,
      ]),
    ).flat();
    expect(wrong(patterns)).toEqual([]);
  });

  it('is so for the smallest subnormals, and for powers of ten, integers past 2^24, halves and thousandths', () => {
    const values = [
      ...Array.from({ length: 84 }, (_, i) => Number(`1e${i - 45}`)),
      ...Array.from({ length: 3000 }, (_, i) => [
        2 ** 24 + 2 * i,
        i * 1e6,
        i / 64,
        i / 1000,
        2 ** 30 + i * 64,
      ]).flat(),
    ];
    const patterns = values.map((value) => {
      float[0] = value;
      return bits[0]!;
    });
    expect(wrong([...Array.from({ length: 3000 }, (_, i) => i), ...patterns])).toEqual([]);
  });

  it.each([
    [0, '0'],
    [-0, '-0'],
    [42, '42'],
    [-1.5, '-1.5'],
    [0.1, '0.1'],
    [1e-6, '0.000001'],
    [1e-7, '1e-7'],
    [1.25e-7, '1.25e-7'],
    [16777216, '16777216'],
    [33554436, '33554436'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [2 ** -149, '1e-45'],
    [2 ** -126, '1.1754944e-38'],
    [NaN, '"NaN"'],
    [Infinity, '"Infinity"'],
    [-Infinity, '"-Infinity"'],
  ])('of %d is %s, as JavaScript would print it', (value, text) => {
    expect(float32Text(value)).toBe(text);
  });
});
