// Cross-correlation: for each image and group, 16 output positions at a time are gathered into a panel
// [input channel, kernel row, kernel column] x 16 (im2col), which meets every row of the weight.

import { BYTES } from './lanes';
import { multiply, PANEL_COLUMNS, PANEL_DEPTH, PANEL_ROW } from './product';

/** Bytes of scratch that `conv` needs: a panel. */
export function conv_scratch(
  ci: f64, _h: f64, _w: f64, _oh: f64, _ow: f64, kh: f64, kw: f64,
  _sh: f64, _sw: f64, _pt: f64, _pl: f64, _dh: f64, _dw: f64, groups: f64,
): f64 {
  return min((ci / groups) * kh * kw, <f64>PANEL_DEPTH) * <f64>PANEL_ROW;
}

/** x[batch,ci,h,w], weight[co,ci/groups,kh,kw], bias[co] (0: none) → y[batch,co,oh,ow]; (pt, pl) zeros above and left; relu 1: then max(y, 0). */
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
      startAtBias(output, bias && bias + group * outputs * BYTES, outputs, positions);
      for (let p: usize = 0; p < positions; p += PANEL_COLUMNS) {
        const columns = min(PANEL_COLUMNS, positions - p);
        for (let k0: usize = 0; k0 < k; k0 += PANEL_DEPTH) {
          const depth = min(PANEL_DEPTH, k - k0);
          packPositions(
            input, plane, h, w, ow, kh, kw, sh, sw, pt, pl, dh, dw,
            p, <i32>columns, k0, depth, scratch,
          );
          const c = output + p * BYTES;
          const row = positions * BYTES;
          multiply(
            outputs, columns, depth, kernel + k0 * BYTES, k * BYTES, scratch,
            c, row, c, row, k0 + depth == k ? relu : 0,
          );
        }
      }
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
