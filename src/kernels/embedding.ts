// Rows of a table by their indices, alone or a bag of them at a time, and the gradients of the table: contributions are
// added in the order of the indices. Gradients are made for a range of columns, so that several threads may share one.

import { BYTES, loadLanes, storeLanes } from './lanes';

const SUM: i32 = 0;
const MEAN: i32 = 1;
const MAX: i32 = 2;

/** y[i] = weight[index[i]]; index: int64[n]; weight[rows,d]. Answers -1, or the first i whose index is outside [0, rows). */
export function embedding(index: usize, weight: usize, y: usize, n: i32, rows: usize, d: usize): i32 {
  const bytes = d * BYTES;
  for (let i: i32 = 0; i < n; i++) {
    const row = load<u64>(index);
    // As unsigned, a negative index is a large one.
    if (row >= <u64>rows) return i;
    memory.copy(y, weight + <usize>row * bytes, bytes);
    index += 8;
    y += bytes;
  }
  return -1;
}

/**
 * Columns from ... from + count - 1 of dw[rows,d]: the sum of dy[i] where index[i] is the row, none for the row `padding`
 * (-1: there is none). counts: uint32[rows], then a row's sum is divided by how often it is asked for; 0: it is not.
 */
export function embedding_gradient(
  index: usize, dy: usize, dw: usize, n: i32, rows: usize, d: usize, from: usize, count: usize, padding: i32, counts: usize,
): void {
  clear(dw, rows, d, from, count);
  if (counts) tally(index, n, rows, counts);
  for (let i: i32 = 0; i < n; i++) {
    const row = load<i64>(index, 0);
    if (row != padding) {
      const scale: f32 = counts ? <f32>1 / <f32>load<u32>(counts + <usize>row * 4) : 1;
      accumulate(dw + (<usize>row * d + from) * BYTES, dy + from * BYTES, count, scale);
    }
    index += 8;
    dy += d * BYTES;
  }
}

/**
 * y[bag] = the sum, mean (mode 1) or maximum (mode 2) of weight[index[i]] over the bag's i, 0 where it has none; the row
 * `padding` counts as absent. offsets: int64[bags], where each bag begins, with the end of the last one behind them if
 * `ends`; 0: bags are n / bags long. Answers -1, or the first i whose index is outside [0, rows), or -2 - bag where the
 * offset of that bag is not in order within [0, n].
 */
export function embedding_bag(
  index: usize, weight: usize, offsets: usize, y: usize,
  n: i32, bags: i32, ends: i32, rows: usize, d: usize, mode: i32, padding: i32,
): i32 {
  for (let i: i32 = 0; i < n; i++) if (load<u64>(index + <usize>i * 8) >= <u64>rows) return i;
  const wrong = offsets ? disorder(offsets, n, bags + ends) : -1;
  if (wrong >= 0) return -2 - wrong;
  for (let bag: i32 = 0; bag < bags; bag++) {
    memory.fill(y, 0, d * BYTES);
    let members: i32 = 0;
    const end = begin(offsets, bag + 1, n, bags, ends);
    for (let i = begin(offsets, bag, n, bags, ends); i < end; i++) {
      const row = load<i64>(index + <usize>i * 8);
      if (row == padding) continue;
      const from = weight + <usize>row * d * BYTES;
      if (mode == MAX && members) raise(y, from, d);
      else accumulate(y, from, d, 1);
      members++;
    }
    if (mode == MEAN && members > 1) divide(y, d, <f32>members);
    y += d * BYTES;
  }
  return -1;
}

