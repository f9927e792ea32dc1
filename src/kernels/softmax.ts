// softmax and log_softmax over the middle dimension of x[outer,d,inner]; the maximum is subtracted first.
// The exponentials are summed in float64, in an order that d (and inner being 1) decides.

import { exp, log1p } from './elementary';
import { BYTES, high, loadLanes, low, narrow, storeLanes, total } from './lanes';

export function softmax(x: usize, y: usize, outer: usize, d: usize, inner: usize): void {
  const bytes = d * inner * BYTES;
  for (; outer; outer--) {
    if (inner == 1) softmaxRow(x, y, d);
    else softmaxColumns(x, y, d, inner);
    x += bytes;
    y += bytes;
  }
}

/** Each of `rows` rows of d elements; y may be x. native/softmax.h gives the same bits. */
export function softmax_rows(x: usize, y: usize, rows: usize, d: usize): void {
  for (; rows; rows--) {
    softmaxRow(x, y, d);
    x += d * BYTES;
    y += d * BYTES;
  }
}

export function log_softmax(x: usize, y: usize, outer: usize, d: usize, inner: usize): void {
  const bytes = d * inner * BYTES;
  for (; outer; outer--) {
    if (inner == 1) logSoftmaxRow(x, y, d);
    else logSoftmaxColumns(x, y, d, inner);
    x += bytes;
    y += bytes;
  }
}

function softmaxRow(x: usize, y: usize, d: usize): void {
  const largest = f32x4.splat(maximumOf(x, d));
  let a = f64x2.splat(0), b = a;
  for (let i: usize = 0; i < d; i += 4) {
    // exp(-infinity) = 0 in the lanes past the end: they add nothing
    const e = exp(f32x4.sub(loadLanes(x, i, d, -Infinity), largest));
    a = f64x2.add(a, low(e));
    b = f64x2.add(b, high(e));
    storeLanes(y, i, d, e);
  }
  const sum = f32x4.splat(<f32>total(a, b));
  for (let i: usize = 0; i < d; i += 4) storeLanes(y, i, d, f32x4.div(loadLanes(y, i, d), sum));
}

function logSoftmaxRow(x: usize, y: usize, d: usize): void {
  const largest = f32x4.splat(maximumOf(x, d));
  let a = f64x2.splat(0), b = a;
  for (let i: usize = 0; i < d; i += 4) {
    const e = exp(f32x4.sub(loadLanes(x, i, d, -Infinity), largest));
    a = f64x2.add(a, low(e));
    b = f64x2.add(b, high(e));
  }
  // The maximum itself adds exactly 1: log1p of the rest keeps what log of the sum would lose.
  const logarithm = log1p(f32x4.splat(<f32>(total(a, b) - 1)));
  for (let i: usize = 0; i < d; i += 4) {
    storeLanes(y, i, d, f32x4.sub(f32x4.sub(loadLanes(x, i, d), largest), logarithm));
  }
}

function maximumOf(x: usize, d: usize): f32 {
  let m = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < d; i += 4) m = f32x4.max(m, loadLanes(x, i, d, -Infinity));
  return max(
    max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
    max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
  );
}

function softmaxColumns(x: usize, y: usize, d: usize, inner: usize): void {
  const row = inner * BYTES;
  for (let i: usize = 0; i < inner; i += 4) {
    const largest = maximumOfColumns(x, d, inner, i);
    let a = f64x2.splat(0), b = a;
    for (let j: usize = 0; j < d; j++) {
      const e = exp(f32x4.sub(loadLanes(x + j * row, i, inner), largest));
      a = f64x2.add(a, low(e));
      b = f64x2.add(b, high(e));
      storeLanes(y + j * row, i, inner, e);
    }
    const sum = narrow(a, b);
    for (let j: usize = 0; j < d; j++) {
      storeLanes(y + j * row, i, inner, f32x4.div(loadLanes(y + j * row, i, inner), sum));
    }
  }
}

function logSoftmaxColumns(x: usize, y: usize, d: usize, inner: usize): void {
  const row = inner * BYTES;
  for (let i: usize = 0; i < inner; i += 4) {
    const largest = maximumOfColumns(x, d, inner, i);
    let a = f64x2.splat(-1), b = a;
    for (let j: usize = 0; j < d; j++) {
      const e = exp(f32x4.sub(loadLanes(x + j * row, i, inner), largest));
      a = f64x2.add(a, low(e));
      b = f64x2.add(b, high(e));
    }
    const logarithm = log1p(narrow(a, b));
    for (let j: usize = 0; j < d; j++) {
      const v = loadLanes(x + j * row, i, inner);
      storeLanes(y + j * row, i, inner, f32x4.sub(f32x4.sub(v, largest), logarithm));
    }
  }
}

function maximumOfColumns(x: usize, d: usize, inner: usize, i: usize): v128 {
  let m = f32x4.splat(-Infinity);
  for (let j: usize = 0; j < d; j++) m = f32x4.max(m, loadLanes(x + j * inner * BYTES, i, inner));
  return m;
}
