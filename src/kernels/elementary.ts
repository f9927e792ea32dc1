// exp, expm1, log1p, tanh, sigmoid and the normal distribution's tail on four float32 lanes, within 3 ulps of the
// true value (the tail: 8).
// Plain multiplications and additions, never the relaxed madd: the same bits on every machine. NaN stays NaN.
// Coefficients: Cephes (expf, logf, tanhf); Numerical Recipes (erfcc).

// @ts-ignore: decorator
@inline
function splat(value: f32): v128 {
  return f32x4.splat(value);
}

/** a · b + c, rounded twice. */
// @ts-ignore: decorator
@inline
function step(a: v128, b: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(a, b), f32x4.splat(c));
}

/** Added to a float32 below 2^22, it leaves the nearest integer in the low bits, faster than `nearest` does. */
const ROUNDER: f32 = 12582912;

/** x / ln 2 + ROUNDER */
// @ts-ignore: decorator
@inline
function roundedExponent(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, splat(1.44269504088896341)), splat(ROUNDER));
}

/** The integer in a rounded exponent, as int32; anything for NaN. */
// @ts-ignore: decorator
@inline
function integerOf(rounded: v128): v128 {
  return i32x4.sub(rounded, splat(ROUNDER));
}

/** x - n · ln 2; the first product is exact, since its constant has 9 bits only. */
// @ts-ignore: decorator
@inline
function remainder(x: v128, rounded: v128): v128 {
  const n = f32x4.sub(rounded, splat(ROUNDER));
  const high = f32x4.sub(x, f32x4.mul(n, splat(0.693359375)));
  return f32x4.add(high, f32x4.mul(n, splat(2.12194440e-4)));
}

/** exp(r) - 1 for |r| <= ln 2 / 2. */
// @ts-ignore: decorator
@inline
function expm1Near0(r: v128): v128 {
  let p = splat(1.9875691500e-4);
  p = step(p, r, 1.3981999507e-3);
  p = step(p, r, 8.3334519073e-3);
  p = step(p, r, 4.1665795894e-2);
  p = step(p, r, 1.6666665459e-1);
  p = step(p, r, 5.0000001201e-1);
  return f32x4.add(f32x4.mul(f32x4.mul(r, r), p), r);
}

/** 2^n for an integer n in [-126, 127]. */
// @ts-ignore: decorator
@inline
function power2(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/** y · 2^n; in two steps, since 2^n itself can be below or above what a float32 holds. */
// @ts-ignore: decorator
@inline
function scale(y: v128, rounded: v128): v128 {
  const integer = integerOf(rounded);
  const half = i32x4.shr_s(integer, 1);
  return f32x4.mul(f32x4.mul(y, power2(half)), power2(i32x4.sub(integer, half)));
}

/** min(max(x, smallest), largest); pmin and pmax keep a NaN that comes first. */
// @ts-ignore: decorator
@inline
function clamp(x: v128, smallest: f32, largest: f32): v128 {
  return f32x4.pmax(f32x4.pmin(x, splat(largest)), splat(smallest));
}

// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  // Past these bounds the answer is 0 or infinite in float32.
  x = clamp(x, -104, 89);
  const n = roundedExponent(x);
  return scale(f32x4.add(expm1Near0(remainder(x, n)), splat(1)), n);
}

/** exp(x + tail), tail being too small to be added to x without loss. */
// @ts-ignore: decorator
@inline
function expOfSum(x: v128, tail: v128): v128 {
  const n = roundedExponent(f32x4.add(x, tail));
  return scale(f32x4.add(expm1Near0(f32x4.add(remainder(x, n), tail)), splat(1)), n);
}

/** exp(x) - 1, without loss near 0. */
// @ts-ignore: decorator
@inline
export function expm1(x: v128): v128 {
  // Below -86 the answer is -1.
  x = clamp(x, -86, 89);
  const n = roundedExponent(x);
  const q = expm1Near0(remainder(x, n));
  // 2^n (q + 1) - 1, by halves so that n = 128 is no exception.
  const half = power2(i32x4.sub(integerOf(n), i32x4.splat(1)));
  const y = f32x4.add(f32x4.mul(half, q), f32x4.sub(half, splat(0.5)));
  return f32x4.add(y, y);
}

