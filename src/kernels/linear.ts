// y = x · wᵀ + bias: 16 rows of w at a time are packed into a panel, which meets every row of x.
// One row of x takes the same way: transposing in registers instead is 1.4 times as fast where w's rows lie well, and
// half as fast where they are a multiple of 4 KiB apart, since 16 of them then evict each other from the cache.

import { BYTES } from './lanes';
import { multiply, PANEL_COLUMNS, PANEL_DEPTH, PANEL_ROW, panelOf, scratchBytes } from './product';

/** Bytes of scratch that `linear` needs. */
export function linear_scratch(k: f64): f64 {
  return scratchBytes(k);
}

/** y[m,n] = x[m,k] · w[n,k]ᵀ + bias[n]; bias 0: none. */
export function linear(
  x: usize, w: usize, bias: usize, y: usize, m: usize, n: usize, k: usize, scratch: usize,
): void {
  const row = k * BYTES;
  startAtBias(y, bias, m, n);
  for (let j: usize = 0; j < n; j += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, n - j);
    for (let k0: usize = 0; k0 < k; k0 += PANEL_DEPTH) {
      const depth = min(PANEL_DEPTH, k - k0);
      packRows(w + j * row + k0 * BYTES, row, columns, depth, panelOf(scratch));
      multiply(m, columns, depth, x + k0 * BYTES, row, y + j * BYTES, n * BYTES, scratch);
    }
  }
}

function startAtBias(y: usize, bias: usize, m: usize, n: usize): void {
  if (!bias) {
    memory.fill(y, 0, m * n * BYTES);
    return;
  }
  for (let i: usize = 0; i < m; i++) memory.copy(y + i * n * BYTES, bias, n * BYTES);
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
