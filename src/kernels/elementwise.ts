// Functions of two or three tensors that PyTorch broadcasts: the steps are as in `add`. Conditions are 0 and 1.

import { BYTES, loadLanes, storeLanes } from './lanes';

// What `elementwise` computes, as src/graph/kernels.ts numbers it.
const MINIMUM: i32 = 0;
const MAXIMUM: i32 = 1;
const LESS: i32 = 2;
const LESS_EQUAL: i32 = 3;
const EQUAL: i32 = 4;
const NOT_EQUAL: i32 = 5;
const BOTH: i32 = 6;
const EITHER: i32 = 7;
const POWER: i32 = 8;

export function elementwise(
  which: i32,
  a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) {
        storeLanes(y, l, n2, compute4(which, lanes(p, l, n2, a2), lanes(q, l, n2, b2)));
      }
      y += n2 * BYTES;
    }
  }
}

/** y = a where c is not 0 (NaN is not), else b. */
export function where(
  c: usize, a: usize, b: usize, y: usize, n0: usize, n1: usize, n2: usize,
  c0: usize, c1: usize, c2: usize, a0: usize, a1: usize, a2: usize, b0: usize, b1: usize, b2: usize,
): void {
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      const o = c + (i * c0 + j * c1) * BYTES;
      const p = a + (i * a0 + j * a1) * BYTES;
      const q = b + (i * b0 + j * b1) * BYTES;
      for (let l: usize = 0; l < n2; l += 4) {
        const not = f32x4.eq(lanes(o, l, n2, c2), zero);
        storeLanes(y, l, n2, v128.bitselect(lanes(q, l, n2, b2), lanes(p, l, n2, a2), not));
      }
      y += n2 * BYTES;
    }
  }
}

/** Elements l .. l + 3 of a row, or its one element four times. */
// @ts-ignore: decorator
@inline
function lanes(x: usize, l: usize, n: usize, step: usize): v128 {
  return step ? loadLanes(x, l, n) : v128.load32_splat(x);
}

function compute4(which: i32, a: v128, b: v128): v128 {
  switch (which) {
    case MINIMUM: return f32x4.min(a, b);
    case MAXIMUM: return f32x4.max(a, b);
    case LESS: return truth(f32x4.lt(a, b));
    case LESS_EQUAL: return truth(f32x4.le(a, b));
    case EQUAL: return truth(f32x4.eq(a, b));
    case NOT_EQUAL: return truth(f32x4.ne(a, b));
    case BOTH: return truth(v128.and(holds(a), holds(b)));
    case EITHER: return truth(v128.or(holds(a), holds(b)));
    default: return scalar4(which, a, b);
  }
}

function scalar4(which: i32, a: v128, b: v128): v128 {
  let y = f32x4.splat(scalar(which, f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0)));
  y = f32x4.replace_lane(y, 1, scalar(which, f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1)));
  y = f32x4.replace_lane(y, 2, scalar(which, f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2)));
  return f32x4.replace_lane(y, 3, scalar(which, f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3)));
}

/** In float64, rounded once at the end. */
function scalar(which: i32, a: f64, b: f64): f32 {
  return <f32>(which == POWER ? power(a, b) : remainder(a, b));
}

/** C's pow. */
function power(a: f64, b: f64): f64 {
  if (a == 1 || (a == -1 && NativeMath.abs(b) == Infinity)) return 1;
  return NativeMath.pow(a, b);
}

/** torch.remainder: the sign of the divisor. */
function remainder(a: f64, b: f64): f64 {
  const rest = NativeMath.mod(a, b);
  return rest != 0 && b < 0 != rest < 0 ? rest + b : rest;
}

// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1));
}

// @ts-ignore: decorator
@inline
function holds(x: v128): v128 {
  return f32x4.ne(x, f32x4.splat(0));
}

/** The least (`largest` 0) or the largest of the middle dimension of x[outer, d, inner]; NaN wins, as in PyTorch. */
export function extreme(largest: i32, x: usize, y: usize, outer: usize, d: usize, inner: usize): void {
  const row = inner * BYTES;
  for (; outer; outer--) {
    if (inner == 1) {
      let found = load<f32>(x);
      for (let j: usize = 1; j < d; j++) found = further(largest, found, load<f32>(x + j * BYTES));
      store<f32>(y, found);
    } else {
      for (let i: usize = 0; i < inner; i += 4) {
        let found = loadLanes(x, i, inner);
        for (let j: usize = 1; j < d; j++) {
          const v = loadLanes(x + j * row, i, inner);
          found = largest ? f32x4.max(found, v) : f32x4.min(found, v);
        }
        storeLanes(y, i, inner, found);
      }
    }
    x += d * row;
    y += row;
  }
}

// @ts-ignore: decorator
@inline
function further(largest: i32, a: f32, b: f32): f32 {
  return largest ? max<f32>(a, b) : min<f32>(a, b);
}

/** y[i · s0 + j · s1 + l · s2] = x[n0, n1, n2]: what `gather` undoes. */
export function scatter(
  x: usize, y: usize, n0: usize, n1: usize, n2: usize, s0: usize, s1: usize, s2: usize,
): void {
  for (let i: usize = 0; i < n0; i++) {
    for (let j: usize = 0; j < n1; j++) {
      let to = y + (i * s0 + j * s1) * BYTES;
      if (s2 == 1) memory.copy(to, x, n2 * BYTES);
      else {
        for (let l: usize = 0; l < n2; l++) {
          store<f32>(to, load<f32>(x + l * BYTES));
          to += s2 * BYTES;
        }
      }
      x += n2 * BYTES;
    }
  }
}
