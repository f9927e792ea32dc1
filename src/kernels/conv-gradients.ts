// What a convolution's gradients, and transposed convolutions, need beside products and convolutions: an image's windows
// as rows, kernels the other way round, and planes put together from every s-th row and column.

import { BYTES, high, loadLanes, low, storeLanes, total } from './lanes';

/**
 * y[channels, kh, kw, images, rows, ow]: what each element of the kernel meets at output rows from ... from + rows - 1;
 * zeros in the padding. One image of x is `image` elements behind the other.
 */
export function unfold(
  x: usize, y: usize, images: i32, image: usize, channels: i32, h: i32, w: i32, from: i32, rows: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32,
): void {
  const plane = <usize>h * w * BYTES;
  for (; channels; channels--) {
    for (let ky: i32 = 0; ky < kh; ky++) {
      for (let kx: i32 = 0; kx < kw; kx++) {
        // Columns begin ... end - 1 of the output meet the image.
        const first = kx * dw - pl;
        const begin = min(first < 0 ? (sw - 1 - first) / sw : 0, ow);
        const end = max(begin, first < w ? min((w - first + sw - 1) / sw, ow) : 0);
        let channel = x;
        for (let i: i32 = 0; i < images; i++) {
          for (let r: i32 = from; r < from + rows; r++) {
            const row = r * sh - pt + ky * dh;
            if (<u32>row < <u32>h) {
              zeros(y, begin);
              copyRow(channel + <usize>(row * w + begin * sw + first) * BYTES, y + <usize>begin * BYTES, end - begin, sw);
              zeros(y + <usize>end * BYTES, ow - end);
            } else zeros(y, ow);
            y += <usize>ow * BYTES;
          }
          channel += image * BYTES;
        }
      }
    }
    x += plane;
  }
}

/** y[i] = x[i · step] */
// @ts-ignore: decorator
@inline
function copyRow(x: usize, y: usize, n: i32, step: i32): void {
  if (step == 1) {
    if (n >= 4) {
      const last = <usize>(n - 4) * BYTES;
      for (let i: usize = 0; i < last; i += 16) v128.store(y + i, v128.load(x + i));
      v128.store(y + last, v128.load(x + last));
    } else if (n > 0) storeLanes(y, 0, n, loadLanes(x, 0, n));
    return;
  }
  for (let i: i32 = 0; i < n; i++) store<f32>(y + <usize>i * BYTES, load<f32>(x + <usize>(i * step) * BYTES));
}

// @ts-ignore: decorator
@inline
function zeros(y: usize, n: i32): void {
  for (let i: i32 = 0; i < n; i++) store<f32>(y + <usize>i * BYTES, 0);
}

/** Outputs that are turned together: their elements stand side by side, those of one input far from the next one's. */
const TURNED: i32 = 16;

/**
 * y[groups, outputs, inputs, ny, nx] = weight[groups, inputs, all, kh, kw], of whose outputs `from` is the first and of
 * whose elements rows y0, y0 + dy, ... and columns x0, x0 + dx, ... are taken, the last first.
 */
export function turn(
  weight: usize, y: usize, groups: i32, inputs: i32, all: i32, from: i32, outputs: i32, kh: i32, kw: i32,
  y0: i32, dy: i32, ny: i32, x0: i32, dx: i32, nx: i32,
): void {
  const area = <usize>kh * kw * BYTES;
  const taken = <usize>ny * nx * BYTES;
  for (let g: i32 = 0; g < groups; g++) {
    for (let o: i32 = 0; o < outputs; o += TURNED) {
      const some = min(TURNED, outputs - o);
      let kernel = weight + (<usize>g * inputs * all + from + o) * area;
      let to = y;
      for (let i: i32 = 0; i < inputs; i++) {
        for (let j: i32 = 0; j < some; j++) {
          let at = to + <usize>j * inputs * taken;
          for (let r = ny - 1; r >= 0; r--) {
            const row = kernel + <usize>j * area + <usize>((y0 + r * dy) * kw + x0) * BYTES;
            for (let c = nx - 1; c >= 0; c--) {
              store<f32>(at, load<f32>(row + <usize>(c * dx) * BYTES));
              at += BYTES;
            }
          }
        }
        kernel += <usize>all * area;
        to += taken;
      }
      y += <usize>some * inputs * taken;
    }
  }
}

/** y[planes, n] = bias[planes]; zeros where bias is 0. */
export function fill_planes(bias: usize, y: usize, planes: usize, n: usize): void {
  for (let i: usize = 0; i < planes; i++) {
    const four = bias ? v128.load32_splat(bias + i * BYTES) : f32x4.splat(0);
    for (let p: usize = 0; p < n; p += 4) storeLanes(y, p, n, four);
    y += n * BYTES;
  }
}

