// What losses are made of besides arithmetic: classes given by their numbers, and the cross entropy of probabilities.
// Classes are int64; one that is `ignored` (NaN: none is) counts as nothing wherever it is.

import { log } from './elementary';
import { BYTES, loadLanes, storeLanes } from './lanes';

const INT64: usize = 8;

/** y[n, classes] = 1 at index[n], else 0; -1, or the first i whose index is none of the classes. */
export function one_hot(index: usize, y: usize, n: usize, classes: usize, ignored: f64): i32 {
  memory.fill(y, 0, n * classes * BYTES);
  for (let i: usize = 0; i < n; i++) {
    const at = load<i64>(index + i * INT64);
    if (<f64>at == ignored) continue;
    if (<u64>at >= <u64>classes) return <i32>i;
    store<f32>(y + (i * classes + <usize>at) * BYTES, 1);
  }
  return -1;
}

/** y[i] = x[i · row + index[i]], and 0 for the ignored; -1, or the first i whose index is none of the classes. */
export function pick(x: usize, row: usize, index: usize, y: usize, n: usize, classes: usize, ignored: f64): i32 {
  for (let i: usize = 0; i < n; i++) {
    const at = load<i64>(index + i * INT64);
    let value: f32 = 0;
    if (<f64>at != ignored) {
      if (<u64>at >= <u64>classes) return <i32>i;
      value = load<f32>(x + (i * row + <usize>at) * BYTES);
    }
    store<f32>(y + i * BYTES, value);
  }
  return -1;
}

/** y = -(t · max(log x, -100) + (1 - t) · max(log(1 - x), -100)); -1, or the first i where not 0 <= x <= 1. */
export function binary_cross_entropy(x: usize, t: usize, y: usize, n: usize): i32 {
  const one = f32x4.splat(1), zero = f32x4.splat(0), least = f32x4.splat(-100);
  for (let i: usize = 0; i < n; i += 4) {
    const p = loadLanes(x, i, n);
    const outside = v128.or(f32x4.lt(p, zero), f32x4.gt(p, one));
    if (v128.any_true(outside)) {
      for (let lane: usize = 0; ; lane++) {
        const value = load<f32>(x + (i + lane) * BYTES);
        if (value < 0 || value > 1) return <i32>(i + lane);
      }
    }
    const target = loadLanes(t, i, n);
    const hit = f32x4.mul(target, f32x4.max(log(p), least));
    const miss = f32x4.mul(f32x4.sub(one, target), f32x4.max(log(f32x4.sub(one, p)), least));
    storeLanes(y, i, n, f32x4.neg(f32x4.add(hit, miss)));
  }
  return -1;
}
