import { describe, expect, it } from 'vitest';
import { float32Text } from '#src/tensor/float-text.js';
import { randomBits, textOf } from './text.js';

const BLOCK = 1 << 16;

/** Those whose text is not the one of float-text.ts, or does not read back to the same bits. */
function wrong(patterns: Uint32Array): string[] {
  const found: string[] = [];
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  for (let from = 0; from < patterns.length; from += BLOCK) {
    const block = patterns.slice(from, from + BLOCK);
    const values = new Float32Array(block.buffer);
    const texts = textOf(values).slice(1, -1).split(',');
    expect(texts).toHaveLength(values.length);
    for (const [i, text] of texts.entries()) {
      float[0] = Number(text.replaceAll('"', ''));
      const same = bits[0] === block[i] || (Number.isNaN(values[i]) && text === '"NaN"');
      if (!same || text !== float32Text(values[i]!)) found.push(`${block[i]!.toString(16)}: ${text}`);
    }
  }
  return found;
}

function patternsOf(values: readonly number[]): Uint32Array {
  return new Uint32Array(Float32Array.from(values).buffer);
}

/** Each value with the float32 next below and above. */
function withNeighbours(values: readonly number[]): Uint32Array {
  return Uint32Array.from([...patternsOf(values)].flatMap((bits) => [bits - 1, bits, bits + 1]));
}

describe('the text of float32 numbers', () => {
  it('is the shortest and closest that reads back, for a million random bit patterns', () => {
    const next = randomBits(88_675_123);
    expect(wrong(Uint32Array.from({ length: 1_000_000 }, next))).toEqual([]);
  });

  it('is so for every power of two and of ten and their neighbours, of either sign', () => {
    const twos = Array.from({ length: 277 }, (_, i) => 2 ** (i - 149));
    const tens = Array.from({ length: 84 }, (_, i) => Number(`1e${i - 45}`));
    const both = [...twos, ...tens].flatMap((value) => [value, -value]);
    expect(wrong(withNeighbours(both))).toEqual([]);
  });

  it('is so for the least and the most of each kind, and for what is no number', () => {
    const edges = [
      0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x7f800001,
    ];
    expect(wrong(Uint32Array.from(edges.flatMap((bits) => [bits, bits + 2 ** 31])))).toEqual([]);
    expect(textOf(Float32Array.of(0, -0, NaN, Infinity, -Infinity))).toBe(
      '[0,-0,"NaN","Infinity","-Infinity"]',
    );
  });

  it('is so for the smallest subnormals, integers, and what people write', () => {
    const values = Array.from({ length: 5000 }, (_, i) => [
      i,
      2 ** 24 + 2 * i,
      i * 1e6,
      i * 1e14,
      i / 64,
      i / 1000,
    ]);
    expect(wrong(patternsOf(values.flat()))).toEqual([]);
    expect(wrong(Uint32Array.from({ length: 5000 }, (_, i) => i))).toEqual([]);
  });

  it('has a digit more where the shortest would be read as a float64 halfway to the next float32', () => {
    const value = Uint32Array.of(0x15ae43fd);
    expect(textOf(new Float32Array(value.buffer))).toBe('[7.0385307e-26]');
    expect(Math.fround(Number('7.038531e-26'))).not.toBe(new Float32Array(value.buffer)[0]);
  });

  it('keeps to the bytes that it is said to take: a number 23, its comma one', () => {
    const longest = -340282350000000000000; // as far as JavaScript writes integers without an exponent
    const texts = textOf(Float32Array.of(longest, -1.1754944e-38, -0.00000123456789))
      .slice(1, -1)
      .split(',');
    expect(Math.max(...texts.map((text) => text.length))).toBe(22);
    const next = randomBits(7);
    const random = textOf(new Float32Array(Uint32Array.from({ length: BLOCK }, next).buffer)).split(',');
    expect(Math.max(...random.map((text) => text.length))).toBeLessThanOrEqual(23);
  });
});
