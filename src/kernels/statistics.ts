// What is told of a tensor instead of its values: sums, extremes and counts of one block, and how many fall into which bin.
// Sums run in float64, in an order that the block's length alone decides: float32 in four lanes, the rest one after another.

import { BYTES, high, low, total } from './lanes';

// float64 at out[0 ... 9]. Sums and extremes of a NaN's neighbours are theirs: whoever reads them looks at NANS.
const SUM: usize = 0;
const SQUARES: usize = 8;
/** The sum of (x - mean)². */
const DEVIATIONS: usize = 16;
/** Of what is no NaN; Infinity and -Infinity where nothing is. */
const MIN: usize = 24;
const MAX: usize = 32;
/** The same of what is finite. */
const LEAST: usize = 40;
const MOST: usize = 48;
const NANS: usize = 56;
const INFINITIES: usize = 64;
const ZEROS: usize = 72;

export function moments_float32(x: usize, n: usize, out: usize): void {
  const zero = f32x4.splat(0);
  let a = f64x2.splat(0), b = a, aa = a, bb = a;
  let lowest = f32x4.splat(Infinity), highest = f32x4.splat(-Infinity);
  let zeros = i32x4.splat(0), nans = zeros, strange = zeros;
  const end = x + n * BYTES;
  const lanesEnd = x + (n & ~3) * BYTES;
  let at = x;
  for (; at < lanesEnd; at += 4 * BYTES) {
    const v = v128.load(at);
    const p = low(v), q = high(v);
    a = f64x2.add(a, p);
    b = f64x2.add(b, q);
    aa = f64x2.add(aa, f64x2.mul(p, p));
    bb = f64x2.add(bb, f64x2.mul(q, q));
    // A NaN counts as what is no bound; -0 is less than 0.
    const known = f32x4.eq(v, v);
    lowest = f32x4.min(lowest, v128.bitselect(v, f32x4.splat(Infinity), known));
    highest = f32x4.max(highest, v128.bitselect(v, f32x4.splat(-Infinity), known));
    zeros = i32x4.sub(zeros, f32x4.eq(v, zero));
    nans = i32x4.sub(nans, f32x4.ne(v, v));
    strange = i32x4.sub(strange, f32x4.ne(f32x4.sub(v, v), zero));
  }
  let sum = total(a, b), squares = total(aa, bb);
  let lo = min(
    min(f32x4.extract_lane(lowest, 0), f32x4.extract_lane(lowest, 1)),
    min(f32x4.extract_lane(lowest, 2), f32x4.extract_lane(lowest, 3)),
  );
  let hi = max(
    max(f32x4.extract_lane(highest, 0), f32x4.extract_lane(highest, 1)),
    max(f32x4.extract_lane(highest, 2), f32x4.extract_lane(highest, 3)),
  );
  let zeroCount = countOf(zeros), nanCount = countOf(nans), strangeCount = countOf(strange);
  for (; at < end; at += BYTES) {
    const v = load<f32>(at);
    sum += <f64>v;
    squares += <f64>v * <f64>v;
    if (v == v) {
      lo = min(lo, v);
      hi = max(hi, v);
    }
    zeroCount += i32(v == 0);
    nanCount += i32(v != v);
    strangeCount += i32(v - v != 0);
  }
  store<f64>(out + SUM, sum);
  store<f64>(out + SQUARES, squares);
  store<f64>(out + DEVIATIONS, deviations(x, n, sum / <f64>n));
  store<f64>(out + MIN, <f64>lo);
  store<f64>(out + MAX, <f64>hi);
  store<f64>(out + NANS, <f64>nanCount);
  store<f64>(out + INFINITIES, <f64>(strangeCount - nanCount));
  store<f64>(out + ZEROS, <f64>zeroCount);
  if (strangeCount) {
    lo = Infinity;
    hi = -Infinity;
    for (at = x; at < end; at += BYTES) {
      const v = load<f32>(at);
      if (v - v != 0) continue;
      lo = min(lo, v);
      hi = max(hi, v);
    }
  }
  store<f64>(out + LEAST, <f64>lo);
  store<f64>(out + MOST, <f64>hi);
}

