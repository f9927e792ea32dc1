// Sums over all but the channels of x[n, c, inner], what batch normalisation and its gradient are made of.
// Each channel's sum runs in float64 and in one order, which n, c and inner decide. A call works on `count` channels from
// the one that x, and what has one number for each channel, are given at: rows of x stay c · inner elements apart.

import { BYTES, high, loadLanes, low, narrow, storeLanes, total } from './lanes';

/** y[c] = Σ x[n, c, inner] / divisor */
export function channel_sum(
  x: usize, y: usize, n: usize, c: usize, inner: usize, count: usize, divisor: f64,
): void {
  if (inner == 1) {
    const by = f64x2.splat(divisor);
    for (let i: usize = 0; i < count; i += 4) {
      let a = f64x2.splat(0), b = a;
      for (let j: usize = 0; j < n; j++) {
        const v = loadLanes(x + j * c * BYTES, i, count);
        a = f64x2.add(a, low(v));
        b = f64x2.add(b, high(v));
      }
      storeLanes(y, i, count, narrow(f64x2.div(a, by), f64x2.div(b, by)));
    }
    return;
  }
  for (let channel: usize = 0; channel < count; channel++) {
    let a = f64x2.splat(0), b = a;
    for (let j: usize = 0; j < n; j++) {
      const from = x + (j * c + channel) * inner * BYTES;
      for (let i: usize = 0; i < inner; i += 4) {
        const v = loadLanes(from, i, inner);
        a = f64x2.add(a, low(v));
        b = f64x2.add(b, high(v));
      }
    }
    store<f32>(y + channel * BYTES, <f32>(total(a, b) / divisor));
  }
}

/** y[c] = the biased variance around the true mean; mean[c] is that mean as a float32. */
export function channel_variance(
  x: usize, mean: usize, y: usize, n: usize, c: usize, inner: usize, count: usize,
): void {
  const size = <f64>(n * inner);
  for (let channel: usize = 0; channel < count; channel += inner == 1 ? 4 : 1) {
    if (inner == 1) {
      const m = loadLanes(mean, channel, count);
      const m0 = low(m), m1 = high(m);
      let a = f64x2.splat(0), b = a, s = a, t = a;
      for (let j: usize = 0; j < n; j++) {
        const v = loadLanes(x + j * c * BYTES, channel, count);
        const p = f64x2.sub(low(v), m0), q = f64x2.sub(high(v), m1);
        s = f64x2.add(s, p);
        t = f64x2.add(t, q);
        a = f64x2.add(a, f64x2.mul(p, p));
        b = f64x2.add(b, f64x2.mul(q, q));
      }
      storeLanes(y, channel, count, narrow(corrected(a, s, size), corrected(b, t, size)));
      continue;
    }
    const m = <f64>load<f32>(mean + channel * BYTES);
    const m2 = f64x2.splat(m);
    let a = f64x2.splat(0), b = a, s = a, t = a;
    for (let j: usize = 0; j < n; j++) {
      const from = x + (j * c + channel) * inner * BYTES;
      let i: usize = 0;
      for (; i + 4 <= inner; i += 4) {
        const v = v128.load(from + i * BYTES);
        const p = f64x2.sub(low(v), m2), q = f64x2.sub(high(v), m2);
        s = f64x2.add(s, p);
        t = f64x2.add(t, q);
        a = f64x2.add(a, f64x2.mul(p, p));
        b = f64x2.add(b, f64x2.mul(q, q));
      }
      for (; i < inner; i++) {
        const p = f64x2.replace_lane(f64x2.splat(0), 0, <f64>load<f32>(from + i * BYTES) - m);
        s = f64x2.add(s, p);
        a = f64x2.add(a, f64x2.mul(p, p));
      }
    }
    const sum = f64x2.splat(total(s, t));
    const squares = f64x2.splat(total(a, b));
    store<f32>(y + channel * BYTES, <f32>f64x2.extract_lane(corrected(squares, sum, size), 0));
  }
}

/** The mean of squares around a number, without what its distance from the mean adds. */
// @ts-ignore: decorator
@inline
function corrected(squares: v128, sum: v128, size: f64): v128 {
  const n = f64x2.splat(size);
  const off = f64x2.div(sum, n);
  return f64x2.max(f64x2.splat(0), f64x2.sub(f64x2.div(squares, n), f64x2.mul(off, off)));
}

/** y[c] = Σ g · (x - mean[c]) / sqrt(variance[c] + eps); mean and variance 0: Σ g · x. */
export function channel_dot(
  g: usize, x: usize, mean: usize, variance: usize, y: usize,
  n: usize, c: usize, inner: usize, count: usize, eps: f64,
): void {
  for (let channel: usize = 0; channel < count; channel += inner == 1 ? 4 : 1) {
    let a = f64x2.splat(0), b = a;
    if (inner == 1) {
      const m = mean ? loadLanes(mean, channel, count) : f32x4.splat(0);
      for (let j: usize = 0; j < n; j++) {
        const at = j * c * BYTES;
        const v = loadLanes(x + at, channel, count), w = loadLanes(g + at, channel, count);
        a = f64x2.add(a, f64x2.mul(low(w), f64x2.sub(low(v), low(m))));
        b = f64x2.add(b, f64x2.mul(high(w), f64x2.sub(high(v), high(m))));
      }
      if (variance) {
        const spread = loadLanes(variance, channel, count);
        a = f64x2.mul(a, inverseRoot(low(spread), eps));
        b = f64x2.mul(b, inverseRoot(high(spread), eps));
      }
      storeLanes(y, channel, count, narrow(a, b));
      continue;
    }
    const m = f64x2.splat(mean ? <f64>load<f32>(mean + channel * BYTES) : 0);
    for (let j: usize = 0; j < n; j++) {
      const at = (j * c + channel) * inner * BYTES;
      for (let i: usize = 0; i < inner; i += 4) {
        // Past the end g is 0.
        const v = loadLanes(x + at, i, inner), w = loadLanes(g + at, i, inner);
        a = f64x2.add(a, f64x2.mul(low(w), f64x2.sub(low(v), m)));
        b = f64x2.add(b, f64x2.mul(high(w), f64x2.sub(high(v), m)));
      }
    }
    let sum = total(a, b);
    if (variance) sum /= sqrt<f64>(<f64>load<f32>(variance + channel * BYTES) + eps);
    store<f32>(y + channel * BYTES, <f32>sum);
  }
}

