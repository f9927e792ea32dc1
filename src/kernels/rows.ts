// Rows that are copied into others: parts of a tensor put together, or moved along.

import { BYTES } from './lanes';

/** y[outer,extent] = zeros, with x[outer,length] from element `start` of each row on. */
export function place(x: usize, y: usize, outer: usize, length: usize, start: usize, extent: usize): void {
  const rest = extent - start - length;
  for (; outer; outer--) {
    memory.fill(y, 0, start * BYTES);
    memory.copy(y + start * BYTES, x, length * BYTES);
    memory.fill(y + (start + length) * BYTES, 0, rest * BYTES);
    x += length * BYTES;
    y += extent * BYTES;
  }
}

/** The first `length` elements of rows of y, which are `row` elements apart, are those of x[outer,length]. */
export function scatter_rows(x: usize, y: usize, outer: usize, length: usize, row: usize): void {
  for (; outer; outer--) {
    memory.copy(y, x, length * BYTES);
    x += length * BYTES;
    y += row * BYTES;
  }
}

/** y[outer,run]: each row is that of x moved `by` elements on (back: negative), zeros where x has none. */
export function shift(x: usize, y: usize, outer: usize, run: usize, by: isize): void {
  const away = min<usize>(by < 0 ? -by : by, run);
  const kept = run - away;
  for (; outer; outer--) {
    if (by < 0) {
      memory.copy(y, x + away * BYTES, kept * BYTES);
      memory.fill(y + kept * BYTES, 0, away * BYTES);
    } else {
      memory.fill(y, 0, away * BYTES);
      memory.copy(y + away * BYTES, x, kept * BYTES);
    }
    x += run * BYTES;
    y += run * BYTES;
  }
}

export function zero(y: usize, bytes: usize): void {
  memory.fill(y, 0, bytes);
}
