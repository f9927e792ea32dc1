// Rows moved along.

import { BYTES } from './lanes';

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
