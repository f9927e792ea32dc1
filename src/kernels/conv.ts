// Cross-correlation. With stride 1 the image is copied once with its zeros around it, so that what an element of the
// kernel meets at 16 output positions is 16 neighbours in memory; else the 16 are gathered into a panel (im2col).
// Either way the order of summation is that of the product: (input channel, kernel row, kernel column).

import { atLeast, BYTES, madd } from './lanes';
import { multiply, PANEL_COLUMNS, PANEL_DEPTH, PANEL_ROW } from './product';

/** Bytes of scratch that `conv` needs. */
export function conv_scratch(
  ci: f64, _h: f64, _w: f64, oh: f64, ow: f64, kh: f64, kw: f64,
  sh: f64, sw: f64, _pt: f64, _pl: f64, dh: f64, dw: f64, groups: f64,
): f64 {
  const channels = ci / groups;
  if (sh != 1 || sw != 1) return min(channels * kh * kw, <f64>PANEL_DEPTH) * <f64>PANEL_ROW;
  const plane = (oh + (kh - 1) * dh) * (ow + (kw - 1) * dw);
  // The last position's vector may reach past the last plane.
  return 2 * <f64>PANEL_ROW + (channels * plane + <f64>PANEL_COLUMNS) * <f64>BYTES;
}

/** x[batch,ci,h,w], weight[co,ci/groups,kh,kw], bias[co] (0: none) → y[batch,co,oh,ow]; (pt, pl) zeros above and left (negative: so much is left out); relu 1: then max(y, 0). */
export function conv(
  x: usize, weight: usize, bias: usize, y: usize,
  batch: usize, ci: usize, h: i32, w: i32,
  co: usize, oh: i32, ow: i32, kh: i32, kw: i32,
  sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32,
  groups: usize, scratch: usize, relu: i32,
): void {
  const channels = ci / groups;
  const outputs = co / groups;
  const plane = <usize>h * w * BYTES;
  const positions = <usize>oh * ow;
  const k = channels * kh * kw;
  for (let image: usize = 0; image < batch; image++) {
    for (let group: usize = 0; group < groups; group++) {
      const input = x + (image * ci + group * channels) * plane;
      const output = y + (image * co + group * outputs) * positions * BYTES;
      const kernel = weight + group * outputs * k * BYTES;
      const start = bias && bias + group * outputs * BYTES;
      if (sh == 1 && sw == 1) {
        direct(
          input, kernel, start, output, channels, h, w, outputs, oh, ow, kh, kw, pt, pl, dh, dw, scratch, relu,
        );
      } else {
        gathered(
          input, kernel, start, output, h, w, outputs, positions, ow, k, kh, kw,
          sh, sw, pt, pl, dh, dw, scratch, relu,
        );
      }
    }
  }
}

/** Stride 1. scratch: two rows of a tile, then the padded image. */
function direct(
  x: usize, weight: usize, bias: usize, y: usize,
  channels: usize, h: i32, w: i32, outputs: usize, oh: i32, ow: i32, kh: i32, kw: i32,
  pt: i32, pl: i32, dh: i32, dw: i32, scratch: usize, relu: i32,
): void {
  const padded = scratch + 2 * PANEL_ROW;
  const height = oh + (kh - 1) * dh;
  const width = ow + (kw - 1) * dw;
  copyPadded(x, channels, h, w, pt, pl, height, width, padded);
  const row = <usize>width * BYTES;
  const k = channels * kh * kw * BYTES;
  const positions = <usize>oh * ow * BYTES;
  // Output positions as if each row had `width`: the last columns of a row are computed and left.
  const end = (oh - 1) * width + ow;
  for (let p: i32 = 0; p < end; p += 16) {
    const from = padded + <usize>p * BYTES;
    let a = weight;
    let c = y;
    let i: usize = 0;
    for (; i + 2 <= outputs; i += 2) {
      const b0 = bias ? load<f32>(bias + i * BYTES) : 0;
      const b1 = bias ? load<f32>(bias + i * BYTES, BYTES) : 0;
      window2(from, a, a + k, b0, b1, channels, kh, kw, row, dh, dw, height, scratch, relu);
      spread(scratch, p, min(16, end - p), width, ow, c);
      spread(scratch + PANEL_ROW, p, min(16, end - p), width, ow, c + positions);
      a += 2 * k;
      c += 2 * positions;
    }
    if (i < outputs) {
      const b0 = bias ? load<f32>(bias + i * BYTES) : 0;
      window1(from, a, b0, channels, kh, kw, row, dh, dw, height, scratch, relu);
      spread(scratch, p, min(16, end - p), width, ow, c);
    }
  }
}

