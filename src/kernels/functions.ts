// y[i] = f(x[i]) for the functions of expressions that are no activations. sqrt, floor, round, sign and reciprocal are
// exact or rounded once; log is within 3 ulps; sin and cos are computed in float64 and rounded.
// An element's bits depend on nothing but the element.

import { exp as exponential, log as logarithm } from './elementary';
import { BYTES, loadLanes, storeLanes } from './lanes';

// @ts-ignore: decorator
@inline
function splat(value: f32): v128 {
  return f32x4.splat(value);
}

/** 1 where the lanes of a comparison are set, else 0. */
// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, splat(1));
}

export function abs(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.abs(loadLanes(x, i, n)));
}

export function sqrt(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.sqrt(loadLanes(x, i, n)));
}

export function exp(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, exponential(loadLanes(x, i, n)));
}

export function log(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, logarithm(loadLanes(x, i, n, 1)));
}

export function floor(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.floor(loadLanes(x, i, n)));
}

/** Halves to the even neighbour. */
export function round(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.nearest(loadLanes(x, i, n)));
}

/** 0 of NaN. */
export function sign(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) {
    const v = loadLanes(x, i, n);
    storeLanes(y, i, n, f32x4.sub(truth(f32x4.gt(v, splat(0))), truth(f32x4.lt(v, splat(0)))));
  }
}

export function reciprocal(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, f32x4.div(splat(1), loadLanes(x, i, n, 1)));
}

/** 1 of 0, and 0 of all else. */
export function logical_not(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i += 4) storeLanes(y, i, n, truth(f32x4.eq(loadLanes(x, i, n), splat(0))));
}

export function sin(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) store<f32>(y + i * BYTES, <f32>NativeMath.sin(<f64>load<f32>(x + i * BYTES)));
}

export function cos(x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) store<f32>(y + i * BYTES, <f32>NativeMath.cos(<f64>load<f32>(x + i * BYTES)));
}
