// The updates that follow a running average m of the gradient: Adam and its kin.
// p: the parameter, g: its gradient, m: exp_avg, v: exp_avg_sq, each of n elements; p and the averages are overwritten.
// An element's bits depend on the element alone: any range may be updated apart from the others.
// Formulas: torch.optim's single-tensor functions; what they compute once for a step comes as float64.

import { addcdiv, averageSquare, gradientOf, lerp, load4, scalar, store4, wholes } from './optim-lanes';

/** largest: max_exp_avg_sq, 0 without amsgrad. shrink: 1 - lr · weight_decay where the decay is decoupled, or 1. */
// @ts-ignore: decorator
@inline
function adamRange(
  p: usize, g: usize, m: usize, v: usize, largest: usize, from: usize, to: usize, whole: bool,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  stepSize: f64, correction2Root: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    let parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(load4(m, i, to, whole), gradient, 1 - beta1);
    let square = averageSquare(load4(v, i, to, whole), gradient, beta2);
    store4(m, i, to, whole, average);
    store4(v, i, to, whole, square);
    if (largest) {
      square = f32x4.max(load4(largest, i, to, whole), square);
      store4(largest, i, to, whole, square);
    }
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(square), scalar(correction2Root)), scalar(eps));
    store4(p, i, to, whole, addcdiv(parameter, average, denominator, -stepSize));
  }
}

export function adam(
  p: usize, g: usize, m: usize, v: usize, largest: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  stepSize: f64, correction2Root: f64, maximize: i32,
): void {
  adamRange(
    p, g, m, v, largest, 0, wholes(n), true,
    beta1, beta2, eps, weightDecay, shrink, stepSize, correction2Root, maximize,
  );
  adamRange(
    p, g, m, v, largest, wholes(n), n, false,
    beta1, beta2, eps, weightDecay, shrink, stepSize, correction2Root, maximize,
  );
}

/** u: exp_inf */
// @ts-ignore: decorator
@inline
function adamaxRange(
  p: usize, g: usize, m: usize, u: usize, from: usize, to: usize, whole: bool,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, stepSize: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    const parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    const average = lerp(load4(m, i, to, whole), gradient, 1 - beta1);
    const norm = f32x4.max(
      f32x4.mul(load4(u, i, to, whole), scalar(beta2)),
      f32x4.add(f32x4.abs(gradient), scalar(eps)),
    );
    store4(m, i, to, whole, average);
    store4(u, i, to, whole, norm);
    store4(p, i, to, whole, addcdiv(parameter, average, norm, -stepSize));
  }
}

export function adamax(
  p: usize, g: usize, m: usize, u: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, stepSize: f64, maximize: i32,
): void {
  adamaxRange(p, g, m, u, 0, wholes(n), true, beta1, beta2, eps, weightDecay, stepSize, maximize);
  adamaxRange(p, g, m, u, wholes(n), n, false, beta1, beta2, eps, weightDecay, stepSize, maximize);
}

/** The step goes along the gradient and along its average, so far each. */
// @ts-ignore: decorator
@inline
function nadamRange(
  p: usize, g: usize, m: usize, v: usize, from: usize, to: usize, whole: bool,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  gradientStep: f64, averageStep: f64, correction2: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    let parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(load4(m, i, to, whole), gradient, 1 - beta1);
    const square = averageSquare(load4(v, i, to, whole), gradient, beta2);
    store4(m, i, to, whole, average);
    store4(v, i, to, whole, square);
    const denominator = f32x4.add(f32x4.sqrt(f32x4.div(square, scalar(correction2))), scalar(eps));
    parameter = addcdiv(parameter, gradient, denominator, gradientStep);
    store4(p, i, to, whole, addcdiv(parameter, average, denominator, averageStep));
  }
}

export function nadam(
  p: usize, g: usize, m: usize, v: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  gradientStep: f64, averageStep: f64, correction2: f64, maximize: i32,
): void {
  nadamRange(
    p, g, m, v, 0, wholes(n), true,
    beta1, beta2, eps, weightDecay, shrink, gradientStep, averageStep, correction2, maximize,
  );
  nadamRange(
    p, g, m, v, wholes(n), n, false,
    beta1, beta2, eps, weightDecay, shrink, gradientStep, averageStep, correction2, maximize,
  );
}

/** rectification 0: the variance is not to be trusted yet, and the step is the average's. */
// @ts-ignore: decorator
@inline
function radamRange(
  p: usize, g: usize, m: usize, v: usize, from: usize, to: usize, whole: bool,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  lr: f64, correction1: f64, correction2Root: f64, rectification: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    let parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    if (shrink != 1) parameter = f32x4.mul(parameter, scalar(shrink));
    const average = lerp(load4(m, i, to, whole), gradient, 1 - beta1);
    const square = averageSquare(load4(v, i, to, whole), gradient, beta2);
    store4(m, i, to, whole, average);
    store4(v, i, to, whole, square);
    let change = f32x4.mul(f32x4.div(average, scalar(correction1)), scalar(lr));
    if (rectification != 0) {
      const inverse = f32x4.div(scalar(1), f32x4.add(f32x4.sqrt(square), scalar(eps)));
      change = f32x4.mul(f32x4.mul(change, f32x4.mul(inverse, scalar(correction2Root))), scalar(rectification));
    }
    store4(p, i, to, whole, f32x4.sub(parameter, change));
  }
}

export function radam(
  p: usize, g: usize, m: usize, v: usize, n: usize,
  beta1: f64, beta2: f64, eps: f64, weightDecay: f64, shrink: f64,
  lr: f64, correction1: f64, correction2Root: f64, rectification: f64, maximize: i32,
): void {
  radamRange(
    p, g, m, v, 0, wholes(n), true,
    beta1, beta2, eps, weightDecay, shrink, lr, correction1, correction2Root, rectification, maximize,
  );
  radamRange(
    p, g, m, v, wholes(n), n, false,
    beta1, beta2, eps, weightDecay, shrink, lr, correction1, correction2Root, rectification, maximize,
  );
}
