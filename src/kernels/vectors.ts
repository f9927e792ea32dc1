// Arithmetic of whole float32 vectors: sums of products, norms, multiples. Sums run in float64 and in one order, which
// the length alone decides.

import { high, loadLanes, low, madd, storeLanes, total } from './lanes';

/** Σ a[i] · b[i] */
export function dot(a: usize, b: usize, n: usize): f64 {
  let first = f64x2.splat(0), second = first;
  for (let i: usize = 0; i < n; i += 4) {
    const x = loadLanes(a, i, n);
    const y = loadLanes(b, i, n);
    first = f64x2.add(first, f64x2.mul(low(x), low(y)));
    second = f64x2.add(second, f64x2.mul(high(x), high(y)));
  }
  return total(first, second);
}

/** y[i] += alpha · x[i], as PyTorch's add_(x, alpha=alpha). */
export function axpy(x: usize, y: usize, n: usize, alpha: f64): void {
  const factor = f32x4.splat(<f32>alpha);
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, madd(loadLanes(x, i, n), factor, loadLanes(y, i, n)));
}

/** y[i] = alpha · x[i]; y may be x. */
export function scale(x: usize, y: usize, n: usize, alpha: f64): void {
  const factor = f32x4.splat(<f32>alpha);
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.mul(loadLanes(x, i, n), factor));
}

/** Σ |x[i]| */
export function sum_abs(x: usize, n: usize): f64 {
  let first = f64x2.splat(0), second = first;
  for (let i: usize = 0; i < n; i += 4) {
    const v = f32x4.abs(loadLanes(x, i, n));
    first = f64x2.add(first, low(v));
    second = f64x2.add(second, high(v));
  }
  return total(first, second);
}

/** Σ |x[i]|^p; 0^0 is 0, so that p = 0 counts what is not 0. */
export function sum_powers(x: usize, n: usize, p: f64): f64 {
  let sum: f64 = 0;
  if (p == 0) {
    for (let i: usize = 0; i < n; i++) sum += <f64>i32(load<f32>(x + i * 4) != 0);
    return sum;
  }
  for (let i: usize = 0; i < n; i++) sum += Math.pow(abs<f64>(<f64>load<f32>(x + i * 4)), p);
  return sum;
}

/** max |x[i]|, 0 of nothing; NaN where there is one. */
export function max_abs(x: usize, n: usize): f64 {
  let greatest = f32x4.splat(0);
  for (let i: usize = 0; i < n; i += 4) greatest = f32x4.max(greatest, f32x4.abs(loadLanes(x, i, n)));
  return extreme(greatest, true);
}

/** min |x[i]|, infinite of nothing; NaN where there is one. */
export function min_abs(x: usize, n: usize): f64 {
  let least = f32x4.splat(f32.POSITIVE_INFINITY);
  for (let i: usize = 0; i < n; i += 4) {
    least = f32x4.min(least, f32x4.abs(loadLanes(x, i, n, f32.POSITIVE_INFINITY)));
  }
  return extreme(least, false);
}

function extreme(v: v128, greatest: bool): f64 {
  const pairs = v128.shuffle<f32>(v, v, 2, 3, 0, 1);
  const half = greatest ? f32x4.max(v, pairs) : f32x4.min(v, pairs);
  const a = f32x4.extract_lane(half, 0);
  const b = f32x4.extract_lane(half, 1);
  return <f64>(greatest ? max<f32>(a, b) : min<f32>(a, b));
}
