// The gradients of pools over planes (h, w) → (oh, ow): each output's is shared out to its window, in the outputs' order.
// A maximum's goes to the element that the pool chose: the first of the largest, or the last NaN.

import { endOf, inside, windowEnd, windowStart } from './pooling';
import { BYTES } from './lanes';

/** dx = the gradient of max_pool at x, of whose output the gradient is dy. */
export function max_pool_gradient(
  x: usize, dy: usize, dx: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, dh: i32, dw: i32,
): void {
  const plane = <usize>h * w * BYTES;
  memory.fill(dx, 0, planes * plane);
  const pairs = kh == 2 && kw == 2 && sh == 2 && sw == 2 && (ph | pw) == 0 && dh == 1 && dw == 1;
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const whole = pairs && 2 * i + 1 < h ? min(ow, w >> 1) & ~3 : 0;
      if (whole) {
        const row = <usize>(2 * i * w) * BYTES;
        shareOutPairs(x + row, dx + row, <usize>w * BYTES, dy, whole);
        dy += <usize>whole * BYTES;
      }
      const top = inside(i * sh - ph, dh);
      const bottom = endOf(i * sh - ph, kh, dh, h);
      for (let j = whole; j < ow; j++) {
        const left = inside(j * sw - pw, dw);
        const right = endOf(j * sw - pw, kw, dw, w);
        addTo(dx, largest(x, w, top, bottom, dh, left, right, dw), load<f32>(dy));
        dy += BYTES;
      }
    }
    x += plane;
    dx += plane;
  }
}

/** n windows of 2 by 2 beside each other, four at a time; the second row is `row` bytes behind the first. */
function shareOutPairs(x: usize, dx: usize, row: usize, dy: usize, n: i32): void {
  for (; n; n -= 4) {
    const u0 = v128.load(x), u1 = v128.load(x, 16);
    const l0 = v128.load(x + row), l1 = v128.load(x + row, 16);
    let most = i32x4.shuffle(u0, u1, 0, 2, 4, 6);
    const b = i32x4.shuffle(u0, u1, 1, 3, 5, 7);
    const c = i32x4.shuffle(l0, l1, 0, 2, 4, 6);
    const d = i32x4.shuffle(l0, l1, 1, 3, 5, 7);
    const toB = v128.or(f32x4.gt(b, most), f32x4.ne(b, b));
    most = v128.bitselect(b, most, toB);
    const toC = v128.or(f32x4.gt(c, most), f32x4.ne(c, c));
    most = v128.bitselect(c, most, toC);
    const toD = v128.or(f32x4.gt(d, most), f32x4.ne(d, d));
    // 0 + g, as where windows share elements: -0 becomes 0.
    const g = f32x4.add(v128.load(dy), f32x4.splat(0));
    const g3 = v128.and(g, toD), rest3 = v128.andnot(g, toD);
    const g2 = v128.and(rest3, toC), rest2 = v128.andnot(rest3, toC);
    const g1 = v128.and(rest2, toB), g0 = v128.andnot(rest2, toB);
    v128.store(dx, i32x4.shuffle(g0, g1, 0, 4, 1, 5));
    v128.store(dx, i32x4.shuffle(g0, g1, 2, 6, 3, 7), 16);
    v128.store(dx + row, i32x4.shuffle(g2, g3, 0, 4, 1, 5));
    v128.store(dx + row, i32x4.shuffle(g2, g3, 2, 6, 3, 7), 16);
    x += 32;
    dx += 32;
    dy += 16;
  }
}

/** y = the largest of each window [floor(i·h/oh), ceil((i+1)·h/oh)). */
export function adaptive_max_pool(
  x: usize, y: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
): void {
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = windowStart(i, h, oh), bottom = windowEnd(i, h, oh);
      for (let j: i32 = 0; j < ow; j++) {
        const at = largest(x, w, top, bottom, 1, windowStart(j, w, ow), windowEnd(j, w, ow), 1);
        store<f32>(y, load<f32>(x + at));
        y += BYTES;
      }
    }
    x += <usize>h * w * BYTES;
  }
}

export function adaptive_max_pool_gradient(
  x: usize, dy: usize, dx: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
): void {
  const plane = <usize>h * w * BYTES;
  memory.fill(dx, 0, planes * plane);
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = windowStart(i, h, oh), bottom = windowEnd(i, h, oh);
      for (let j: i32 = 0; j < ow; j++) {
        const at = largest(x, w, top, bottom, 1, windowStart(j, w, ow), windowEnd(j, w, ow), 1);
        addTo(dx, at, load<f32>(dy));
        dy += BYTES;
      }
    }
    x += plane;
    dx += plane;
  }
}

/** Where the largest element of a window stands in its plane, in bytes. */
// @ts-ignore: decorator
@inline
function largest(
  x: usize, w: i32, top: i32, bottom: i32, down: i32, left: i32, right: i32, across: i32,
): usize {
  let at = <usize>(top * w + left) * BYTES;
  let most: f32 = -Infinity;
  for (let row = top; row < bottom; row += down) {
    for (let column = left; column < right; column += across) {
      const here = <usize>(row * w + column) * BYTES;
      const next = load<f32>(x + here);
      // Without a branch: which one is the largest nobody can foretell.
      const better = i32(next > most) | i32(next != next);
      most = select<f32>(next, most, better);
      at = select<usize>(here, at, better);
    }
  }
  return at;
}

// @ts-ignore: decorator
@inline
function addTo(dx: usize, at: usize, gradient: f32): void {
  store<f32>(dx + at, load<f32>(dx + at) + gradient);
}

/** As avg_pool's: each element of a window gets the gradient by the window's size, whatever of it is padding. */
export function avg_pool_gradient(
  dy: usize, dx: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, ph: i32, pw: i32, include: i32, divisor: i32,
): void {
  const plane = <usize>h * w * BYTES;
  memory.fill(dx, 0, planes * plane);
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
        const size = divisor ? <f32>divisor : <f32>rows * <f32>columns;
        addToAll(dx, w, top0, bottom0, left0, right0, load<f32>(dy) / size);
        dy += BYTES;
      }
    }
    dx += plane;
  }
}

export function adaptive_avg_pool_gradient(
  dy: usize, dx: usize, planes: usize, h: i32, w: i32, oh: i32, ow: i32,
): void {
  const plane = <usize>h * w * BYTES;
  memory.fill(dx, 0, planes * plane);
  for (; planes; planes--) {
    for (let i: i32 = 0; i < oh; i++) {
      const top = windowStart(i, h, oh), bottom = windowEnd(i, h, oh);
      for (let j: i32 = 0; j < ow; j++) {
        const left = windowStart(j, w, ow), right = windowEnd(j, w, ow);
        const each = load<f32>(dy) / <f32>(bottom - top) / <f32>(right - left);
        addToAll(dx, w, top, bottom, left, right, each);
        dy += BYTES;
      }
    }
    dx += plane;
  }
}

// @ts-ignore: decorator
@inline
function addToAll(dx: usize, w: i32, top: i32, bottom: i32, left: i32, right: i32, gradient: f32): void {
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) addTo(dx, <usize>(row * w + column) * BYTES, gradient);
  }
}
