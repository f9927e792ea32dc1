// Batch and layer normalisation, and the gradient of the latter. Sums over a row run in float64 and in one order, which its length alone decides.

import { BYTES, high, loadLanes, low, narrow, storeLanes, total } from './lanes';

/** y = (x - mean[c]) / sqrt(variance[c] + eps) · weight[c] + bias[c]; x[n,c,inner]; weight, bias 0: none. */
export function batch_norm(
  x: usize, mean: usize, variance: usize, weight: usize, bias: usize, y: usize,
  n: usize, c: usize, inner: usize, eps: f64,
): void {
  const small = f32x4.splat(<f32>eps);
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  if (inner == 1) {
    for (; n; n--) {
      for (let i: usize = 0; i < c; i += 4) {
        const v = loadLanes(x, i, c);
        const scale = weight ? loadLanes(weight, i, c) : one;
        const shift = bias ? loadLanes(bias, i, c) : zero;
        storeLanes(y, i, c, normalise(v, loadLanes(mean, i, c), loadLanes(variance, i, c), small, scale, shift));
      }
      x += c * BYTES;
      y += c * BYTES;
    }
    return;
  }
  for (; n; n--) {
    for (let channel: usize = 0; channel < c * BYTES; channel += BYTES) {
      const average = v128.load32_splat(mean + channel);
      const spread = v128.load32_splat(variance + channel);
      const scale = weight ? v128.load32_splat(weight + channel) : one;
      const shift = bias ? v128.load32_splat(bias + channel) : zero;
      for (let i: usize = 0; i < inner; i += 4) {
        storeLanes(y, i, inner, normalise(loadLanes(x, i, inner), average, spread, small, scale, shift));
      }
      x += inner * BYTES;
      y += inner * BYTES;
    }
  }
}

// @ts-ignore: decorator
@inline
function normalise(v: v128, mean: v128, variance: v128, eps: v128, scale: v128, shift: v128): v128 {
  const factor = f32x4.mul(f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(variance, eps))), scale);
  return f32x4.add(f32x4.mul(f32x4.sub(v, mean), factor), shift);
}

/**
 * Each of `rows` rows of d elements: (x - mean) / sqrt(var + eps) · weight + bias; biased variance. centred 0: the mean
 * counts as 0, also in the variance.
 */
export function layer_norm(
  x: usize, weight: usize, bias: usize, y: usize, rows: usize, d: usize, eps: f64, centred: i32,
): void {
  for (; rows; rows--) {
    const average = centred ? sumOf(x, d) / <f64>d : 0;
    const variance = squaresOf(x, d, average) / <f64>d;
    const mean = f64x2.splat(average);
    const factor = f64x2.splat(1 / sqrt<f64>(variance + eps));
    for (let i: usize = 0; i < d; i += 4) {
      const v = loadLanes(x, i, d);
      let result = narrow(
        f64x2.mul(f64x2.sub(low(v), mean), factor),
        f64x2.mul(f64x2.sub(high(v), mean), factor),
      );
      if (weight) result = f32x4.mul(result, loadLanes(weight, i, d));
      if (bias) result = f32x4.add(result, loadLanes(bias, i, d));
      storeLanes(y, i, d, result);
    }
    x += d * BYTES;
    y += d * BYTES;
  }
}

