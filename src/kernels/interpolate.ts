// One dimension resampled: x[outer, d, inner] → y[outer, od, inner]. Indices and weights are computed in float32, as in
// ATen/native/UpSample.h, once for all lines. mode 0: nearest; 1: nearest-exact; 2: linear; 3: cubic (a = -0.75).

import { BYTES, loadLanes, storeLanes } from './lanes';
import { addLine, addScaled, copyLine } from './lines';

/** What one element of y is made of: four places in a line of x, in bytes, and their weights. */
const ENTRY: usize = 32;
const WEIGHTS: usize = 16;

/**
 * step: elements of x from one of y to the next; align 1: the first and last elements of x and y are each other's;
 * table: od · 32 bytes.
 */
export function interpolate(
  x: usize, y: usize, outer: usize, d: i32, inner: usize, od: i32, mode: i32, step: f64, align: i32, table: usize,
): void {
  const bytes = inner * BYTES;
  fillTable(table, d, bytes, od, mode, <f32>step, align);
  const end = table + <usize>od * ENTRY;
  for (; outer; outer--) {
    if (inner == 1) resampleRow(x, y, table, end, mode);
    else {
      let to = y;
      for (let at = table; at < end; at += ENTRY) {
        const x0 = x + load<u32>(at);
        if (mode < 2) copyLine(x0, to, inner);
        else {
          blend(x0, x + load<u32>(at, 4), load<f32>(at, WEIGHTS), load<f32>(at, WEIGHTS + 4), to, inner);
          if (mode == 3) {
            addScaled(x + load<u32>(at, 8), load<f32>(at, WEIGHTS + 8), to, inner);
            addScaled(x + load<u32>(at, 12), load<f32>(at, WEIGHTS + 12), to, inner);
          }
        }
        to += bytes;
      }
    }
    x += <usize>d * bytes;
    y += <usize>od * bytes;
  }
}

/** One element at each place. */
function resampleRow(x: usize, y: usize, table: usize, end: usize, mode: i32): void {
  for (let at = table; at < end; at += ENTRY) {
    let value = load<f32>(x + load<u32>(at));
    if (mode >= 2) {
      value = value * load<f32>(at, WEIGHTS) + load<f32>(x + load<u32>(at, 4)) * load<f32>(at, WEIGHTS + 4);
    }
    if (mode == 3) {
      value += load<f32>(x + load<u32>(at, 8)) * load<f32>(at, WEIGHTS + 8);
      value += load<f32>(x + load<u32>(at, 12)) * load<f32>(at, WEIGHTS + 12);
    }
    store<f32>(y, value);
    y += BYTES;
  }
}

/** dx[outer, d, inner] of dy[outer, od, inner] */
export function interpolate_gradient(
  dy: usize, dx: usize, outer: usize, d: i32, inner: usize, od: i32, mode: i32, step: f64, align: i32, table: usize,
): void {
  const bytes = inner * BYTES;
  fillTable(table, d, bytes, od, mode, <f32>step, align);
  const end = table + <usize>od * ENTRY;
  const taps: usize = mode < 2 ? 1 : mode == 2 ? 2 : 4;
  memory.fill(dx, 0, outer * <usize>d * bytes);
  for (; outer; outer--) {
    for (let at = table; at < end; at += ENTRY) {
      for (let tap: usize = 0; tap < taps; tap++) {
        const to = dx + load<u32>(at + tap * BYTES);
        const weight = load<f32>(at + tap * BYTES, WEIGHTS);
        if (inner == 1) store<f32>(to, load<f32>(to) + weight * load<f32>(dy));
        else if (mode < 2) addLine(dy, to, inner);
        else addScaled(dy, weight, to, inner);
      }
      dy += bytes;
    }
    dx += <usize>d * bytes;
  }
}

function fillTable(table: usize, d: i32, bytes: usize, od: i32, mode: i32, step: f32, align: i32): void {
  const last = d - 1;
  for (let j: i32 = 0; j < od; j++) {
    if (mode < 2) {
      entry(table, 0, nearest(j, d, step, mode), bytes, 1);
    } else {
      const at = position(j, d, od, step, mode, align);
      const first = min(<i32>floor<f32>(at), last);
      const rest = min<f32>(max<f32>(at - <f32>first, 0), 1);
      if (mode == 2) {
        entry(table, 0, first, bytes, 1 - rest);
        entry(table, 1, min(first + 1, last), bytes, rest);
      } else {
        entry(table, 0, clamp(first - 1, last), bytes, outside(rest + 1));
        entry(table, 1, clamp(first, last), bytes, inside(rest));
        entry(table, 2, clamp(first + 1, last), bytes, inside(1 - rest));
        entry(table, 3, clamp(first + 2, last), bytes, outside(2 - rest));
      }
    }
    table += ENTRY;
  }
}

// @ts-ignore: decorator
@inline
function entry(table: usize, tap: usize, index: i32, bytes: usize, weight: f32): void {
  store<u32>(table + tap * BYTES, <u32>(<usize>index * bytes));
  store<f32>(table + tap * BYTES, weight, WEIGHTS);
}

// @ts-ignore: decorator
@inline
function nearest(j: i32, d: i32, step: f32, mode: i32): i32 {
  if (mode == 0) return min(<i32>floor<f32>(<f32>j * step), d - 1);
  return min(<i32>floor<f32>(max<f32>(step * (<f32>j + 0.5) - 0.5, 0) + 0.5), d - 1);
}

/** Where output j lies in x; below 0 for the cubic alone, whose first element then is -1. */
// @ts-ignore: decorator
@inline
function position(j: i32, d: i32, od: i32, step: f32, mode: i32, align: i32): f32 {
  if (mode == 2 && od == d) return <f32>j;
  if (align) return step * <f32>j;
  const at = step * (<f32>j + 0.5) - 0.5;
  return mode == 2 ? max<f32>(at, 0) : at;
}

// @ts-ignore: decorator
@inline
function clamp(i: i32, last: i32): i32 {
  return max(0, min(i, last));
}

/** The cubic's weight of an element at most 1 away. */
// @ts-ignore: decorator
@inline
function inside(x: f32): f32 {
  const a: f32 = -0.75;
  return ((a + 2) * x - (a + 3)) * x * x + 1;
}

/** And of one between 1 and 2 away. */
// @ts-ignore: decorator
@inline
function outside(x: f32): f32 {
  const a: f32 = -0.75;
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

/** y = wa · a + wb · b */
// @ts-ignore: decorator
@inline
function blend(a: usize, b: usize, wa: f32, wb: f32, y: usize, n: usize): void {
  const u = f32x4.splat(wa), v = f32x4.splat(wb);
  for (let i: usize = 0; i < n; i += 4) {
    storeLanes(y, i, n, f32x4.add(f32x4.mul(loadLanes(a, i, n), u), f32x4.mul(loadLanes(b, i, n), v)));
  }
}
