import { describe, expect, it } from 'vitest';
import { numbersOf } from '#src/tensor/placed-list.js';
import { bodyOf, listsOf } from '../runtime/reading.js';
import { randomBits } from './text.js';

/** The numbers as float64, each read alone: the least of a list of one. */
function readEach(texts: readonly string[]): number[] {
  const found: number[] = [];
  for (let from = 0; from < texts.length; from += 10_000) {
    const members = texts.slice(from, from + 10_000).map((text) => `"":[${text}]`);
    for (const { min } of listsOf(`{${members.join(',')}}`)) found.push(min);
  }
  return found;
}

function misread(texts: readonly string[]): string[] {
  const found = readEach(texts);
  expect(found).toHaveLength(texts.length);
  return texts.filter((text, i) => !Object.is(found[i], Number(text)));
}

describe('a number that a worker reads', () => {
  it('is the float64 of JSON.parse, for 300,000 texts of 1 to 25 digits, with points and exponents', () => {
    const next = randomBits(2_463_534_242);
    const texts = Array.from({ length: 300_000 }, () => {
      let text = '';
      for (let count = 1 + (next() % 25); count > 0; count--) text += next() % 10;
      text = text.replace(/^0+(?=\d)/, '');
      const kind = next() % 5;
      if (kind === 1) text = `${text.slice(0, 1 + (next() % text.length))}.${text}`;
      if (kind === 2) text = `0.${'0'.repeat(next() % 8)}${text}`;
      if (kind === 3) text += `e${(next() % 700) - 380}`;
      if (kind === 4) text = `${text}.${next()}E-${next() % 60}`;
      return next() % 2 ? text : `-${text}`;
    });
    expect(misread(texts.filter((text) => Number.isFinite(Number(text))))).toEqual([]);
  });

  it('is so in the shortest and in 17 digits, for 200,000 random float64 in the range of float32', () => {
    const next = randomBits(362_436_069);
    const words = new Uint32Array(2);
    const [float] = [new Float64Array(words.buffer)];
    const texts = Array.from({ length: 100_000 }, () => {
      words[0] = next();
      words[1] = ((next() & 0x800fffff) | ((1023 - 150 + (next() % 280)) << 20)) >>> 0;
      return [String(float[0]), float[0]!.toExponential(16)];
    });
    expect(misread(texts.flat())).toEqual([]);
  });

  it('halfway between two float64, or a digit off it, goes where it must', () => {
    const next = randomBits(521_288_629);
    const texts = Array.from({ length: 20_000 }, () => {
      // m + 1/2, for 53-bit m: exact in decimal, with all its digits.
      const exponent = next() % 10;
      const half =
        (((1n << 53n) | (BigInt(next()) << 20n) | BigInt(next() % 2 ** 20)) * 2n + 1n) << BigInt(exponent);
      const text = half.toString();
      return [text, (half + 1n).toString(), (half - 1n).toString(), `${text}.0000000000000001`, `${text}e-3`];
    });
    expect(misread(texts.flat())).toEqual([]);
    expect(
      misread(['9007199254740993', '9007199254740992.9999999999', '9007199254740993.0000000001']),
    ).toEqual([]);
  });

  it('is so for each power of ten, in one digit and in nineteen', () => {
    const texts = Array.from({ length: 640 }, (_, i) =>
      [1, 9, 9_007_199_254_740_991, 12345678901].map((m) => `${m}e${i - 345}`),
    );
    const nineteen = Array.from({ length: 200 }, (_, i) => [
      `9999999999999999999e${i - 100}`,
      `1844674407370955161e${i - 100}`,
    ]);
    expect(misread([...texts, ...nineteen].flat().filter((text) => Number.isFinite(Number(text))))).toEqual(
      [],
    );
  });

  it('becomes the float32 that rounding the float64 gives, also where rounding once would give another', () => {
    // Just above the middle of 1 and the next float32: float64 rounds it to the middle, and float32 that to 1.
    const text = '1.00000005960464477539062500000001';
    const body = bodyOf(`[${text},${text}]`);
    expect(numbersOf(body)!.floats).toEqual(Float32Array.of(1, 1));
    expect(Math.fround(Number(text))).toBe(1);
  });
});
