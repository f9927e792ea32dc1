// Runs of elements copied, filled and added, four at a time.

import { BYTES, loadLanes, storeLanes } from './lanes';

/** y[n] = x[n] */
// @ts-ignore: decorator
@inline
export function copyLine(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, loadLanes(x, i, n));
}

/** y[n] = the four values again and again */
// @ts-ignore: decorator
@inline
export function fillLine(y: usize, n: usize, four: v128): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, four);
}

/** y[n] += x[n] */
// @ts-ignore: decorator
@inline
export function addLine(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.add(loadLanes(y, i, n), loadLanes(x, i, n)));
}

/** y[n] += w · x[n] */
// @ts-ignore: decorator
@inline
export function addScaled(x: usize, w: f32, y: usize, n: usize): void {
  const by = f32x4.splat(w);
  for (let i: usize = 0; i < n; i += 4) {
    storeLanes(y, i, n, f32x4.add(loadLanes(y, i, n), f32x4.mul(loadLanes(x, i, n), by)));
  }
}
