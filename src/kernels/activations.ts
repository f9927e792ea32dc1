// y[i] = f(x[i]) for i < n. a and b are the function's own parameters, float64 as PyTorch's scalars are; they are
// rounded to float32 where PyTorch rounds them. An element's bits depend on nothing but the element.
// Formulas: torch.nn.functional.

import { exp, expm1, log1p, normalTail, sigmoid as logistic, tanh as hyperbolic } from './elementary';
import { atLeast, loadLanes, storeLanes } from './lanes';

// @ts-ignore: decorator
@inline
function splat(value: f64): v128 {
  return f32x4.splat(<f32>value);
}

/** Where x > bound: bound; NaN is kept. */
// @ts-ignore: decorator
@inline
function atMost(x: v128, bound: v128): v128 {
  return f32x4.pmin(x, bound);
}

/** Where x < 0: negative; elsewhere (0, -0 and NaN too): other. */
// @ts-ignore: decorator
@inline
function bySign(x: v128, other: v128, negative: v128): v128 {
  return v128.bitselect(negative, other, f32x4.lt(x, splat(0)));
}

export function relu(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, atLeast(loadLanes(x, i, n), splat(0)));
}

/** a: negative_slope */
export function leaky_relu(x: usize, y: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, v128.bitselect(v, f32x4.mul(v, splat(a)), f32x4.gt(v, splat(0))));
  }
}

/** a: alpha */
export function elu(x: usize, y: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, bySign(v, v, f32x4.mul(expm1(v), splat(a))));
  }
}

export function selu(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  const scale: f32 = 1.0507009873554804934193349852946;
  const alpha: f32 = 1.6732632423543772848170429916717;
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(
      y, i, n,
      bySign(v, f32x4.mul(v, f32x4.splat(scale)), f32x4.mul(expm1(v), f32x4.splat(alpha * scale))),
    );
  }
}

/** a: alpha */
export function celu(x: usize, y: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, bySign(v, v, f32x4.mul(expm1(f32x4.mul(v, splat(1 / a))), splat(a))));
  }
}

/** x · Φ(x): by the tail of Φ, which keeps the relative error where 1 + erf loses it. */
export function gelu(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    const tail = normalTail(f32x4.abs(v));
    storeLanes(y, i, n, f32x4.mul(v, bySign(v, f32x4.sub(splat(1), tail), tail)));
  }
}

/** 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/π) (x + 0.044715 x³) */
export function gelu_tanh(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    const inner = f32x4.add(f32x4.mul(f32x4.mul(v, v), splat(0.044715)), splat(1));
    const u = f32x4.mul(f32x4.mul(v, splat(-1.5957691216057308)), inner);
    storeLanes(y, i, n, f32x4.div(v, f32x4.add(exp(u), splat(1))));
  }
}

export function silu(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, f32x4.div(v, f32x4.add(exp(f32x4.neg(v)), splat(1))));
  }
}

export function sigmoid(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, logistic(loadLanes(x, i, n)));
}

export function tanh(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, hyperbolic(loadLanes(x, i, n)));
}

/** log(1 + exp(v)), for every v: max(v, 0) + log1p(exp(-|v|)) */
// @ts-ignore: decorator
@inline
function softplusOf(v: v128): v128 {
  return f32x4.add(atLeast(v, splat(0)), log1p(exp(f32x4.neg(f32x4.abs(v)))));
}

/** a: beta; b: threshold, above which (in units of beta · x) the answer is x */
export function softplus(x: usize, y: usize, n: usize, a: f64, b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    const t = f32x4.mul(v, splat(a));
    storeLanes(y, i, n, v128.bitselect(v, f32x4.div(softplusOf(t), splat(a)), f32x4.gt(t, splat(b))));
  }
}

export function softsign(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, f32x4.div(v, f32x4.add(f32x4.abs(v), splat(1))));
  }
}

/** a: min_val, b: max_val */
export function hardtanh(x: usize, y: usize, n: usize, a: f64, b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    storeLanes(y, i, n, atMost(atLeast(loadLanes(x, i, n), splat(a)), splat(b)));
  }
}

/** min(max(v + 3, 0), 6) */
// @ts-ignore: decorator
@inline
function ramp(v: v128): v128 {
  return atMost(atLeast(f32x4.add(v, splat(3)), splat(0)), splat(6));
}

export function hardsigmoid(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.div(ramp(loadLanes(x, i, n)), splat(6)));
}

export function hardswish(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, f32x4.div(f32x4.mul(v, ramp(v)), splat(6)));
  }
}

/** x tanh(softplus(x)) = x p / (p + 2), p = e (e + 2), e = exp(x); past 20 the fraction is 1 */
export function mish(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    const e = exp(atMost(v, splat(20)));
    const p = f32x4.mul(e, f32x4.add(e, splat(2)));
    storeLanes(y, i, n, f32x4.mul(v, f32x4.div(p, f32x4.add(p, splat(2)))));
  }
}

export function log_sigmoid(x: usize, y: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, f32x4.sub(atMost(v, splat(0)), log1p(exp(f32x4.neg(f32x4.abs(v))))));
  }
}