/** dx of layer_norm; g, x and y[rows, d]. */
export function layer_norm_gradient(
  g: usize, x: usize, weight: usize, y: usize, rows: usize, d: usize, eps: f64, centred: i32,
): void {
  for (; rows; rows--) {
    const average = centred ? sumOf(x, d) / <f64>d : 0;
    const factor = 1 / sqrt<f64>(squaresOf(x, d, average) / <f64>d + eps);
    const mean = f64x2.splat(average);
    let s = f64x2.splat(0), t = s, a = s, b = s;
    for (let i: usize = 0; i < d; i += 4) {
      // Past the end g is 0.
      const v = loadLanes(x, i, d), w = weighted(g, weight, i, d);
      s = f64x2.add(s, low(w));
      t = f64x2.add(t, high(w));
      a = f64x2.add(a, f64x2.mul(low(w), f64x2.sub(low(v), mean)));
      b = f64x2.add(b, f64x2.mul(high(w), f64x2.sub(high(v), mean)));
    }
    const shift = f64x2.splat(centred ? total(s, t) / <f64>d : 0);
    const slope = f64x2.splat((total(a, b) * factor * factor) / <f64>d);
    const scale = f64x2.splat(factor);
    for (let i: usize = 0; i < d; i += 4) {
      const v = loadLanes(x, i, d), w = weighted(g, weight, i, d);
      const p = f64x2.sub(f64x2.sub(low(w), shift), f64x2.mul(f64x2.sub(low(v), mean), slope));
      const q = f64x2.sub(f64x2.sub(high(w), shift), f64x2.mul(f64x2.sub(high(v), mean), slope));
      storeLanes(y, i, d, narrow(f64x2.mul(p, scale), f64x2.mul(q, scale)));
    }
    g += d * BYTES;
    x += d * BYTES;
    y += d * BYTES;
  }
}

// @ts-ignore: decorator
@inline
function weighted(g: usize, weight: usize, i: usize, d: usize): v128 {
  const w = loadLanes(g, i, d);
  return weight ? f32x4.mul(w, loadLanes(weight, i, d)) : w;
}

/** y[d] = Σ over rows of g · (x - mean) / sqrt(var + eps), summed in scratch: float64[d rounded up to fours]. */
export function layer_norm_weight_gradient(
  g: usize, x: usize, y: usize, rows: usize, d: usize, eps: f64, centred: i32, scratch: usize,
): void {
  memory.fill(scratch, 0, ((d + 3) & ~3) * 8);
  for (; rows; rows--) {
    const average = centred ? sumOf(x, d) / <f64>d : 0;
    const factor = f64x2.splat(1 / sqrt<f64>(squaresOf(x, d, average) / <f64>d + eps));
    const mean = f64x2.splat(average);
    for (let i: usize = 0; i < d; i += 4) {
      const v = loadLanes(x, i, d), w = loadLanes(g, i, d);
      const at = scratch + i * 8;
      const p = f64x2.mul(low(w), f64x2.mul(f64x2.sub(low(v), mean), factor));
      const q = f64x2.mul(high(w), f64x2.mul(f64x2.sub(high(v), mean), factor));
      v128.store(at, f64x2.add(v128.load(at), p));
      v128.store(at, f64x2.add(v128.load(at, 16), q), 16);
    }
    g += d * BYTES;
    x += d * BYTES;
  }
  for (let i: usize = 0; i < d; i += 4) {
    storeLanes(y, i, d, narrow(v128.load(scratch + i * 8), v128.load(scratch + i * 8, 16)));
  }
}

function sumOf(x: usize, d: usize): f64 {
  let a = f64x2.splat(0), b = a;
  for (let i: usize = 0; i < d; i += 4) {
    const v = loadLanes(x, i, d);
    a = f64x2.add(a, low(v));
    b = f64x2.add(b, high(v));
  }
  return total(a, b);
}

function squaresOf(x: usize, d: usize, average: f64): f64 {
  const mean = f64x2.splat(average);
  let a = f64x2.splat(0), b = a;
  let i: usize = 0;
  for (; i + 4 <= d; i += 4) {
    const v = v128.load(x + i * BYTES);
    const p = f64x2.sub(low(v), mean);
    const q = f64x2.sub(high(v), mean);
    a = f64x2.add(a, f64x2.mul(p, p));
    b = f64x2.add(b, f64x2.mul(q, q));
  }
  let sum = total(a, b);
  for (; i < d; i++) {
    const difference = <f64>load<f32>(x + i * BYTES) - average;
    sum += difference * difference;
  }
  return sum;
}