/** padded[channels, height, width]: the image at (pt, pl), negative ones too, as far as it is there; zeros around it. */
function copyPadded(
  x: usize, channels: usize, h: i32, w: i32, pt: i32, pl: i32, height: i32, width: i32, padded: usize,
): void {
  const firstRow = max(0, -pt), firstColumn = max(0, -pl);
  const columns = max(0, min(w, width - pl) - firstColumn);
  const rows = min(h, height - pt);
  const row = <usize>width * BYTES;
  memory.fill(padded, 0, (channels * height * width + PANEL_COLUMNS) * BYTES);
  for (; channels; channels--) {
    for (let i = firstRow; i < rows; i++) {
      const to = padded + <usize>(pt + i) * row + <usize>(pl + firstColumn) * BYTES;
      memory.copy(to, x + <usize>(i * w + firstColumn) * BYTES, <usize>columns * BYTES);
    }
    x += <usize>h * w * BYTES;
    padded += <usize>height * row;
  }
}

/** Two output channels at 16 positions: tile[2, 16]. a0, a1: their kernels; x: the first position's corner. */
function window2(
  x: usize, a0: usize, a1: usize, bias0: f32, bias1: f32,
  channels: usize, kh: i32, kw: i32, row: usize, dh: i32, dw: i32, height: i32, tile: usize, relu: i32,
): void {
  let c00 = f32x4.splat(bias0), c01 = c00, c02 = c00, c03 = c00;
  let c10 = f32x4.splat(bias1), c11 = c10, c12 = c10, c13 = c10;
  const across = <usize>dw * BYTES;
  const down = <usize>dh * row;
  const plane = <usize>height * row;
  for (; channels; channels--) {
    let line = x;
    for (let ky = kh; ky; ky--) {
      let from = line;
      for (let kx = kw; kx; kx--) {
        const b0 = v128.load(from, 0), b1 = v128.load(from, 16);
        const b2 = v128.load(from, 32), b3 = v128.load(from, 48);
        const v0 = v128.load32_splat(a0);
        c00 = madd(v0, b0, c00);
        c01 = madd(v0, b1, c01);
        c02 = madd(v0, b2, c02);
        c03 = madd(v0, b3, c03);
        const v1 = v128.load32_splat(a1);
        c10 = madd(v1, b0, c10);
        c11 = madd(v1, b1, c11);
        c12 = madd(v1, b2, c12);
        c13 = madd(v1, b3, c13);
        a0 += BYTES;
        a1 += BYTES;
        from += across;
      }
      line += down;
    }
    x += plane;
  }
  store4(tile, c00, c01, c02, c03, relu);
  store4(tile + PANEL_ROW, c10, c11, c12, c13, relu);
}

/** One output channel at 16 positions. */
function window1(
  x: usize, a: usize, bias: f32,
  channels: usize, kh: i32, kw: i32, row: usize, dh: i32, dw: i32, height: i32, tile: usize, relu: i32,
): void {
  let c0 = f32x4.splat(bias), c1 = c0, c2 = c0, c3 = c0;
  for (let channel: usize = 0; channel < channels; channel++) {
    for (let ky: i32 = 0; ky < kh; ky++) {
      let from = x + <usize>ky * dh * row;
      for (let kx: i32 = 0; kx < kw; kx++) {
        const v = v128.load32_splat(a);
        c0 = madd(v, v128.load(from, 0), c0);
        c1 = madd(v, v128.load(from, 16), c1);
        c2 = madd(v, v128.load(from, 32), c2);
        c3 = madd(v, v128.load(from, 48), c3);
        a += BYTES;
        from += <usize>dw * BYTES;
      }
    }
    x += <usize>height * row;
  }
  store4(tile, c0, c1, c2, c3, relu);
}

// @ts-ignore: decorator
@inline
function store4(c: usize, c0: v128, c1: v128, c2: v128, c3: v128, relu: i32): void {
  const zero = f32x4.splat(0);
  v128.store(c, relu ? atLeast(c0, zero) : c0, 0);
  v128.store(c, relu ? atLeast(c1, zero) : c1, 16);
  v128.store(c, relu ? atLeast(c2, zero) : c2, 32);
  v128.store(c, relu ? atLeast(c3, zero) : c3, 48);
}

/** Puts positions p ... p + count - 1 of rows of `width` where they stand in y[oh, ow]; the columns from ow on are left. */
function spread(tile: usize, p: i32, count: i32, width: i32, ow: i32, y: usize): void {
  let i = p / width;
  let j = p % width;
  while (count > 0) {
    const run = min(width - j, count);
    const kept = min(ow - j, run);
    if (kept > 0) {
      const to = y + <usize>(i * ow + j) * BYTES;
      if (kept == 16) {
        v128.store(to, v128.load(tile, 0), 0);
        v128.store(to, v128.load(tile, 16), 16);
        v128.store(to, v128.load(tile, 32), 32);
        v128.store(to, v128.load(tile, 48), 48);
      } else {
        for (let q: i32 = 0; q < kept; q++) store<f32>(to + <usize>q * BYTES, load<f32>(tile + <usize>q * BYTES));
      }
    }
    tile += <usize>run * BYTES;
    count -= run;
    i++;
    j = 0;
  }
}