/** Columns from ... from + count - 1 of the gradient of `embedding_bag`; weight is read for the maximum alone. */
export function embedding_bag_gradient(
  index: usize, weight: usize, offsets: usize, dy: usize, dw: usize,
  n: i32, bags: i32, ends: i32, rows: usize, d: usize, mode: i32, padding: i32, from: usize, count: usize, counts: usize,
): void {
  clear(dw, rows, d, from, count);
  if (counts) tally(index, n, rows, counts);
  for (let bag: i32 = 0; bag < bags; bag++) {
    const first = begin(offsets, bag, n, bags, ends), end = begin(offsets, bag + 1, n, bags, ends);
    let members: i32 = 0;
    for (let i = first; i < end; i++) members += i32(load<i64>(index + <usize>i * 8) != padding);
    const row = dy + from * BYTES;
    if (mode == MAX) toLargest(index, weight, row, dw, first, end, d, padding, from, count);
    else {
      for (let i = first; i < end; i++) {
        const at = load<i64>(index + <usize>i * 8);
        if (at == padding) continue;
        let scale: f32 = mode == SUM ? <f32>1 : <f32>1 / <f32>members;
        if (counts) scale /= <f32>load<u32>(counts + <usize>at * 4);
        accumulate(dw + (<usize>at * d + from) * BYTES, row, count, scale);
      }
    }
    dy += d * BYTES;
  }
}

/** Where a bag begins among the indices. */
function begin(offsets: usize, bag: i32, n: i32, bags: i32, ends: i32): i32 {
  if (!offsets) return <i32>(<i64>bag * n / bags);
  return bag < bags + ends ? <i32>load<i64>(offsets + <usize>bag * 8) : n;
}

/** The first of the offsets that is not in order within [0, n], or not 0 at the start; -1: none. */
function disorder(offsets: usize, n: i32, count: i32): i32 {
  let last: i64 = 0;
  for (let i: i32 = 0; i < count; i++) {
    const offset = load<i64>(offsets + <usize>i * 8);
    if (offset < last || offset > n || (i == 0 && offset != 0)) return i;
    last = offset;
  }
  return -1;
}

function clear(dw: usize, rows: usize, d: usize, from: usize, count: usize): void {
  if (count == d) memory.fill(dw, 0, rows * d * BYTES);
  else for (let i: usize = 0; i < rows; i++) memory.fill(dw + (i * d + from) * BYTES, 0, count * BYTES);
}

/** counts[row] = how often the row is asked for. */
function tally(index: usize, n: i32, rows: usize, counts: usize): void {
  memory.fill(counts, 0, rows * 4);
  for (let i: i32 = 0; i < n; i++) {
    const at = counts + <usize>load<i64>(index + <usize>i * 8) * 4;
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** y += x · scale */
function accumulate(y: usize, x: usize, n: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (let j: usize = 0; j < n; j += 4) {
    storeLanes(y, j, n, f32x4.add(loadLanes(y, j, n), f32x4.mul(loadLanes(x, j, n), factor)));
  }
}

function divide(y: usize, n: usize, by: f32): void {
  const divisor = f32x4.splat(by);
  for (let j: usize = 0; j < n; j += 4) storeLanes(y, j, n, f32x4.div(loadLanes(y, j, n), divisor));
}

/** y = x where that is larger. */
function raise(y: usize, x: usize, n: usize): void {
  for (let j: usize = 0; j < n; j += 4) storeLanes(y, j, n, f32x4.pmax(loadLanes(y, j, n), loadLanes(x, j, n)));
}

/** A bag's gradient goes to the first of the largest of each column. */
function toLargest(
  index: usize, weight: usize, dy: usize, dw: usize, first: i32, end: i32, d: usize, padding: i32, from: usize, count: usize,
): void {
  for (let j: usize = 0; j < count; j++) {
    let best: i64 = -1;
    let largest: f32 = 0;
    for (let i = first; i < end; i++) {
      const row = load<i64>(index + <usize>i * 8);
      if (row == padding) continue;
      const value = load<f32>(weight + (<usize>row * d + from + j) * BYTES);
      if (best >= 0 && !(value > largest)) continue;
      best = row;
      largest = value;
    }
    if (best < 0) continue;
    const at = dw + (<usize>best * d + from + j) * BYTES;
    store<f32>(at, load<f32>(at) + load<f32>(dy + j * BYTES));
  }
}
