// The product of rows and a packed panel of 16 columns: what `linear` and `conv` have in common.
// The one order of summation: an output is acc = madd(a[k], b[k], acc) for k = 0, 1, 2, ..., in one chain that starts
// at what c holds. Vectors run over outputs, never over k, so tiles and blocks change nothing in the bits.

import { BYTES, loadLanes, madd, storeLanes } from './lanes';

export const PANEL_COLUMNS: usize = 16;
export const PANEL_ROW: usize = PANEL_COLUMNS * BYTES;
/** Panel rows at a time: 8 KiB stay in the first-level cache beside the rows that stream past (64 ... 512: within 5 %). */
export const PANEL_DEPTH: usize = 128;

/** Scratch: one panel, and a tile for the columns of an incomplete one. */
const TILE_BYTES: usize = 2 * PANEL_ROW;

export function scratchBytes(k: f64): f64 {
  return <f64>TILE_BYTES + min(k, <f64>PANEL_DEPTH) * <f64>PANEL_ROW;
}

// @ts-ignore: decorator
@inline
export function panelOf(scratch: usize): usize {
  return scratch + TILE_BYTES;
}

/**
 * c[rows, columns] += a[rows, depth] · panel[depth, 16], columns <= 16; the panel is the scratch's.
 * aRow, cRow: bytes from one row to the next.
 */
export function multiply(
  rows: usize, columns: usize, depth: usize,
  a: usize, aRow: usize, c: usize, cRow: usize, scratch: usize,
): void {
  const panel = panelOf(scratch);
  let i: usize = 0;
  if (columns == PANEL_COLUMNS) {
    for (; i + 2 <= rows; i += 2) {
      tile2(depth, a, a + aRow, panel, c, c + cRow);
      a += 2 * aRow;
      c += 2 * cRow;
    }
    if (i < rows) tile1(depth, a, panel, c);
    return;
  }
  const firstRow = scratch;
  const secondRow = scratch + PANEL_ROW;
  for (; i + 2 <= rows; i += 2) {
    copyRow(c, columns, firstRow, PANEL_COLUMNS);
    copyRow(c + cRow, columns, secondRow, PANEL_COLUMNS);
    tile2(depth, a, a + aRow, panel, firstRow, secondRow);
    copyRow(firstRow, columns, c, columns);
    copyRow(secondRow, columns, c + cRow, columns);
    a += 2 * aRow;
    c += 2 * cRow;
  }
  if (i < rows) {
    copyRow(c, columns, firstRow, PANEL_COLUMNS);
    tile1(depth, a, panel, firstRow);
    copyRow(firstRow, columns, c, columns);
  }
}

/** to[0 .. width) = from[0 .. columns), then zeros. */
function copyRow(from: usize, columns: usize, to: usize, width: usize): void {
  for (let j: usize = 0; j < columns; j += 4) storeLanes(to, j, width, loadLanes(from, j, columns));
  for (let j = (columns + 3) & ~3; j < width; j += 4) v128.store(to + j * BYTES, f32x4.splat(0));
}

// 2 x 16: 8 independent chains cover the latency of madd, and everything stays in 16 registers. Of the shapes
// measured (2 x 16, 3 x 12, 4 x 8) it is the fastest at m = 8 and 256, and the one that needs the fewest row tails.
function tile2(depth: usize, a0: usize, a1: usize, panel: usize, c0: usize, c1: usize): void {
  let c00 = v128.load(c0, 0), c01 = v128.load(c0, 16), c02 = v128.load(c0, 32), c03 = v128.load(c0, 48);
  let c10 = v128.load(c1, 0), c11 = v128.load(c1, 16), c12 = v128.load(c1, 32), c13 = v128.load(c1, 48);
  for (; depth; depth--) {
    const b0 = v128.load(panel, 0), b1 = v128.load(panel, 16);
    const b2 = v128.load(panel, 32), b3 = v128.load(panel, 48);
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
    panel += PANEL_ROW;
  }
  v128.store(c0, c00, 0);
  v128.store(c0, c01, 16);
  v128.store(c0, c02, 32);
  v128.store(c0, c03, 48);
  v128.store(c1, c10, 0);
  v128.store(c1, c11, 16);
  v128.store(c1, c12, 32);
  v128.store(c1, c13, 48);
}

function tile1(depth: usize, a: usize, panel: usize, c: usize): void {
  let c0 = v128.load(c, 0), c1 = v128.load(c, 16), c2 = v128.load(c, 32), c3 = v128.load(c, 48);
  for (; depth; depth--) {
    const v = v128.load32_splat(a);
    c0 = madd(v, v128.load(panel, 0), c0);
    c1 = madd(v, v128.load(panel, 16), c1);
    c2 = madd(v, v128.load(panel, 32), c2);
    c3 = madd(v, v128.load(panel, 48), c3);
    a += BYTES;
    panel += PANEL_ROW;
  }
  v128.store(c, c0, 0);
  v128.store(c, c1, 16);
  v128.store(c, c2, 32);
  v128.store(c, c3, 48);
}
