// Pools of whole numbers: as those of float32, one window after the other.

import { endOf, inside } from './pooling';

export function max_pool_int64(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
): void {
  maxima<i64>(x, y, planes, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, i64.MIN_VALUE);
}

export function max_pool_int32(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
): void {
  maxima<i32>(x, y, planes, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, i32.MIN_VALUE);
}

function maxima<T>(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32, least: T,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = inside(i * sh - ph, dh);
      const bottom = endOf(i * sh - ph, kh, dh, h);
      for (let j: i32 = 0; j < ow; j++) {
        const left = inside(j * sw - pw, dw);
        const right = endOf(j * sw - pw, kw, dw, w);
        let largest = least;
        for (let row = top; row < bottom; row += dh) {
          for (let column = left; column < right; column += dw) {
            largest = max(largest, load<T>(x + <usize>(row * w + column) * sizeof<T>()));
          }
        }
        store<T>(y, largest);
        y += sizeof<T>();
      }
    }
    x += <usize>h * w * sizeof<T>();
  }
}

/** Quotients are cut towards 0. */
export function avg_pool_int64(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, include: i32, divisor: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = i * sh - ph;
      const bottom = endOf(top, kh, 1, h + ph);
      const top0 = max(top, 0), bottom0 = min(bottom, h);
      for (let j: i32 = 0; j < ow; j++) {
        const left = j * sw - pw;
        const right = endOf(left, kw, 1, w + pw);
        const left0 = max(left, 0), right0 = min(right, w);
        const rows = include ? bottom - top : bottom0 - top0;
        const columns = include ? right - left : right0 - left0;
        let sum: i64 = 0;
        for (let row = top0; row < bottom0; row++) {
          for (let column = left0; column < right0; column++) sum += load<i64>(x + <usize>(row * w + column) * 8);
        }
        const empty = top0 >= bottom0 || left0 >= right0;
        store<i64>(y, empty ? 0 : sum / (divisor ? <i64>divisor : <i64>rows * <i64>columns));
        y += 8;
      }
    }
    x += <usize>h * w * 8;
  }
}