/** y[columns, rows] += xᵀ of x[rows, columns]; rows of y are ldy elements apart. begins 1: nothing stands there yet. */
export function add_transposed(x: usize, y: usize, rows: usize, columns: usize, ldy: usize, begins: i32): void {
  const xRow = columns * BYTES, yRow = ldy * BYTES;
  for (let i: usize = 0; i < rows; i += 4) {
    for (let j: usize = 0; j < columns; j += 4) {
      const from = x + i * xRow + j * BYTES;
      const to = y + j * yRow + i * BYTES;
      if (i + 4 > rows || j + 4 > columns) {
        for (let r: usize = 0; r < min<usize>(4, rows - i); r++) {
          for (let c: usize = 0; c < min<usize>(4, columns - j); c++) {
            const value = load<f32>(from + r * xRow + c * BYTES);
            const at = to + c * yRow + r * BYTES;
            store<f32>(at, begins ? value : load<f32>(at) + value);
          }
        }
        continue;
      }
      const r0 = v128.load(from), r1 = v128.load(from + xRow);
      const r2 = v128.load(from + 2 * xRow), r3 = v128.load(from + 3 * xRow);
      const t0 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), t1 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
      const t2 = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t3 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
      addFour(to, i64x2.shuffle(t0, t1, 0, 2), begins);
      addFour(to + yRow, i64x2.shuffle(t0, t1, 1, 3), begins);
      addFour(to + 2 * yRow, i64x2.shuffle(t2, t3, 0, 2), begins);
      addFour(to + 3 * yRow, i64x2.shuffle(t2, t3, 1, 3), begins);
    }
  }
}

// @ts-ignore: decorator
@inline
function addFour(y: usize, four: v128, begins: i32): void {
  v128.store(y, begins ? four : f32x4.add(v128.load(y), four));
}

/**
 * y[outputs, channels, kh, kw] = for each element of a kernel the sum over images and positions of what it meets in
 * x[channels, h, w] times dy[outputs, oh, ow], in float64: for groups of so few outputs that a product has no work. Images
 * are xImage and dyImage elements apart.
 */
export function window_sums(
  x: usize, dy: usize, y: usize, images: i32, xImage: usize, dyImage: usize, channels: i32, outputs: i32,
  h: i32, w: i32, oh: i32, ow: i32, kh: i32, kw: i32, sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32,
): void {
  for (let o: i32 = 0; o < outputs; o++) {
    const gradient = dy + <usize>(o * oh * ow) * BYTES;
    for (let c: i32 = 0; c < channels; c++) {
      const channel = x + <usize>(c * h * w) * BYTES;
      for (let ky: i32 = 0; ky < kh; ky++) {
        for (let kx: i32 = 0; kx < kw; kx++) {
          const first = kx * dw - pl;
          const begin = min(first < 0 ? (sw - 1 - first) / sw : 0, ow);
          const count = max(0, (first < w ? min((w - first + sw - 1) / sw, ow) : 0) - begin);
          let a = f64x2.splat(0), b = a;
          let sum: f64 = 0;
          for (let i: i32 = 0; i < images; i++) {
            const plane = channel + <usize>i * xImage * BYTES + <usize>(begin * sw + first) * BYTES;
            const given = gradient + <usize>i * dyImage * BYTES + <usize>begin * BYTES;
            for (let r: i32 = 0; r < oh; r++) {
              const row = r * sh - pt + ky * dh;
              if (<u32>row >= <u32>h) continue;
              const from = plane + <usize>(row * w) * BYTES;
              const by = given + <usize>(r * ow) * BYTES;
              if (sw == 1) {
                for (let j: i32 = 0; j < count; j += 4) {
                  const u = loadLanes(from, j, count), v = loadLanes(by, j, count);
                  a = f64x2.add(a, f64x2.mul(low(u), low(v)));
                  b = f64x2.add(b, f64x2.mul(high(u), high(v)));
                }
              } else {
                for (let j: i32 = 0; j < count; j++) {
                  sum += <f64>load<f32>(from + <usize>(j * sw) * BYTES) * <f64>load<f32>(by + <usize>j * BYTES);
                }
              }
            }
          }
          store<f32>(y, <f32>(sum + total(a, b)));
          y += BYTES;
        }
      }
    }
  }
}

/**
 * y[images, oh, ow, channels, kh, kw]: what each output position meets, zeros in the padding. One image of x is `image`
 * elements behind the other; `taps` has room for kh · kw numbers.
 */
export function windows(
  x: usize, y: usize, images: i32, image: usize, channels: i32, h: i32, w: i32, oh: i32, ow: i32,
  kh: i32, kw: i32, sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32, taps: usize,
): void {
  const plane = <usize>h * w * BYTES;
  const tapsEnd = taps + <usize>kh * kw * BYTES;
  for (; images; images--) {
    for (let r: i32 = 0; r < oh; r++) {
      for (let column: i32 = 0; column < ow; column++) {
        // Where each element of the kernel finds its input in a channel, or -1: the same in all of them.
        let tap = taps;
        for (let ky: i32 = 0; ky < kh; ky++) {
          const iy = r * sh - pt + ky * dh;
          for (let kx: i32 = 0; kx < kw; kx++) {
            const ix = column * sw - pl + kx * dw;
            store<i32>(tap, <u32>iy < <u32>h && <u32>ix < <u32>w ? (iy * w + ix) * <i32>BYTES : -1);
            tap += BYTES;
          }
        }
        let channel = x;
        for (let c: i32 = 0; c < channels; c++) {
          for (tap = taps; tap < tapsEnd; tap += BYTES) {
            const at = load<i32>(tap);
            store<f32>(y, at < 0 ? 0 : load<f32>(channel + <usize>at));
            y += BYTES;
          }
          channel += plane;
        }
      }
    }
    x += image * BYTES;
  }
}
