// One dimension resampled: x[outer, d, inner] → y[outer, od, inner]. Indices and weights are computed in float32, as in
// ATen/native/UpSample.h. mode 0: nearest; 1: nearest-exact; 2: linear; 3: cubic (a = -0.75).

import { BYTES, loadLanes, storeLanes } from './lanes';
import { addLine, addScaled, copyLine } from './lines';

/** step: elements of x from one of y to the next; align 1: the first and last elements of x and y are each other's. */
export function interpolate(
  x: usize, y: usize, outer: usize, d: i32, inner: usize, od: i32, mode: i32, step: f64, align: i32,
): void {
  const bytes = inner * BYTES;
  const ratio = <f32>step;
  for (; outer; outer--) {
    for (let j: i32 = 0; j < od; j++) {
      if (mode < 2) {
        copyLine(x + <usize>nearest(j, d, ratio, mode) * bytes, y, inner);
      } else {
        const at = position(j, d, od, ratio, mode, align);
        const first = min(<i32>floor<f32>(at), d - 1);
        const rest = min<f32>(max<f32>(at - <f32>first, 0), 1);
        if (mode == 2) {
          const next = first + (first < d - 1 ? 1 : 0);
          blend(x + <usize>first * bytes, x + <usize>next * bytes, 1 - rest, rest, y, inner);
        } else {
          const last = d - 1;
          const x0 = x + <usize>clamp(first - 1, last) * bytes, x1 = x + <usize>clamp(first, last) * bytes;
          const x2 = x + <usize>clamp(first + 1, last) * bytes, x3 = x + <usize>clamp(first + 2, last) * bytes;
          blend(x0, x1, outside(rest + 1), inside(rest), y, inner);
          addScaled(x2, inside(1 - rest), y, inner);
          addScaled(x3, outside(2 - rest), y, inner);
        }
      }
      y += bytes;
    }
    x += <usize>d * bytes;
  }
}

/** dx[outer, d, inner] of dy[outer, od, inner] */
export function interpolate_gradient(
  dy: usize, dx: usize, outer: usize, d: i32, inner: usize, od: i32, mode: i32, step: f64, align: i32,
): void {
  const bytes = inner * BYTES;
  const ratio = <f32>step;
  memory.fill(dx, 0, outer * <usize>d * bytes);
  for (; outer; outer--) {
    for (let j: i32 = 0; j < od; j++) {
      if (mode < 2) {
        addLine(dy, dx + <usize>nearest(j, d, ratio, mode) * bytes, inner);
      } else {
        const at = position(j, d, od, ratio, mode, align);
        const first = min(<i32>floor<f32>(at), d - 1);
        const rest = min<f32>(max<f32>(at - <f32>first, 0), 1);
        if (mode == 2) {
          const next = first + (first < d - 1 ? 1 : 0);
          addScaled(dy, 1 - rest, dx + <usize>first * bytes, inner);
          addScaled(dy, rest, dx + <usize>next * bytes, inner);
        } else {
          const last = d - 1;
          addScaled(dy, outside(rest + 1), dx + <usize>clamp(first - 1, last) * bytes, inner);
          addScaled(dy, inside(rest), dx + <usize>clamp(first, last) * bytes, inner);
          addScaled(dy, inside(1 - rest), dx + <usize>clamp(first + 1, last) * bytes, inner);
          addScaled(dy, outside(2 - rest), dx + <usize>clamp(first + 2, last) * bytes, inner);
        }
      }
      dy += bytes;
    }
    dx += <usize>d * bytes;
  }
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
