// `x[index]` and `x[index] = part` as ops, for an index that is resolved.

import type { Taken } from '../tensor/index-grammar.js';
import { reshape } from './broadcasting.js';
import type { Apply, Value } from './tracer.js';

type Range = Pick<Taken, 'start' | 'step' | 'count'>;

/** Whether an index takes all there is, element by element. */
export function takesAll({ shape }: Pick<Value, 'shape'>, dims: readonly Range[]): boolean {
  return dims.every(({ count }, dim) => count === shape[dim]);
}

/** What is taken of each dimension, all of them kept. */
export function sliced(apply: Apply, x: Value, dims: readonly Range[]): Value {
  return dims.reduce(
    (value, { start, step, count }, dim) =>
      count === value.shape[dim] ? value : apply('slice', [value], { dim, start, step, count }),
    x,
  );
}

/** x[index] */
export function taken(apply: Apply, x: Value, dims: readonly Taken[]): Value {
  return reshape(apply, sliced(apply, x, dims), takenShape(dims));
}

/** The shape of x[index]. */
export function takenShape(dims: readonly Taken[]): number[] {
  return dims.filter(({ drops }) => !drops).map(({ count }) => count);
}

/** x after `x[index] = part`; the part has the shape of x[index]. */
export function assigned(apply: Apply, x: Value, dims: readonly Taken[], part: Value): Value {
  const whole = reshape(
    apply,
    part,
    dims.map(({ count }) => count),
  );
  if (takesAll(x, dims)) return whole;
  const [starts, steps] = [dims.map(({ start }) => start), dims.map(({ step }) => step)];
  return apply('assign', [x, whole], { starts, steps });
}
