// Four float32 lanes at a time: multiply-add, and the ends of arrays.
// The last, incomplete vector goes through the same instructions as the others, so that an element's bits
// do not depend on where it stands. Nothing is read or written outside the array.

export const BYTES: usize = 4;

/** a · b + c, rounded once where the machine has fused multiply-add, always the same way on one machine. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return v128.relaxed_madd<f32>(a, b, c);
}

/** Where x < bound: bound; NaN and -0 are kept. */
// @ts-ignore: decorator
@inline
export function atLeast(x: v128, bound: v128): v128 {
  return f32x4.pmax(x, bound);
}

export function maddIsFused(): i32 {
  // 1 made at run time: a compiler must not know the answer. (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, of which float32
  // keeps 1 + 2^-11.
  const one = <f32>memory.size() * 0 + 1;
  const a = f32x4.splat(one + <f32>2.44140625e-4);
  const c = f32x4.splat(-(one + <f32>4.8828125e-4));
  return i32(f32x4.extract_lane(madd(a, a, c), 0) != 0);
}

/** Elements i .. i + 3 of x[n]; the lanes past the end hold `fill`. */
// @ts-ignore: decorator
@inline
export function loadLanes(x: usize, i: usize, n: usize, fill: f32 = 0): v128 {
  return n - i >= 4 ? v128.load(x + i * BYTES) : loadSome(x + i * BYTES, n - i, fill);
}

/** Stores the lanes of v that y[n] has as elements i .. i + 3. */
// @ts-ignore: decorator
@inline
export function storeLanes(y: usize, i: usize, n: usize, v: v128): void {
  if (n - i >= 4) v128.store(y + i * BYTES, v);
  else storeSome(y + i * BYTES, n - i, v);
}

function loadSome(x: usize, count: usize, fill: f32): v128 {
  let v = v128.load32_lane(x, f32x4.splat(fill), 0);
  if (count > 1) v = v128.load32_lane(x, v, 1, 4);
  if (count > 2) v = v128.load32_lane(x, v, 2, 8);
  return v;
}

function storeSome(y: usize, count: usize, v: v128): void {
  v128.store32_lane(y, v, 0);
  if (count > 1) v128.store32_lane(y, v, 1, 4);
  if (count > 2) v128.store32_lane(y, v, 2, 8);
}

/** Lanes 0 and 1 as float64. */
// @ts-ignore: decorator
@inline
export function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

/** Lanes 2 and 3 as float64. */
// @ts-ignore: decorator
@inline
export function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1));
}

/** The inverse of `low` and `high`, rounded to float32. */
// @ts-ignore: decorator
@inline
export function narrow(lowHalf: v128, highHalf: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(lowHalf), f32x4.demote_f64x2_zero(highHalf), 0, 2);
}

/** The sum of the lanes of two float64 vectors, in one order. */
// @ts-ignore: decorator
@inline
export function total(a: v128, b: v128): f64 {
  const sum = f64x2.add(a, b);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}
