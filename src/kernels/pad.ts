// One dimension made longer or shorter at both ends: x[outer, d, inner] → y[outer, before + d + after, inner].
// Negative ends are cut off. What x has itself is copied in one piece; the rest comes of the mode.

import { BYTES } from './lanes';
import { addLine, copyLine, fillLine } from './lines';

/**
 * Of words of four bytes. mode 0: the words even and odd in turns; 1: mirrored at the last element; 2: the last element;
 * 3: round again.
 */
export function pad(
  x: usize, y: usize, outer: usize, d: i32, inner: usize, before: i32, after: i32, mode: i32, even: i32, odd: i32,
): void {
  const value = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(even), 1, odd), 3, odd);
  const length = before + d + after;
  const first = min(max(before, 0), length), end = max(first, min(before + d, length));
  const bytes = inner * BYTES;
  for (; outer; outer--) {
    for (let j: i32 = 0; j < length; j++) {
      if (j == first && end > first) {
        copyLine(x + <usize>(first - before) * bytes, y, <usize>(end - first) * inner);
        y += <usize>(end - first) * bytes;
        j = end - 1;
        continue;
      }
      if (mode == 0) fillLine(y, inner, value);
      else copyLine(x + <usize>source(j - before, d, mode) * bytes, y, inner);
      y += bytes;
    }
    x += <usize>d * bytes;
  }
}

/** dx[outer, d, inner] = the sums of dy over what came of each element; modes 1 to 3. */
export function pad_gradient(
  dy: usize, dx: usize, outer: usize, d: i32, inner: usize, before: i32, after: i32, mode: i32,
): void {
  const length = before + d + after;
  const bytes = inner * BYTES;
  memory.fill(dx, 0, outer * <usize>d * bytes);
  for (; outer; outer--) {
    for (let j: i32 = 0; j < length; j++) {
      addLine(dy, dx + <usize>source(j - before, d, mode) * bytes, inner);
      dy += bytes;
    }
    dx += <usize>d * bytes;
  }
}

/** Which of d elements stands at position i. */
// @ts-ignore: decorator
@inline
function source(i: i32, d: i32, mode: i32): i32 {
  if (mode == 1) return i < 0 ? -i : i < d ? i : 2 * (d - 1) - i;
  if (mode == 2) return i < 0 ? 0 : i < d ? i : d - 1;
  const rest = i % d;
  return rest < 0 ? rest + d : rest;
}
