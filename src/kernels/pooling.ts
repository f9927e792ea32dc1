// Pools over planes (h, w) → (oh, ow). Sums run over rows, then columns, in float64.

import { BYTES } from './lanes';

/** Padding counts as -infinity; NaN wins. */
export function max_pool(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = inside(i * sh - ph, dh);
      const bottom = min(i * sh - ph + (kh - 1) * dh + 1, h);
      for (let j: i32 = 0; j < ow; j++) {
        const left = inside(j * sw - pw, dw);
        const right = min(j * sw - pw + (kw - 1) * dw + 1, w);
        let largest: f32 = -Infinity;
        for (let row = top; row < bottom; row += dh) {
          const from = x + <usize>row * w * BYTES;
          for (let column = left; column < right; column += dw) {
            largest = max<f32>(largest, load<f32>(from + <usize>column * BYTES));
          }
        }
        store<f32>(y, largest);
        y += BYTES;
      }
    }
    x += <usize>h * w * BYTES;
  }
}

/** The first of start, start + step, ... that is not negative. */
// @ts-ignore: decorator
@inline
function inside(start: i32, step: i32): i32 {
  return start < 0 ? start + ((step - 1 - start) / step) * step : start;
}

/**
 * include: 1 = padding counts in the window's size (as far as h + ph, w + pw: a window of ceil_mode that hangs over
 * them is smaller); divisor: 0 = the window's own size.
 */
export function avg_pool(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, include: i32, divisor: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = i * sh - ph;
      const bottom = min(top + kh, h + ph);
      const top0 = max(top, 0);
      const bottom0 = min(bottom, h);
      for (let j: i32 = 0; j < ow; j++) {
        const left = j * sw - pw;
        const right = min(left + kw, w + pw);
        const left0 = max(left, 0);
        const right0 = min(right, w);
        const rows = include ? bottom - top : bottom0 - top0;
        const columns = include ? right - left : right0 - left0;
        const size = divisor ? <f64>divisor : <f64>rows * <f64>columns;
        const empty = top0 >= bottom0 || left0 >= right0;
        store<f32>(y, empty ? 0 : <f32>(sumOf(x, w, top0, bottom0, left0, right0) / size));
        y += BYTES;
      }
    }
    x += <usize>h * w * BYTES;
  }
}

/** Windows [floor(i·h/oh), ceil((i+1)·h/oh)). */
export function adaptive_avg_pool(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = windowStart(i, h, oh);
      const bottom = windowEnd(i, h, oh);
      for (let j: i32 = 0; j < ow; j++) {
        const left = windowStart(j, w, ow);
        const right = windowEnd(j, w, ow);
        const size = <f64>(bottom - top) * <f64>(right - left);
        store<f32>(y, <f32>(sumOf(x, w, top, bottom, left, right) / size));
        y += BYTES;
      }
    }
    x += <usize>h * w * BYTES;
  }
}

function windowStart(i: i32, extent: i32, outputs: i32): i32 {
  return <i32>((<i64>i * extent) / outputs);
}

function windowEnd(i: i32, extent: i32, outputs: i32): i32 {
  return <i32>(((<i64>i + 1) * extent + outputs - 1) / outputs);
}

function sumOf(x: usize, w: i32, top: i32, bottom: i32, left: i32, right: i32): f64 {
  let sum: f64 = 0;
  for (let row = top; row < bottom; row++) {
    const from = x + <usize>row * w * BYTES;
    for (let column = left; column < right; column++) sum += <f64>load<f32>(from + <usize>column * BYTES);
  }
  return sum;
}
