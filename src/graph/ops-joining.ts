// Tensors put together along a dimension, and parts taken of one: numbers move and none are computed.

import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Op } from './op.js';
import { list, requireFloat } from './requirements.js';

const BYTES = 4;

export const cat: Op<'cat'> = {
  shape(inputs, { dim }) {
    const [first] = inputs;
    let extent = 0;
    inputs.forEach((input, i) => {
      requireFloat(input!, 'cat');
      const { shape } = input!;
      const fits =
        shape.length === first!.shape.length && shape.every((own, d) => d === dim || own === first!.shape[d]);
      if (!fits) {
        throw new ShapeError(
          `Sizes of tensors must match except in dimension ${dim}. ` +
            `Expected shape ${list(first!.shape)}, but got ${list(shape)} for tensor number ${i} in the list`,
        );
      }
      extent += shape[dim]!;
    });
    return { shape: first!.shape.with(dim, extent), dtype: 'float32' };
  },
  rowwise: (_inputs, { dim }, rows) => dim > 0 && rows.every(Boolean),
  joins: true,
  bind({ inputs, attributes: { dim }, output: { shape } }) {
    const outer = numel(shape.slice(0, dim));
    const row = numel(shape.slice(dim));
    let at = 0;
    const pieces = inputs.map((input) => {
      const length = numel(input!.shape.slice(dim));
      const piece = { at: BYTES * at, length };
      at += length;
      return piece;
    });
    return (kernels, { inputs: from, output }) => {
      for (let i = 0; i < pieces.length; i++) {
        const { at: begin, length } = pieces[i]!;
        kernels.scatter(from[i]!, output + begin, 1, outer, length, 0, row, 1);
      }
    };
  },
  gradient({ inputs, attributes: { dim }, gradient, wants }, apply) {
    let start = 0;
    return inputs.map((input, i) => {
      const count = input!.shape[dim]!;
      const begin = start;
      start += count;
      return wants[i] ? apply('slice', [gradient], { dim, start: begin, step: 1, count }) : null;
    });
  },
  cost: (_inputs, output) => 2 * numel(output.shape),
};

export const slice: Op<'slice'> = {
  shape([x], { dim, count }) {
    requireFloat(x!, 'slice');
    return { shape: x!.shape.with(dim, count), dtype: 'float32' };
  },
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs: [x], attributes: { dim, start, step, count } }) {
    const { outer, extent, inner } = sidesOf(x!.shape, dim);
    const begin = BYTES * start * inner;
    if (step === 1) {
      return (kernels, { inputs, output }) =>
        kernels.gather(inputs[0]! + begin, output, 1, outer, count * inner, 0, extent * inner, 1);
    }
    return (kernels, { inputs, output }) =>
      kernels.gather(inputs[0]! + begin, output, outer, count, inner, extent * inner, step * inner, 1);
  },
  gradient: ({ inputs: [x], attributes: { dim, start, step }, gradient }, apply) => [
    apply('slice_gradient', [gradient], { dim, start, step, extent: x!.shape[dim]! }),
  ],
  cost: (_inputs, output) => 2 * numel(output.shape),
};

export const sliceGradient: Op<'slice_gradient'> = {
  shape: ([g], { dim, extent }) => ({ shape: g!.shape.with(dim, extent), dtype: 'float32' }),
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs: [g], attributes: { dim, start, step, extent }, output: { shape } }) {
    const { outer, extent: count, inner } = sidesOf(g!.shape, dim);
    const begin = BYTES * start * inner;
    const all = numel(shape);
    return (kernels, { inputs, output }) => {
      kernels.fill(output, all, 0);
      kernels.scatter(inputs[0]!, output + begin, outer, count, inner, extent * inner, step * inner, 1);
    };
  },
  gradient: ({ inputs: [g], attributes: { dim, start, step }, gradient }, apply) => [
    apply('slice', [gradient], { dim, start, step, count: g!.shape[dim]! }),
  ],
  cost: (_inputs, output) => 2 * numel(output.shape),
};

function sidesOf(shape: Shape, dim: number): { outer: number; extent: number; inner: number } {
  return { outer: numel(shape.slice(0, dim)), extent: shape[dim]!, inner: numel(shape.slice(dim + 1)) };
}
