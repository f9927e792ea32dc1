// Pools over planes (h, w) → (oh, ow). Sums run over rows, then columns, in float64. Four windows beside each other
// whose columns are all there, at steps of 1 or 2, are computed together, each in the same order as alone.

import { BYTES, high, low, narrow } from './lanes';

/** Elements at columns 0, step, 2 · step and 3 · step; step is 1 or 2. */
// @ts-ignore: decorator
@inline
function fourAt(x: usize, step: i32): v128 {
  const first = v128.load(x);
  return step == 1 ? first : i32x4.shuffle(first, v128.load(x, 12), 0, 2, 5, 7);
}

/** Where the four windows begin of which output j is one: at j, or further left at a row's end; -1: there are no four. */
// @ts-ignore: decorator
@inline
function fourFrom(j: i32, ow: i32, step: i32, padding: i32, reach: i32, w: i32): i32 {
  const first = min(j, ow - 4);
  const left = first * step - padding;
  return step <= 2 && first >= 0 && left >= 0 && left + reach + 3 * step < w ? first : -1;
}

/** Padding counts as -infinity; NaN wins; of 0 and -0 the first is kept, as in PyTorch. */
export function max_pool(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = inside(i * sh - ph, dh);
      const bottom = endOf(i * sh - ph, kh, dh, h);
      for (let j: i32 = 0; j < ow; j++) {
        const first = fourFrom(j, ow, sw, pw, (kw - 1) * dw, w);
        if (first >= 0) {
          let four = f32x4.splat(-Infinity);
          let nan = f32x4.splat(0);
          for (let row = top; row < bottom; row += dh) {
            let from = x + <usize>(row * w + first * sw - pw) * BYTES;
            for (let column: i32 = 0; column < kw; column++) {
              const next = fourAt(from, sw);
              four = f32x4.pmax(four, next);
              nan = v128.or(nan, f32x4.ne(next, next));
              from += <usize>dw * BYTES;
            }
          }
          v128.store(y - <usize>(j - first) * BYTES, v128.or(four, nan));
          y += <usize>(first + 4 - j) * BYTES;
          j = first + 3;
          continue;
        }
        const left = inside(j * sw - pw, dw);
        const right = endOf(j * sw - pw, kw, dw, w);
        let largest: f32 = -Infinity;
        for (let row = top; row < bottom; row += dh) {
          const from = x + <usize>row * w * BYTES;
          for (let column = left; column < right; column += dw) {
            const next = load<f32>(from + <usize>column * BYTES);
            if (next > largest || next != next) largest = next;
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
export function inside(start: i32, step: i32): i32 {
  return start < 0 ? start + ((step - 1 - start) / step) * step : start;
}

/** Past the last element of a window, at most `bound`; what it would reach may be more than 32 bits hold. */
// @ts-ignore: decorator
@inline
export function endOf(start: i32, kernel: i32, dilation: i32, bound: i32): i32 {
  return <i32>min<i64>(<i64>start + <i64>(kernel - 1) * dilation + 1, bound);
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
      const bottom = endOf(top, kh, 1, h + ph);
      const top0 = max(top, 0);
      const bottom0 = min(bottom, h);
      for (let j: i32 = 0; j < ow; j++) {
        const first = fourFrom(j, ow, sw, pw, kw - 1, w);
        if (first >= 0 && top0 < bottom0) {
          const size = divisor ? <f64>divisor : <f64>(include ? bottom - top : bottom0 - top0) * <f64>kw;
          const from = x + <usize>(first * sw - pw) * BYTES;
          storeMeans(from, w, top0, bottom0, kw, sw, size, y - <usize>(j - first) * BYTES);
          y += <usize>(first + 4 - j) * BYTES;
          j = first + 3;
          continue;
        }
        const left = j * sw - pw;
        const right = endOf(left, kw, 1, w + pw);
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

/** y[4] = the sums over rows top ... bottom - 1 of four windows `step` columns apart, by `size`. */
function storeMeans(
  x: usize, w: i32, top: i32, bottom: i32, kw: i32, step: i32, size: f64, y: usize,
): void {
  let first = f64x2.splat(0), second = first;
  for (let row = top; row < bottom; row++) {
    let from = x + <usize>row * w * BYTES;
    for (let column: i32 = 0; column < kw; column++) {
      const four = fourAt(from, step);
      first = f64x2.add(first, low(four));
      second = f64x2.add(second, high(four));
      from += BYTES;
    }
  }
  const by = f64x2.splat(size);
  v128.store(y, narrow(f64x2.div(first, by), f64x2.div(second, by)));
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

export function windowStart(i: i32, extent: i32, outputs: i32): i32 {
  return <i32>((<i64>i * extent) / outputs);
}

export function windowEnd(i: i32, extent: i32, outputs: i32): i32 {
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
