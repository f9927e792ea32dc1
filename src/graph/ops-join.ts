// Tensors put together along a dimension, and parts taken of one: numbers move and none are computed.

import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Op } from './op.js';
import { list, requireFloat } from './requirements.js';

const BYTES = 4;

/** Runs of elements that stay together when dimension `dim` is cut: so many runs, each of `inner` times an extent. */
function cut(shape: Shape, dim: number): { readonly outer: number; readonly inner: number } {
  return { outer: numel(shape.slice(0, dim)), inner: numel(shape.slice(dim + 1)) };
}

export const slice: Op<'slice'> = {
  shape([x], { dim, count }) {
    requireFloat(x!, 'slice');
    return { shape: x!.shape.with(dim, count), dtype: 'float32' };
  },
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs: [x], output, attributes: { dim, start, count } }) {
    const { inner } = cut(output.shape, dim);
    const outer = numel(output.shape.slice(0, dim));
    const [row, skip, taken] = [x!.shape[dim]! * inner, start * inner, count * inner];
    return (kernels, { inputs, output: y }) =>
      kernels.gather(inputs[0]! + BYTES * skip, y, 1, outer, taken, 0, row, 1);
  },
  gradient({ inputs: [x], attributes: { dim, start }, gradient }, apply) {
    return [apply('slice_gradient', [gradient], { dim, start, step: 1, extent: x!.shape[dim]! })];
  },
  cost: (_inputs, output) => numel(output.shape),
};

/** The inverse of `narrow`, with zeros around it. */
export const sliceGradient: Op<'slice_gradient'> = {
  shape: ([x], { dim, extent }) => ({
    shape: x!.shape.map((own, i) => (i === dim ? extent : own)),
    dtype: 'float32',
  }),
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs: [x], attributes: { dim, start, extent } }) {
    const { outer, inner } = cut(x!.shape, dim);
    const length = x!.shape[dim]!;
    return (kernels, { inputs, output }) =>
      kernels.place(inputs[0]!, output, outer, length * inner, start * inner, extent * inner);
  },
  gradient: ({ inputs: [x], attributes: { dim, start }, gradient }, apply) => [
    apply('slice', [gradient], { dim, start, step: 1, count: x!.shape[dim]! }),
  ],
  cost: (_inputs, output) => numel(output.shape),
};

export const cat: Op<'cat'> = {
  shape(inputs, { dim }) {
    const [first] = inputs;
    for (const x of inputs) {
      requireFloat(x!, 'cat');
      const fits =
        x!.shape.length === first!.shape.length &&
        x!.shape.every((extent, i) => i === dim || extent === first!.shape[i]);
      if (!fits) {
        throw new ShapeError(
          `Sizes of tensors must match except in dimension ${dim}. Got ${list(first!.shape)} and ${list(x!.shape)}`,
        );
      }
    }
    const joined = inputs.reduce((sum, x) => sum + x!.shape[dim]!, 0);
    return { shape: first!.shape.map((extent, i) => (i === dim ? joined : extent)), dtype: 'float32' };
  },
  // Every operand has rows of its own: only where all come of the one input are they its rows.
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs, output, attributes: { dim } }) {
    const { outer, inner } = cut(output.shape, dim);
    const row = output.shape[dim]! * inner;
    const lengths = inputs.map((x) => x!.shape[dim]! * inner);
    return (kernels, { inputs: from, output: y }) => {
      let at = y;
      for (let i = 0; i < lengths.length; i++) {
        kernels.scatter_rows(from[i]!, at, outer, lengths[i]!, row);
        at += BYTES * lengths[i]!;
      }
    };
  },
  gradient({ inputs, attributes: { dim }, gradient, wants }, apply) {
    let start = 0;
    return inputs.map((x, i) => {
      const length = x!.shape[dim]!;
      const own = wants[i] ? apply('slice', [gradient], { dim, start, step: 1, count: length }) : null;
      start += length;
      return own;
    });
  },
  cost: (_inputs, output) => numel(output.shape),
};
