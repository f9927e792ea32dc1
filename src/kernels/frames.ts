// A volume's depth as channels: what each element of a kernel along the depth meets, plane by plane.

import { BYTES } from './lanes';
import { addLine, copyLine } from './lines';

/** y[n, od, c, kd, plane] of x[n, c, d, plane]; zeros in the padding. */
export function frames(
  x: usize, y: usize, n: usize, c: i32, d: i32, plane: usize, od: i32, kd: i32,
  stride: i32, padding: i32, dilation: i32,
): void {
  const bytes = plane * BYTES;
  for (; n; n--) {
    for (let i: i32 = 0; i < od; i++) {
      for (let channel: i32 = 0; channel < c; channel++) {
        for (let k: i32 = 0; k < kd; k++) {
          const from = i * stride - padding + k * dilation;
          if (<u32>from < <u32>d) copyLine(x + (<usize>channel * d + from) * bytes, y, plane);
          else memory.fill(y, 0, bytes);
          y += bytes;
        }
      }
    }
    x += <usize>c * d * bytes;
  }
}

/** dx[n, c, d, plane] of dy[n, od, c, kd, plane] */
export function frames_gradient(
  dy: usize, dx: usize, n: usize, c: i32, d: i32, plane: usize, od: i32, kd: i32,
  stride: i32, padding: i32, dilation: i32,
): void {
  const bytes = plane * BYTES;
  memory.fill(dx, 0, n * <usize>c * d * bytes);
  for (; n; n--) {
    for (let i: i32 = 0; i < od; i++) {
      for (let channel: i32 = 0; channel < c; channel++) {
        for (let k: i32 = 0; k < kd; k++) {
          const to = i * stride - padding + k * dilation;
          if (<u32>to < <u32>d) addLine(dy, dx + (<usize>channel * d + to) * bytes, plane);
          dy += bytes;
        }
      }
    }
    dx += <usize>c * d * bytes;
  }
}
