// The updates that follow the gradient itself, or a rate of their own for each element: SGD, RMSprop, Adagrad,
// Adadelta, Rprop. p: the parameter, g: its gradient, n elements each; p and the state are overwritten.
// An element's bits depend on the element alone: any range may be updated apart from the others.
// Formulas: torch.optim's single-tensor functions; what they compute once for a step comes as float64.

import { atLeast, loadLanes, madd, storeLanes } from './lanes';
import { addcdiv, addcmul, averageSquare, gradientOf, lerp, scalar } from './optim-lanes';

/** buffer: momentum_buffer, not looked at without momentum. first: it is made of this gradient, whole. */
export function sgd(
  p: usize, g: usize, buffer: usize, n: usize,
  lr: f64, momentum: f64, dampening: f64, weightDecay: f64,
  nesterov: i32, maximize: i32, first: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    const parameter = loadLanes(p, i, n);
    let gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    if (buffer && momentum != 0) {
      const velocity = first
        ? gradient
        : madd(gradient, scalar(1 - dampening), f32x4.mul(loadLanes(buffer, i, n), scalar(momentum)));
      storeLanes(buffer, i, n, velocity);
      gradient = nesterov ? madd(velocity, scalar(momentum), gradient) : velocity;
    }
    storeLanes(p, i, n, madd(gradient, scalar(-lr), parameter));
  }
}

/** square: square_avg; mean: grad_avg, 0 unless centered; buffer: momentum_buffer, 0 without momentum. */
export function rmsprop(
  p: usize, g: usize, square: usize, mean: usize, buffer: usize, n: usize,
  lr: f64, alpha: f64, eps: f64, weightDecay: f64, momentum: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    const parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    let variance = averageSquare(loadLanes(square, i, n), gradient, alpha);
    storeLanes(square, i, n, variance);
    if (mean) {
      const average = lerp(loadLanes(mean, i, n), gradient, 1 - alpha);
      storeLanes(mean, i, n, average);
      variance = addcmul(variance, average, average, -1);
    }
    const scale = f32x4.add(f32x4.sqrt(variance), scalar(eps));
    if (buffer && momentum > 0) {
      const velocity = f32x4.add(f32x4.mul(loadLanes(buffer, i, n), scalar(momentum)), f32x4.div(gradient, scale));
      storeLanes(buffer, i, n, velocity);
      storeLanes(p, i, n, madd(velocity, scalar(-lr), parameter));
    } else {
      storeLanes(p, i, n, addcdiv(parameter, gradient, scale, -lr));
    }
  }
}

/** lr: as it has decayed at this step. */
export function adagrad(
  p: usize, g: usize, sum: usize, n: usize, lr: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    const parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    const squares = madd(gradient, gradient, loadLanes(sum, i, n));
    storeLanes(sum, i, n, squares);
    const scale = f32x4.add(f32x4.sqrt(squares), scalar(eps));
    storeLanes(p, i, n, addcdiv(parameter, gradient, scale, -lr));
  }
}

/** square: square_avg; change: acc_delta */
export function adadelta(
  p: usize, g: usize, square: usize, change: usize, n: usize,
  lr: f64, rho: f64, eps: f64, weightDecay: f64, maximize: i32,
): void {
  for (let i: usize = 0; i < n; i += 4) {
    const parameter = loadLanes(p, i, n);
    const gradient = gradientOf(loadLanes(g, i, n), parameter, weightDecay, maximize);
    const squares = averageSquare(loadLanes(square, i, n), gradient, rho);
    storeLanes(square, i, n, squares);
    const changes = loadLanes(change, i, n);
    const ratio = f32x4.div(
      f32x4.sqrt(f32x4.add(changes, scalar(eps))),
      f32x4.sqrt(f32x4.add(squares, scalar(eps))),
    );
    const delta = f32x4.mul(ratio, gradient);
    storeLanes(change, i, n, averageSquare(changes, delta, rho));
    storeLanes(p, i, n, madd(delta, scalar(-lr), parameter));
  }
}

/** Where x > 0: positive, where x < 0: negative, elsewhere (NaN too): neither. */
// @ts-ignore: decorator
@inline
function bySign(x: v128, positive: v128, negative: v128, neither: v128): v128 {
  const zero = f32x4.splat(0);
  return v128.bitselect(positive, v128.bitselect(negative, neither, f32x4.lt(x, zero)), f32x4.gt(x, zero));
}

/** previous: prev, the last gradient, 0 where its sign had turned; size: step_size */
export function rprop(
  p: usize, g: usize, previous: usize, size: usize, n: usize,
  etaMinus: f64, etaPlus: f64, smallest: f64, greatest: f64, maximize: i32,
): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < n; i += 4) {
    let gradient = loadLanes(g, i, n);
    if (maximize) gradient = f32x4.neg(gradient);
    const turn = f32x4.mul(gradient, loadLanes(previous, i, n));
    const factor = bySign(turn, scalar(etaPlus), scalar(etaMinus), one);
    const wanted = f32x4.mul(loadLanes(size, i, n), factor);
    const step = f32x4.pmin(atLeast(wanted, scalar(smallest)), scalar(greatest));
    storeLanes(size, i, n, step);
    gradient = v128.bitselect(zero, gradient, f32x4.lt(turn, zero));
    storeLanes(previous, i, n, gradient);
    const direction = bySign(gradient, f32x4.splat(-1), one, zero);
    storeLanes(p, i, n, madd(direction, step, loadLanes(p, i, n)));
  }
}
