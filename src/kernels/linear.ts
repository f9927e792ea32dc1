// y = x · wᵀ + bias, where w comes in panels of 16 columns (`pack`), made once for many products.

import { BYTES } from './lanes';
import { multiply, PANEL_COLUMNS, PANEL_DEPTH, PANEL_ROW, row32 } from './product';

/** Rows of x that pass a panel together: as many stay in the second-level cache beside it. */
const ROW_BLOCK: usize = 256;

/** panels[ceil(n / 16), k, 16]: panel j holds w[16 j ... 16 j + 15, :] transposed, and zeros for rows that w has not. */
export function pack(w: usize, panels: usize, n: usize, k: usize): void {
  const row = k * BYTES;
  for (let j: usize = 0; j < n; j += PANEL_COLUMNS) {
    packRows(w + j * row, row, min(PANEL_COLUMNS, n - j), k, panels);
    panels += k * PANEL_ROW;
  }
}

/** The same of w given as [k, n], its rows `row` elements apart. */
export function pack_transposed(w: usize, panels: usize, n: usize, k: usize, row: usize): void {
  for (let j: usize = 0; j < n; j += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, n - j);
    let from = w + j * BYTES;
    for (let i: usize = 0; i < k; i++) {
      if (columns == PANEL_COLUMNS) {
        v128.store(panels, v128.load(from));
        v128.store(panels, v128.load(from, 16), 16);
        v128.store(panels, v128.load(from, 32), 32);
        v128.store(panels, v128.load(from, 48), 48);
      } else {
        for (let c: usize = 0; c < PANEL_COLUMNS; c++) {
          store<f32>(panels + c * BYTES, c < columns ? load<f32>(from + c * BYTES) : 0);
        }
      }
      from += row * BYTES;
      panels += PANEL_ROW;
    }
  }
}

/** y[i, j] = bias[j] + Σ x[m,k] · w[n,k], rows of y `ldy` elements apart; bias 0: none; relu 1: then max(y, 0). */
export function linear(
  x: usize, panels: usize, bias: usize, y: usize, m: usize, ldy: usize, n: usize, k: usize, relu: i32,
): void {
  const paired = m & ~1;
  for (let i: usize = 0; i < paired; i += ROW_BLOCK) {
    const rows = min(ROW_BLOCK, paired - i);
    block(x + i * k * BYTES, panels, bias, y + i * ldy * BYTES, rows, ldy, n, k, relu);
  }
  if (paired < m) oneRow(x + paired * k * BYTES, panels, bias, y + paired * ldy * BYTES, n, k, relu);
}

function block(
  x: usize, panels: usize, bias: usize, y: usize, m: usize, ldy: usize, n: usize, k: usize, relu: i32,
): void {
  const xRow = k * BYTES;
  const yRow = ldy * BYTES;
  for (let j: usize = 0; j < n; j += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, n - j);
    const c = y + j * BYTES;
    let start = bias && bias + j * BYTES;
    let startRow: usize = 0;
    let k0: usize = 0;
    do {
      const depth = min(PANEL_DEPTH, k - k0);
      const last = k0 + depth == k;
      multiply(m, columns, depth, x + k0 * BYTES, xRow, panels, start, startRow, c, yRow, last ? relu : 0);
      panels += depth * PANEL_ROW;
      start = c;
      startRow = yRow;
      k0 += depth;
    } while (k0 < k);
  }
}

function oneRow(x: usize, panels: usize, bias: usize, y: usize, n: usize, k: usize, relu: i32): void {
  const panel = k * PANEL_ROW;
  let j: usize = 0;
  for (; j + 2 * PANEL_COLUMNS <= n; j += 2 * PANEL_COLUMNS) {
    row32(k, x, panels, panel, bias && bias + j * BYTES, y + j * BYTES, relu);
    panels += 2 * panel;
  }
  for (; j < n; j += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, n - j);
    multiply(1, columns, k, x, 0, panels, bias && bias + j * BYTES, 0, y + j * BYTES, 0, relu);
    panels += panel;
  }
}

/** panel[depth, 16] = the transpose of w[columns, depth], and zeros in the columns that w has not. */
function packRows(w: usize, row: usize, columns: usize, depth: usize, panel: usize): void {
  let j: usize = 0;
  for (; j + 4 <= columns; j += 4) {
    let from = w + j * row;
    let to = panel + j * BYTES;
    let k: usize = 0;
    for (; k + 4 <= depth; k += 4) {
      const r0 = v128.load(from), r1 = v128.load(from + row);
      const r2 = v128.load(from + 2 * row), r3 = v128.load(from + 3 * row);
      const t0 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), t1 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
      const t2 = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t3 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
      v128.store(to, i64x2.shuffle(t0, t1, 0, 2));
      v128.store(to + PANEL_ROW, i64x2.shuffle(t0, t1, 1, 3));
      v128.store(to + 2 * PANEL_ROW, i64x2.shuffle(t2, t3, 0, 2));
      v128.store(to + 3 * PANEL_ROW, i64x2.shuffle(t2, t3, 1, 3));
      from += 16;
      to += 4 * PANEL_ROW;
    }
    for (; k < depth; k++) {
      v128.store(to, column(from, row));
      from += BYTES;
      to += PANEL_ROW;
    }
  }
  for (; j < PANEL_COLUMNS; j++) {
    const from = w + j * row;
    const to = panel + j * BYTES;
    for (let k: usize = 0; k < depth; k++) {
      store<f32>(to + k * PANEL_ROW, j < columns ? load<f32>(from + k * BYTES) : 0);
    }
  }
}

/** The first elements of four rows. */
// @ts-ignore: decorator
@inline
function column(w: usize, row: usize): v128 {
  let v = v128.load32_zero(w);
  v = v128.load32_lane(w + row, v, 1);
  v = v128.load32_lane(w + 2 * row, v, 2);
  return v128.load32_lane(w + 3 * row, v, 3);
}
