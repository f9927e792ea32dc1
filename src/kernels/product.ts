// The product of rows and a packed panel of 16 columns: what `linear` and `conv` have in common.
// The one order of summation: an output is acc = madd(a[k], b[k], acc) for k = 0, 1, 2, ..., in one chain that starts
// where it is told to. Vectors run over outputs, never over k, so tiles and blocks change nothing in the bits.

import { atLeast, BYTES, loadLanes, madd, storeLanes } from './lanes';

export const PANEL_COLUMNS: usize = 16;
export const PANEL_ROW: usize = PANEL_COLUMNS * BYTES;
/** Panel rows at a time: 8 KiB stay in the first-level cache beside the rows that stream past (64 ... 512: within 5 %). */
export const PANEL_DEPTH: usize = 128;

/**
 * c[rows, columns] = start[rows, columns] + a[rows, depth] · panel[depth, 16], columns <= 16; start 0: zeros.
 * aRow, startRow, cRow: bytes from one row to the next (startRow 0: all rows start alike). relu 1: then max(c, 0).
 */
export function multiply(
  rows: usize, columns: usize, depth: usize,
  a: usize, aRow: usize, panel: usize, start: usize, startRow: usize, c: usize, cRow: usize, relu: i32,
): void {
  let i: usize = 0;
  for (; i + 2 <= rows; i += 2) {
    tile2(depth, a, a + aRow, panel, start, start + startRow, c, c + cRow, columns, relu);
    a += 2 * aRow;
    start += 2 * startRow;
    c += 2 * cRow;
  }
  if (i < rows) tile1(depth, a, panel, start, c, columns, relu);
}

// 2 x 16: 8 independent chains cover the latency of madd, and everything stays in 16 registers. Of the shapes
// measured (2 x 16, 3 x 12, 4 x 8) it is the fastest at m = 8 and 256, and the one that needs the fewest row tails.
function tile2(
  depth: usize, a0: usize, a1: usize, panel: usize,
  s0: usize, s1: usize, c0: usize, c1: usize, columns: usize, relu: i32,
): void {
  let c00 = begin(s0, 0, columns), c01 = begin(s0, 4, columns);
  let c02 = begin(s0, 8, columns), c03 = begin(s0, 12, columns);
  let c10 = begin(s1, 0, columns), c11 = begin(s1, 4, columns);
  let c12 = begin(s1, 8, columns), c13 = begin(s1, 12, columns);
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
  end(c0, 0, columns, c00, relu);
  end(c0, 4, columns, c01, relu);
  end(c0, 8, columns, c02, relu);
  end(c0, 12, columns, c03, relu);
  end(c1, 0, columns, c10, relu);
  end(c1, 4, columns, c11, relu);
  end(c1, 8, columns, c12, relu);
  end(c1, 12, columns, c13, relu);
}

function tile1(depth: usize, a: usize, panel: usize, s: usize, c: usize, columns: usize, relu: i32): void {
  let c0 = begin(s, 0, columns), c1 = begin(s, 4, columns);
  let c2 = begin(s, 8, columns), c3 = begin(s, 12, columns);
  for (; depth; depth--) {
    const v = v128.load32_splat(a);
    c0 = madd(v, v128.load(panel, 0), c0);
    c1 = madd(v, v128.load(panel, 16), c1);
    c2 = madd(v, v128.load(panel, 32), c2);
    c3 = madd(v, v128.load(panel, 48), c3);
    a += BYTES;
    panel += PANEL_ROW;
  }
  end(c, 0, columns, c0, relu);
  end(c, 4, columns, c1, relu);
  end(c, 8, columns, c2, relu);
  end(c, 12, columns, c3, relu);
}

/**
 * c[32] = start[32] + a[depth] · two panels that stand `next` bytes apart. One row alone: two panels at a time make the
 * 8 chains that cover madd's latency.
 */
export function row32(
  depth: usize, a: usize, panel: usize, next: usize, start: usize, c: usize, relu: i32,
): void {
  const n: usize = 2 * PANEL_COLUMNS;
  let c0 = begin(start, 0, n), c1 = begin(start, 4, n), c2 = begin(start, 8, n), c3 = begin(start, 12, n);
  let c4 = begin(start, 16, n), c5 = begin(start, 20, n), c6 = begin(start, 24, n), c7 = begin(start, 28, n);
  let second = panel + next;
  for (; depth; depth--) {
    const v = v128.load32_splat(a);
    c0 = madd(v, v128.load(panel, 0), c0);
    c1 = madd(v, v128.load(panel, 16), c1);
    c2 = madd(v, v128.load(panel, 32), c2);
    c3 = madd(v, v128.load(panel, 48), c3);
    c4 = madd(v, v128.load(second, 0), c4);
    c5 = madd(v, v128.load(second, 16), c5);
    c6 = madd(v, v128.load(second, 32), c6);
    c7 = madd(v, v128.load(second, 48), c7);
    a += BYTES;
    panel += PANEL_ROW;
    second += PANEL_ROW;
  }
  end(c, 0, n, c0, relu);
  end(c, 4, n, c1, relu);
  end(c, 8, n, c2, relu);
  end(c, 12, n, c3, relu);
  end(c, 16, n, c4, relu);
  end(c, 20, n, c5, relu);
  end(c, 24, n, c6, relu);
  end(c, 28, n, c7, relu);
}

/** Where four chains start: elements j .. j + 3 of a row of so many columns, zeros past its end or without a row. */
// @ts-ignore: decorator
@inline
function begin(start: usize, j: usize, columns: usize): v128 {
  return start && j < columns ? loadLanes(start, j, columns) : f32x4.splat(0);
}

/** Stores what four chains came to, as far as the row has such columns. */
// @ts-ignore: decorator
@inline
function end(c: usize, j: usize, columns: usize, v: v128, relu: i32): void {
  if (j < columns) storeLanes(c, j, columns, relu ? atLeast(v, f32x4.splat(0)) : v);
}
