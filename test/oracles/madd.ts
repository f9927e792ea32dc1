// Float32 multiply-add in plain TypeScript, rounded once (fused) or twice.

const float64 = new Float64Array(1);
const words = new Int32Array(float64.buffer);

export type Madd = (a: number, b: number, c: number) => number;

/** a · b + c for float32 numbers, rounded twice. */
export const unfused: Madd = (a, b, c) => Math.fround(Math.fround(a * b) + c);

/**
 * a · b + c for float32 numbers, rounded once. The product is exact in float64; the sum is rounded to odd there
 * (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008), so that rounding it to float32 is right.
 */
export const fused: Madd = (a, b, c) => {
  const product = a * b;
  const sum = product + c;
  if (!Number.isFinite(sum)) return Math.fround(sum);
  // Knuth's two-sum: product + c = sum + error, exactly
  const rest = sum - product;
  const error = product - (sum - rest) + (c - rest);
  if (error === 0) return Math.fround(sum);
  float64[0] = sum;
  if ((words[0]! & 1) === 0) {
    // Even, so its neighbour on the error's side is the odd one: one step away from 0, or one towards it.
    const step = error > 0 === sum > 0 ? 1 : -1;
    if (step < 0 && words[0] === 0) words[1]!--;
    words[0]! += step;
  }
  return Math.fround(float64[0]);
};
