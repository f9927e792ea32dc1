// The updates that follow the gradient itself, or a rate of their own for each element: SGD, RMSprop, Adagrad,
// Adadelta, Rprop. p: the parameter, g: its gradient, n elements each; p and the state are overwritten.
// An element's bits depend on the element alone: any range may be updated apart from the others.
// Formulas: torch.optim's single-tensor functions; what they compute once for a step comes as float64.

import { atLeast, madd } from './lanes';
import { addcdiv, addcmul, averageSquare, gradientOf, lerp, load4, scalar, store4, wholes } from './optim-lanes';

/** buffer: momentum_buffer, not looked at without momentum. first: it is made of this gradient, whole. */
// @ts-ignore: decorator
@inline
function sgdRange(
  p: usize, g: usize, buffer: usize, from: usize, to: usize, whole: bool,
  lr: f64, momentum: f64, dampening: f64, weightDecay: f64,
  nesterov: i32, maximize: i32, first: i32,
): void {
  for (let i = from; i < to; i += 4) {
    const parameter = load4(p, i, to, whole);
    let gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    if (buffer && momentum != 0) {
      const velocity = first
        ? gradient
        : madd(gradient, scalar(1 - dampening), f32x4.mul(load4(buffer, i, to, whole), scalar(momentum)));
      store4(buffer, i, to, whole, velocity);
      gradient = nesterov ? madd(velocity, scalar(momentum), gradient) : velocity;
    }
    store4(p, i, to, whole, madd(gradient, scalar(-lr), parameter));
  }
}

export function sgd(
  p: usize, g: usize, buffer: usize, n: usize,
  lr: f64, momentum: f64, dampening: f64, weightDecay: f64,
  nesterov: i32, maximize: i32, first: i32,
): void {
  sgdRange(p, g, buffer, 0, wholes(n), true, lr, momentum, dampening, weightDecay, nesterov, maximize, first);
  sgdRange(p, g, buffer, wholes(n), n, false, lr, momentum, dampening, weightDecay, nesterov, maximize, first);
}

/** square: square_avg; mean: grad_avg, 0 unless centered; buffer: momentum_buffer, 0 without momentum. */
// @ts-ignore: decorator
@inline
function rmspropRange(
  p: usize, g: usize, square: usize, mean: usize, buffer: usize, from: usize, to: usize, whole: bool,
  lr: f64, alpha: f64, eps: f64, weightDecay: f64, momentum: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    const parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    let variance = averageSquare(load4(square, i, to, whole), gradient, alpha);
    store4(square, i, to, whole, variance);
    if (mean) {
      const average = lerp(load4(mean, i, to, whole), gradient, 1 - alpha);
      store4(mean, i, to, whole, average);
      variance = addcmul(variance, average, average, -1);
    }
    const scale = f32x4.add(f32x4.sqrt(variance), scalar(eps));
    if (buffer && momentum > 0) {
      const kept = f32x4.mul(load4(buffer, i, to, whole), scalar(momentum));
      const velocity = f32x4.add(kept, f32x4.div(gradient, scale));
      store4(buffer, i, to, whole, velocity);
      store4(p, i, to, whole, madd(velocity, scalar(-lr), parameter));
    } else {
      store4(p, i, to, whole, addcdiv(parameter, gradient, scale, -lr));
    }
  }
}

export function rmsprop(
  p: usize, g: usize, square: usize, mean: usize, buffer: usize, n: usize,
  lr: f64, alpha: f64, eps: f64, weightDecay: f64, momentum: f64, maximize: i32,
): void {
  rmspropRange(p, g, square, mean, buffer, 0, wholes(n), true, lr, alpha, eps, weightDecay, momentum, maximize);
  rmspropRange(p, g, square, mean, buffer, wholes(n), n, false, lr, alpha, eps, weightDecay, momentum, maximize);
}

