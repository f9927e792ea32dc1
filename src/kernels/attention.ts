// The gradient of softmax over rows: dx = p · (g - Σ p · g), summed in float64 in one order that d decides.

import { high, loadLanes, low, storeLanes, total, BYTES } from './lanes';

/** p: what softmax gave for rows of d elements; g: its gradient, which becomes that of its input. */
export function softmax_rows_gradient(p: usize, g: usize, rows: usize, d: usize): void {
  for (; rows; rows--) {
    let a = f64x2.splat(0), b = a;
    for (let i: usize = 0; i < d; i += 4) {
      const v = loadLanes(p, i, d), w = loadLanes(g, i, d);
      a = f64x2.add(a, f64x2.mul(low(v), low(w)));
      b = f64x2.add(b, f64x2.mul(high(v), high(w)));
    }
    const dot = f32x4.splat(<f32>total(a, b));
    for (let i: usize = 0; i < d; i += 4) {
      storeLanes(g, i, d, f32x4.mul(loadLanes(p, i, d), f32x4.sub(loadLanes(g, i, d), dot)));
    }
    p += d * BYTES;
    g += d * BYTES;
  }
}