/** Any stride. scratch: one panel. */
function gathered(
  x: usize, weight: usize, bias: usize, y: usize,
  h: i32, w: i32, outputs: usize, positions: usize, ow: i32, k: usize, kh: i32, kw: i32,
  sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32, scratch: usize, relu: i32,
): void {
  const plane = <usize>h * w * BYTES;
  const row = positions * BYTES;
  startAtBias(y, bias, outputs, positions);
  for (let p: usize = 0; p < positions; p += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, positions - p);
    const c = y + p * BYTES;
    for (let k0: usize = 0; k0 < k; k0 += PANEL_DEPTH) {
      const depth = min(PANEL_DEPTH, k - k0);
      packPositions(x, plane, h, w, ow, kh, kw, sh, sw, pt, pl, dh, dw, p, <i32>columns, k0, depth, scratch);
      const a = weight + k0 * BYTES;
      const last = k0 + depth == k;
      multiply(outputs, columns, depth, a, k * BYTES, scratch, c, row, c, row, last ? relu : 0);
    }
  }
}

/** y[outputs, positions]: each row is its bias. */
function startAtBias(y: usize, bias: usize, outputs: usize, positions: usize): void {
  if (!bias) {
    memory.fill(y, 0, outputs * positions * BYTES);
    return;
  }
  for (let i: usize = 0; i < outputs; i++) {
    const value = load<f32>(bias + i * BYTES);
    for (let p: usize = 0; p < positions; p++) {
      store<f32>(y, value);
      y += BYTES;
    }
  }
}

/** panel[i, j] = what element k0 + i of the kernel meets at output position p + j; zeros in the padding. */
function packPositions(
  x: usize, plane: usize, h: i32, w: i32, ow: i32, kh: i32, kw: i32,
  sh: i32, sw: i32, pt: i32, pl: i32, dh: i32, dw: i32,
  p: usize, columns: i32, k0: usize, depth: usize, panel: usize,
): void {
  // The kernel's element, as channel, row and column.
  const area = <usize>kh * kw;
  x += (k0 / area) * plane;
  let ky = <i32>(k0 % area) / kw;
  let kx = <i32>(k0 % area) % kw;
  // The first output position's corner in the input, and how many positions follow in its output row.
  const row = <i32>(p / ow);
  const left = <i32>(p % ow) * sw - pl;
  const top = row * sh - pt;
  const first = ow - <i32>(p % ow);
  const oneRow = sw == 1 && columns == 16 && first >= 16;
  for (; depth; depth--) {
    const iy = top + ky * dh;
    const ix = left + kx * dw;
    if (oneRow && ix >= 0 && ix + 16 <= w) {
      if (<u32>iy < <u32>h) {
        const from = x + (<usize>iy * w + ix) * BYTES;
        v128.store(panel, v128.load(from, 0), 0);
        v128.store(panel, v128.load(from, 16), 16);
        v128.store(panel, v128.load(from, 32), 32);
        v128.store(panel, v128.load(from, 48), 48);
      } else memory.fill(panel, 0, PANEL_ROW);
    } else packScattered(x, h, w, ow, sh, sw, iy, ix, first, columns, kx * dw - pl, panel);
    panel += PANEL_ROW;
    if (++kx == kw) {
      kx = 0;
      if (++ky == kh) {
        ky = 0;
        x += plane;
      }
    }
  }
}

/** One panel row whose positions lie on several output rows, are strided, or touch the padding. */
function packScattered(
  x: usize, h: i32, w: i32, ow: i32, sh: i32, sw: i32,
  iy: i32, ix: i32, run: i32, columns: i32, rowStart: i32, panel: usize,
): void {
  let j: i32 = 0;
  while (j < columns) {
    const end = min(j + run, columns);
    if (<u32>iy < <u32>h) {
      const from = x + <usize>iy * w * BYTES;
      for (; j < end; j++) {
        store<f32>(panel + <usize>j * BYTES, <u32>ix < <u32>w ? load<f32>(from + <usize>ix * BYTES) : 0);
        ix += sw;
      }
    } else {
      for (; j < end; j++) store<f32>(panel + <usize>j * BYTES, 0);
    }
    iy += sh;
    ix = rowStart;
    run = ow;
  }
  for (; j < 16; j++) store<f32>(panel + <usize>j * BYTES, 0);
}
