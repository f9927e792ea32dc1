// The updates that follow a running average m of the gradient: Adam and its kin.
// p: the parameter, g: its gradient, m: exp_avg, v: exp_avg_sq, each of n elements; p and the averages are overwritten.
// An element's bits depend on the element alone: any range may be updated apart from the others.
// Formulas: torch.optim's single-tensor functions; what they compute once for a step comes as float64.

import { loadLanes, storeLanes } from './lanes';
import { addcdiv, averageSquare, gradientOf, lerp, scalar } from './optim-lanes';

/** largest: max_exp_avg_sq, 0 without amsgrad. shrink: 1 - lr · weight_decay where the decay is decoupled, or 1. */
export function adam(
  p: usize, g: usize, m: usize, v: usize, largest: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  stepSize: f64, correction2Root: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    let parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(loadLanes(m, i, n), gradient, 1 - beta1);
    let square = averageSquare(loadLanes(v, i, n), gradient, beta2);
    storeLanes(m, i, n, average);
    storeLanes(v, i, n, square);
    if (largest) {
      square = f32x4.max(loadLanes(largest, i, n), square);
      storeLanes(largest, i, n, square);
    }
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(square), scalar(correction2Root)), scalar(eps));
    storeLanes(p, i, n, addcdiv(parameter, average, denominator, -stepSize));
  }
}

/** u: exp_inf */
export function adamax(
  p: usize, g: usize, m: usize, u: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, stepSize: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    const parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    const average = lerp(loadLanes(m, i, n), gradient, 1 - beta1);
    const norm = f32x4.max(
      f32x4.mul(loadLanes(u, i, n), scalar(beta2)),
      f32x4.add(f32x4.abs(gradient), scalar(eps)),
    );
    storeLanes(m, i, n, average);
    storeLanes(u, i, n, norm);
    storeLanes(p, i, n, addcdiv(parameter, average, norm, -stepSize));
  }
}

/** The step goes along the gradient and along its average, so far each. */
export function nadam(
  p: usize, g: usize, m: usize, v: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  gradientStep: f64, averageStep: f64, correction2: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    let parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(loadLanes(m, i, n), gradient, 1 - beta1);
    const square = averageSquare(loadLanes(v, i, n), gradient, beta2);
    storeLanes(m, i, n, average);
    storeLanes(v, i, n, square);
    const denominator = f32x4.add(f32x4.sqrt(f32x4.div(square, scalar(correction2))), scalar(eps));
    parameter = addcdiv(parameter, gradient, denominator, gradientStep);
    storeLanes(p, i, n, addcdiv(parameter, average, denominator, averageStep));
  }
}

/** rectification 0: the variance is not to be trusted yet, and the step is the average's. */
export function radam(
  p: usize, g: usize, m: usize, v: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  lr: f64, correction1: f64, correction2Root: f64, rectification: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    let parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(loadLanes(m, i, n), gradient, 1 - beta1);
    const square = averageSquare(loadLanes(v, i, n), gradient, beta2);
    storeLanes(m, i, n, average);
    storeLanes(v, i, n, square);
    let change = f32x4.mul(f32x4.div(average, scalar(correction1)), scalar(lr));
    if (rectification != 0) {
      const inverse = f32x4.div(scalar(1), f32x4.add(f32x4.sqrt(square), scalar(eps)));
      change = f32x4.mul(f32x4.mul(change, f32x4.mul(inverse, scalar(correction2Root))), scalar(rectification));
    }
    storeLanes(p, i, n, f32x4.sub(parameter, change));
  }
}
