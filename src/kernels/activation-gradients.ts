// dx[i] = dy[i] · f'(x[i]) for i < n, where s holds x, or (relu, sigmoid, tanh) what the function gave. a and b are those of
// the function. Formulas: the derivatives in ATen/native (Activation.cpp, BinaryOpsKernel.cpp).

import { exp, normalTail, sigmoid, tanh } from './elementary';
import { loadLanes, storeLanes } from './lanes';

// @ts-ignore: decorator
@inline
function splat(value: f64): v128 {
  return f32x4.splat(<f32>value);
}

export function relu_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.andnot(g, f32x4.le(v, splat(0))));
  }
}

/** a: negative_slope */
export function leaky_relu_gradient(s: usize, dy: usize, dx: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.bitselect(g, f32x4.mul(g, splat(a)), f32x4.gt(v, splat(0))));
  }
}

/** a: alpha */
export function elu_gradient(s: usize, dy: usize, dx: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.bitselect(f32x4.mul(f32x4.mul(g, splat(a)), exp(v)), g, f32x4.le(v, splat(0))));
  }
}

export function selu_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(
      dx, i, n,
      v128.bitselect(
        f32x4.mul(f32x4.mul(g, splat(1.6732632423543772848 * 1.0507009873554804934)), exp(v)),
        f32x4.mul(g, splat(1.0507009873554804934)), f32x4.le(v, splat(0)),
      ),
    );
  }
}

/** a: alpha */
export function celu_gradient(s: usize, dy: usize, dx: usize, n: usize, a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.bitselect(f32x4.mul(g, exp(f32x4.mul(v, splat(1 / a)))), g, f32x4.le(v, splat(0))));
  }
}

/** Φ(x) + x φ(x) */
export function gelu_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const tail = normalTail(f32x4.abs(v));
    const below = v128.bitselect(tail, f32x4.sub(splat(1), tail), f32x4.lt(v, splat(0)));
    const density = f32x4.mul(exp(f32x4.mul(f32x4.mul(v, v), splat(-0.5))), splat(0.3989422804014327));
    storeLanes(dx, i, n, f32x4.mul(g, f32x4.add(below, f32x4.mul(v, density))));
  }
}

/** 0.5 (1 + t) + 0.5 x (1 - t²) u', t = tanh(u), u = sqrt(2/π) (x + 0.044715 x³) */
export function gelu_tanh_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const square = f32x4.mul(v, v);
    const scale = splat(0.7978845608028654);
    const t = tanh(f32x4.mul(f32x4.mul(scale, v), f32x4.add(splat(1), f32x4.mul(square, splat(0.044715)))));
    const slope = f32x4.mul(scale, f32x4.add(splat(1), f32x4.mul(square, splat(3 * 0.044715))));
    storeLanes(
      dx, i, n,
      f32x4.mul(g, f32x4.mul(splat(0.5), f32x4.add(
        f32x4.add(splat(1), t), f32x4.mul(f32x4.mul(v, f32x4.sub(splat(1), f32x4.mul(t, t))), slope),
      ))),
    );
  }
}

export function silu_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const p = sigmoid(v);
    storeLanes(dx, i, n, f32x4.mul(g, f32x4.mul(p, f32x4.add(splat(1), f32x4.mul(v, f32x4.sub(splat(1), p))))));
  }
}

export function sigmoid_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, f32x4.mul(g, f32x4.mul(f32x4.sub(splat(1), v), v)));
  }
}

export function tanh_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, f32x4.mul(g, f32x4.sub(splat(1), f32x4.mul(v, v))));
  }
}

/** a: beta; b: threshold */
export function softplus_gradient(s: usize, dy: usize, dx: usize, n: usize, a: f64, b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const t = f32x4.mul(v, splat(a));
    storeLanes(dx, i, n, v128.bitselect(g, f32x4.mul(g, sigmoid(t)), f32x4.gt(t, splat(b))));
  }
}

export function softsign_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const d = f32x4.add(f32x4.abs(v), splat(1));
    storeLanes(dx, i, n, f32x4.div(g, f32x4.mul(d, d)));
  }
}

/** a: min_val, b: max_val */
export function hardtanh_gradient(s: usize, dy: usize, dx: usize, n: usize, a: f64, b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.andnot(g, v128.or(f32x4.le(v, splat(a)), f32x4.ge(v, splat(b)))));
  }
}

export function hardsigmoid_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, v128.and(f32x4.div(g, splat(6)), v128.and(f32x4.gt(v, splat(-3)), f32x4.lt(v, splat(3)))));
  }
}

export function hardswish_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(
      dx, i, n,
      v128.andnot(
        v128.bitselect(g, f32x4.mul(g, f32x4.add(f32x4.div(v, splat(3)), splat(0.5))), f32x4.ge(v, splat(3))),
        f32x4.le(v, splat(-3)),
      ),
    );
  }
}

/** t + x σ(x) (1 - t²), t = tanh(softplus(x)) = p / (p + 2), p = e (e + 2), e = exp(x) */
export function mish_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    const e = exp(f32x4.pmin(v, splat(20)));
    const p = f32x4.mul(e, f32x4.add(e, splat(2)));
    const t = f32x4.div(p, f32x4.add(p, splat(2)));
    storeLanes(
      dx, i, n,
      f32x4.mul(g, f32x4.add(
        t, f32x4.mul(f32x4.mul(v, sigmoid(v)), f32x4.sub(splat(1), f32x4.mul(t, t))),
      )),
    );
  }
}

export function log_sigmoid_gradient(s: usize, dy: usize, dx: usize, n: usize, _a: f64, _b: f64): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(s, i, n);
    const g = loadLanes(dy, i, n);
    storeLanes(dx, i, n, f32x4.mul(g, sigmoid(f32x4.neg(v))));
  }
}
