// What the optimizers' updates are made of, on four float32 lanes: PyTorch's fused operations (add with alpha, lerp,
// addcmul, addcdiv), each rounded where PyTorch's CPU kernels round. With a fused multiply-add the bits are the same.

import { BYTES, loadLanes, madd, storeLanes } from './lanes';

/** How many of n elements fill vectors. Their loop looks at no ends, which makes it twice as fast (bench/updates). */
// @ts-ignore: decorator
@inline
export function wholes(n: usize): usize {
  return n & ~3;
}

/** Elements i .. i + 3 of x[n]; whole: all of them are there, which is known when this is compiled. */
// @ts-ignore: decorator
@inline
export function load4(x: usize, i: usize, n: usize, whole: bool): v128 {
  return whole ? v128.load(x + i * BYTES) : loadLanes(x, i, n);
}

// @ts-ignore: decorator
@inline
export function store4(x: usize, i: usize, n: usize, whole: bool, v: v128): void {
  if (whole) v128.store(x + i * BYTES, v);
  else storeLanes(x, i, n, v);
}

/** An option: PyTorch rounds its scalars to the tensor's float32. */
// @ts-ignore: decorator
@inline
export function scalar(value: f64): v128 {
  return f32x4.splat(<f32>value);
}

/** The gradient that is followed: negated to maximize, plus weightDecay · parameter. */
// @ts-ignore: decorator
@inline
export function gradientOf(g: v128, p: v128, weightDecay: f64, maximize: i32): v128 {
  if (maximize) g = f32x4.neg(g);
  return weightDecay != 0 ? madd(p, scalar(weightDecay), g) : g;
}

/** a + weight · (b - a), from the end that is nearer. */
// @ts-ignore: decorator
@inline
export function lerp(a: v128, b: v128, weight: f64): v128 {
  const w = <f32>weight;
  const way = f32x4.sub(b, a);
  return abs<f32>(w) < 0.5 ? madd(f32x4.splat(w), way, a) : madd(f32x4.splat(w - 1), way, b);
}

/** a + value · b · c */
// @ts-ignore: decorator
@inline
export function addcmul(a: v128, b: v128, c: v128, value: f64): v128 {
  return madd(f32x4.mul(scalar(value), b), c, a);
}

/** a + value · b / c */
// @ts-ignore: decorator
@inline
export function addcdiv(a: v128, b: v128, c: v128, value: f64): v128 {
  return f32x4.add(a, f32x4.div(f32x4.mul(scalar(value), b), c));
}

/** The running average of squares: decay · average + (1 - decay) · x² */
// @ts-ignore: decorator
@inline
export function averageSquare(average: v128, x: v128, decay: f64): v128 {
  return addcmul(f32x4.mul(average, scalar(decay)), x, x, 1 - decay);
}
