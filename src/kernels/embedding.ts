// Rows of a table by their indices.

import { BYTES } from './lanes';

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
