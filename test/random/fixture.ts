// What the tests of random numbers share: reference values, float32 as bits, distances in ulps.

import { readFileSync } from 'node:fs';
import { uniform } from '#src/random/distributions.js';
import { Generator } from '#src/random/generator.js';

export interface GoldenTensor {
  shape: number[];
  data: number[];
}

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8')) as T;
}

export function seeded(seed: number | bigint): Generator {
  const generator = new Generator(new Uint8Array(Generator.bytes));
  generator.seed(seed);
  return generator;
}

export function bitsOf(values: Float32Array): number[] {
  return [...new Int32Array(values.buffer, values.byteOffset, values.length)];
}

export function floatsOf(bits: readonly number[]): Float32Array {
  return new Float32Array(Int32Array.from(bits).buffer);
}

export function rand(generator: Generator, n: number): Float32Array {
  const out = new Float32Array(n);
  uniform(generator, out);
  return out;
}

/** float32 values from here to there; 0 and -0 are 1 apart, NaN is at 0 from NaN and infinitely far from all else. */
export function ulpsApart(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : Infinity;
  const ordinal = (x: number): number => {
    const bits = bitsOf(Float32Array.of(x))[0]!;
    return bits < 0 ? -1 - (bits & 0x7fffffff) : bits;
  };
  return Math.abs(ordinal(a) - ordinal(b));
}

export function maxUlps(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Infinity;
  return Math.max(0, ...Array.from(got, (value, i) => ulpsApart(value, wanted[i]!)));
}