/** lr: as it has decayed at this step. */
// @ts-ignore: decorator
@inline
function adagradRange(
  p: usize, g: usize, sum: usize, from: usize, to: usize, whole: bool,
  lr: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    const parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    const squares = madd(gradient, gradient, load4(sum, i, to, whole));
    store4(sum, i, to, whole, squares);
    const scale = f32x4.add(f32x4.sqrt(squares), scalar(eps));
    store4(p, i, to, whole, addcdiv(parameter, gradient, scale, -lr));
  }
}

export function adagrad(
  p: usize, g: usize, sum: usize, n: usize, lr: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  adagradRange(p, g, sum, 0, wholes(n), true, lr, eps, weightDecay, maximize);
  adagradRange(p, g, sum, wholes(n), n, false, lr, eps, weightDecay, maximize);
}

/** square: square_avg; change: acc_delta */
// @ts-ignore: decorator
@inline
function adadeltaRange(
  p: usize, g: usize, square: usize, change: usize, from: usize, to: usize, whole: bool,
  lr: f64, rho: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  for (let i = from; i < to; i += 4) {
    const parameter = load4(p, i, to, whole);
    const gradient = gradientOf(load4(g, i, to, whole), parameter, weightDecay, maximize);
    const squares = averageSquare(load4(square, i, to, whole), gradient, rho);
    store4(square, i, to, whole, squares);
    const changes = load4(change, i, to, whole);
    const ratio = f32x4.div(
      f32x4.sqrt(f32x4.add(changes, scalar(eps))),
      f32x4.sqrt(f32x4.add(squares, scalar(eps))),
    );
    const delta = f32x4.mul(ratio, gradient);
    store4(change, i, to, whole, averageSquare(changes, delta, rho));
    store4(p, i, to, whole, madd(delta, scalar(-lr), parameter));
  }
}

export function adadelta(
  p: usize, g: usize, square: usize, change: usize, n: usize,
  lr: f64, rho: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  adadeltaRange(p, g, square, change, 0, wholes(n), true, lr, rho, eps, weightDecay, maximize);
  adadeltaRange(p, g, square, change, wholes(n), n, false, lr, rho, eps, weightDecay, maximize);
}

/** Where x > 0: positive, where x < 0: negative, elsewhere (NaN too): neither. */
// @ts-ignore: decorator
@inline
function bySign(x: v128, positive: v128, negative: v128, neither: v128): v128 {
  const zero = f32x4.splat(0);
  return v128.bitselect(positive, v128.bitselect(negative, neither, f32x4.lt(x, zero)), f32x4.gt(x, zero));
}

/** previous: prev, the last gradient, 0 where its sign had turned; size: step_size */
// @ts-ignore: decorator
@inline
function rpropRange(
  p: usize, g: usize, previous: usize, size: usize, from: usize, to: usize, whole: bool,
  etaMinus: f64, etaPlus: f64, smallest: f64, greatest: f64, maximize: i32,
): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let i = from; i < to; i += 4) {
    let gradient = load4(g, i, to, whole);
    if (maximize) gradient = f32x4.neg(gradient);
    const turn = f32x4.mul(gradient, load4(previous, i, to, whole));
    const factor = bySign(turn, scalar(etaPlus), scalar(etaMinus), one);
    const wanted = f32x4.mul(load4(size, i, to, whole), factor);
    const step = f32x4.pmin(atLeast(wanted, scalar(smallest)), scalar(greatest));
    store4(size, i, to, whole, step);
    gradient = v128.bitselect(zero, gradient, f32x4.lt(turn, zero));
    store4(previous, i, to, whole, gradient);
    const direction = bySign(gradient, f32x4.splat(-1), one, zero);
    store4(p, i, to, whole, madd(direction, step, load4(p, i, to, whole)));
  }
}

export function rprop(
  p: usize, g: usize, previous: usize, size: usize, n: usize,
  etaMinus: f64, etaPlus: f64, smallest: f64, greatest: f64, maximize: i32,
): void {
  rpropRange(p, g, previous, size, 0, wholes(n), true, etaMinus, etaPlus, smallest, greatest, maximize);
  rpropRange(p, g, previous, size, wholes(n), n, false, etaMinus, etaPlus, smallest, greatest, maximize);
}