function deviations(x: usize, n: usize, average: f64): f64 {
  const mean = f64x2.splat(average);
  let a = f64x2.splat(0), b = a;
  const end = x + n * BYTES;
  const lanesEnd = x + (n & ~3) * BYTES;
  for (; x < lanesEnd; x += 4 * BYTES) {
    const v = v128.load(x);
    const p = f64x2.sub(low(v), mean);
    const q = f64x2.sub(high(v), mean);
    a = f64x2.add(a, f64x2.mul(p, p));
    b = f64x2.add(b, f64x2.mul(q, q));
  }
  let sum = total(a, b);
  for (; x < end; x += BYTES) {
    const difference = <f64>load<f32>(x) - average;
    sum += difference * difference;
  }
  return sum;
}

function countOf(lanes: v128): i32 {
  return (
    i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1) +
    i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3)
  );
}

export function moments_int64(x: usize, n: usize, out: usize): void {
  integerMoments<i64>(x, n, out);
}

export function moments_int32(x: usize, n: usize, out: usize): void {
  integerMoments<i32>(x, n, out);
}

export function moments_bool(x: usize, n: usize, out: usize): void {
  integerMoments<u8>(x, n, out);
}

function integerMoments<T>(x: usize, n: usize, out: usize): void {
  const end = x + n * sizeof<T>();
  let sum: f64 = 0, squares: f64 = 0, lo: f64 = Infinity, hi: f64 = -Infinity, zeros: f64 = 0;
  for (let at = x; at < end; at += sizeof<T>()) {
    const v = <f64>load<T>(at);
    sum += v;
    squares += v * v;
    lo = min(lo, v);
    hi = max(hi, v);
    if (v == 0) zeros++;
  }
  const mean = sum / <f64>n;
  let spread: f64 = 0;
  for (let at = x; at < end; at += sizeof<T>()) {
    const difference = <f64>load<T>(at) - mean;
    spread += difference * difference;
  }
  store<f64>(out + SUM, sum);
  store<f64>(out + SQUARES, squares);
  store<f64>(out + DEVIATIONS, spread);
  store<f64>(out + MIN, lo);
  store<f64>(out + MAX, hi);
  store<f64>(out + LEAST, lo);
  store<f64>(out + MOST, hi);
  store<f64>(out + NANS, 0);
  store<f64>(out + INFINITIES, 0);
  store<f64>(out + ZEROS, zeros);
}

export function histogram_float32(x: usize, n: usize, edges: usize, bins: usize, even: i32, counts: usize): void {
  histogram<f32>(x, n, edges, bins, even, counts);
}

export function histogram_int64(x: usize, n: usize, edges: usize, bins: usize, even: i32, counts: usize): void {
  histogram<i64>(x, n, edges, bins, even, counts);
}

export function histogram_int32(x: usize, n: usize, edges: usize, bins: usize, even: i32, counts: usize): void {
  histogram<i32>(x, n, edges, bins, even, counts);
}

export function histogram_bool(x: usize, n: usize, edges: usize, bins: usize, even: i32, counts: usize): void {
  histogram<u8>(x, n, edges, bins, even, counts);
}

function histogram<T>(x: usize, n: usize, edges: usize, bins: usize, even: i32, counts: usize): void {
  const first = load<f64>(edges);
  const last = load<f64>(edges + bins * 8);
  const scale = <f64>bins / (last - first);
  const end = x + n * sizeof<T>();
  for (; x < end; x += sizeof<T>()) {
    const v = <f64>load<T>(x);
    if (!(v >= first && v <= last)) continue; // nor NaN
    let bin = even ? near(v, first, scale, edges, bins) : halved(v, edges, bins);
    const count = counts + (bin << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
}

/** The last bin that begins at or below v: where even bins would have it, but for what the edges were rounded by. */
// @ts-ignore: decorator
@inline
function near(v: f64, first: f64, scale: f64, edges: usize, bins: usize): usize {
  let bin = min(<usize>((v - first) * scale), bins - 1);
  while (bin > 0 && v < load<f64>(edges + (bin << 3))) bin--;
  while (bin + 1 < bins && v >= load<f64>(edges + (bin << 3), 8)) bin++;
  return bin;
}

// @ts-ignore: decorator
@inline
function halved(v: f64, edges: usize, bins: usize): usize {
  // Without a branch on what no processor can guess.
  let bin: usize = 0, left = bins;
  while (left > 1) {
    const half = left >> 1;
    const middle = bin + half;
    bin = select<usize>(middle, bin, v >= load<f64>(edges + (middle << 3)));
    left -= half;
  }
  return bin;
}