// @ts-ignore: decorator
@inline
function inverseRoot(variance: v128, eps: f64): v128 {
  return f64x2.div(f64x2.splat(1), f64x2.sqrt(f64x2.add(variance, f64x2.splat(eps))));
}

/**
 * dx of batch_norm. sum[c] = Σ g and dot[c] = channel_dot where mean and variance are those of x itself; 0 where they
 * are given. The whole of x: c channels.
 */
export function batch_norm_gradient(
  g: usize, x: usize, mean: usize, variance: usize, weight: usize, sum: usize, dot: usize, y: usize,
  n: usize, c: usize, inner: usize, size: f64, eps: f64,
): void {
  const one = f32x4.splat(1), zero = f32x4.splat(0);
  const each = f32x4.splat(<f32>(1 / size));
  const small = f32x4.splat(<f32>eps);
  for (; n; n--) {
    if (inner == 1) {
      for (let i: usize = 0; i < c; i += 4) {
        const factor = f32x4.div(one, f32x4.sqrt(f32x4.add(loadLanes(variance, i, c), small)));
        const scale = weight ? f32x4.mul(factor, loadLanes(weight, i, c)) : factor;
        const shift = sum ? f32x4.mul(loadLanes(sum, i, c), each) : zero;
        const slope = sum ? f32x4.mul(f32x4.mul(loadLanes(dot, i, c), each), factor) : zero;
        const v = f32x4.sub(loadLanes(x, i, c), loadLanes(mean, i, c));
        storeLanes(y, i, c, direction(loadLanes(g, i, c), v, shift, slope, scale));
      }
      g += c * BYTES;
      x += c * BYTES;
      y += c * BYTES;
      continue;
    }
    for (let channel: usize = 0; channel < c * BYTES; channel += BYTES) {
      const average = v128.load32_splat(mean + channel);
      const factor = f32x4.div(one, f32x4.sqrt(f32x4.add(v128.load32_splat(variance + channel), small)));
      const scale = weight ? f32x4.mul(factor, v128.load32_splat(weight + channel)) : factor;
      const shift = sum ? f32x4.mul(v128.load32_splat(sum + channel), each) : zero;
      const slope = sum ? f32x4.mul(f32x4.mul(v128.load32_splat(dot + channel), each), factor) : zero;
      for (let i: usize = 0; i < inner; i += 4) {
        const v = f32x4.sub(loadLanes(x, i, inner), average);
        storeLanes(y, i, inner, direction(loadLanes(g, i, inner), v, shift, slope, scale));
      }
      g += inner * BYTES;
      x += inner * BYTES;
      y += inner * BYTES;
    }
  }
}

// @ts-ignore: decorator
@inline
function direction(g: v128, centred: v128, shift: v128, slope: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.sub(g, shift), f32x4.mul(centred, slope)), scale);
}

/** y = x · weight[c] + bias[c]; weight, bias 0: none. */
export function channel_affine(
  x: usize, weight: usize, bias: usize, y: usize, n: usize, c: usize, inner: usize,
): void {
  const one = f32x4.splat(1), zero = f32x4.splat(-0.0);
  for (; n; n--) {
    if (inner == 1) {
      for (let i: usize = 0; i < c; i += 4) {
        const scale = weight ? loadLanes(weight, i, c) : one;
        const shift = bias ? loadLanes(bias, i, c) : zero;
        storeLanes(y, i, c, f32x4.add(f32x4.mul(loadLanes(x, i, c), scale), shift));
      }
      x += c * BYTES;
      y += c * BYTES;
      continue;
    }
    for (let channel: usize = 0; channel < c * BYTES; channel += BYTES) {
      const scale = weight ? v128.load32_splat(weight + channel) : one;
      const shift = bias ? v128.load32_splat(bias + channel) : zero;
      for (let i: usize = 0; i < inner; i += 4) {
        storeLanes(y, i, inner, f32x4.add(f32x4.mul(loadLanes(x, i, inner), scale), shift));
      }
      x += inner * BYTES;
      y += inner * BYTES;
    }
  }
}

/**
 * y[i] = (1 - factor) · running[i] + factor · scale · statistic[i]. A factor below 0 stands for 1 / count, count being
 * an int64.
 */
export function running_average(
  statistic: usize, running: usize, count: usize, y: usize, n: usize, factor: f64, scale: f64,
): void {
  const share = factor < 0 ? 1 / <f64>load<i64>(count) : factor;
  for (let i: usize = 0; i < n * BYTES; i += BYTES) {
    const fresh = <f64>load<f32>(statistic + i) * scale;
    store<f32>(y + i, <f32>(share * fresh + (1 - share) * <f64>load<f32>(running + i)));
  }
}

/** int64: y = x + 1 */
export function increment(x: usize, y: usize): void {
  store<i64>(y, load<i64>(x) + 1);
}