/** The natural logarithm of a normal, finite x > 0. */
// @ts-ignore: decorator
@inline
function logOfNormal(x: v128): v128 {
  // x = m · 2^e with m in [sqrt(1/2), sqrt(2))
  const e = i32x4.shr_s(i32x4.sub(x, i32x4.splat(0x3f3504f3)), 23);
  const m = f32x4.sub(i32x4.sub(x, i32x4.shl(e, 23)), splat(1));
  const z = f32x4.mul(m, m);
  let p = splat(7.0376836292e-2);
  p = step(p, m, -1.1514610310e-1);
  p = step(p, m, 1.1676998740e-1);
  p = step(p, m, -1.2420140846e-1);
  p = step(p, m, 1.4249322787e-1);
  p = step(p, m, -1.6668057665e-1);
  p = step(p, m, 2.0000714765e-1);
  p = step(p, m, -2.4999993993e-1);
  p = step(p, m, 3.3333331174e-1);
  const n = f32x4.convert_i32x4_s(e);
  let y = f32x4.mul(f32x4.mul(p, m), z);
  y = f32x4.sub(y, f32x4.mul(n, splat(2.12194440e-4)));
  y = f32x4.sub(y, f32x4.mul(z, splat(0.5)));
  return f32x4.add(f32x4.add(m, y), f32x4.mul(n, splat(0.693359375)));
}

/** The natural logarithm of any x: -infinity of 0, NaN below. */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  // Below the least normal number, 2^24 times as much is normal.
  const tiny = f32x4.lt(x, splat(1.17549435e-38));
  const normal = v128.bitselect(f32x4.mul(x, splat(16777216)), x, tiny);
  const y = f32x4.sub(logOfNormal(normal), v128.and(tiny, splat(16.635532333438686)));
  const positive = v128.bitselect(x, y, f32x4.eq(x, splat(Infinity)));
  const zero = v128.bitselect(splat(-Infinity), positive, f32x4.eq(x, splat(0)));
  return v128.bitselect(zero, splat(NaN), f32x4.ge(x, splat(0)));
}

/** log(1 + u) for a finite u >= 0. What 1 + u loses of u is put back by the derivative. */
// @ts-ignore: decorator
@inline
export function log1p(u: v128): v128 {
  const w = f32x4.add(u, splat(1));
  const lost = f32x4.sub(u, f32x4.sub(w, splat(1)));
  return f32x4.add(logOfNormal(w), f32x4.div(lost, w));
}

// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let p = splat(-5.70498872745e-3);
  p = step(p, z, 2.06390887954e-2);
  p = step(p, z, -5.37397155531e-2);
  p = step(p, z, 1.33314422036e-1);
  p = step(p, z, -3.33332819422e-1);
  const near = f32x4.add(f32x4.mul(f32x4.mul(p, z), x), x);
  const e = exp(f32x4.add(magnitude, magnitude));
  const far = f32x4.sub(splat(1), f32x4.div(splat(2), f32x4.add(e, splat(1))));
  const sign = v128.and(x, i32x4.splat(i32.MIN_VALUE));
  // A NaN is not below the bound: it takes the far branch, which keeps it.
  return v128.or(v128.bitselect(near, far, f32x4.lt(magnitude, splat(0.625))), sign);
}

/** 1 / (1 + exp(-x)) */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(exp(f32x4.neg(x)), splat(1)));
}

/**
 * The upper tail of the normal distribution, erfc(x / sqrt(2)) / 2, for x >= 0. x² is split into two floats so that
 * the tail keeps its relative error.
 */
// @ts-ignore: decorator
@inline
export function normalTail(x: v128): v128 {
  // Past 15 the answer is 0 in float32.
  x = f32x4.pmin(x, splat(15));
  const t = f32x4.div(splat(1), step(x, splat(0.35355339059327379), 1));
  let p = splat(0.17087277);
  p = step(p, t, -0.82215223);
  p = step(p, t, 1.48851587);
  p = step(p, t, -1.13520398);
  p = step(p, t, 0.27886807);
  p = step(p, t, -0.18628806);
  p = step(p, t, 0.09678418);
  p = step(p, t, 0.37409196);
  p = step(p, t, 1.00002368);
  p = step(p, t, -1.26551223);
  const square = f32x4.mul(x, x);
  const head = v128.and(x, i32x4.splat(0xfffff000));
  // x² - square, exactly: (head² - square) + (x + head) · (x - head)
  const lost = f32x4.add(
    f32x4.sub(f32x4.mul(head, head), square),
    f32x4.mul(f32x4.add(x, head), f32x4.sub(x, head)),
  );
  const half = splat(-0.5);
  const e = expOfSum(f32x4.mul(square, half), f32x4.add(p, f32x4.mul(lost, half)));
  return f32x4.mul(f32x4.mul(t, splat(0.5)), e);
}
