// The spatial extents of tensors: one-dimensional layers are two-dimensional with height 1, a [n, c, l] is a [n, c, 1, l].

import { numel, type Shape } from '../tensor/shape.js';
import type { Pair } from './op.js';

export type Dims = 1 | 2;

/** The last two extents, with height 1 for one-dimensional layers. */
export function plane(shape: Shape, dims: Dims): Pair {
  return dims === 1 ? [1, shape.at(-1)!] : [shape.at(-2)!, shape.at(-1)!];
}

/** A shape with its spatial extents replaced. */
export function withPlane(shape: Shape, dims: Dims, [h, w]: Pair): Shape {
  return [...shape.slice(0, -dims), ...(dims === 1 ? [w] : [h, w])];
}

/** As PyTorch's messages print extents: `3 x 4`. */
export function times(pair: Pair, dims: Dims): string {
  return dims === 1 ? `${pair[1]}` : pair.join(' x ');
}

/** What is before and behind a dimension, which is counted from the last: -1. */
export function around(shape: Shape, dim: number): { outer: number; d: number; inner: number } {
  const at = shape.length + dim;
  return { outer: numel(shape.slice(0, at)), d: shape[at]!, inner: numel(shape.slice(at + 1)) };
}
