// One dimension made longer or shorter at both ends. Padding of several dimensions is one op after the other.

import { numel, type Shape } from '../tensor/shape.js';
import type { Op, Operand } from './op.js';
import { partsOf, ranges } from './parts.js';
import { requireFloat } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;

/** In the order of the kernel's numbers. */
const MODES = ['constant', 'reflect', 'replicate', 'circular'] as const;
export type PadMode = (typeof MODES)[number];

export interface Ends {
  /** Counted from the last: -1. */
  readonly dim: number;
  readonly before: number;
  readonly after: number;
}

/** [outer, d, inner] of a shape around a dimension. */
export function around(shape: Shape, dim: number): { outer: number; d: number; inner: number } {
  const at = shape.length + dim;
  return { outer: numel(shape.slice(0, at)), d: shape[at]!, inner: numel(shape.slice(at + 1)) };
}

export function withExtent(shape: Shape, dim: number, extent: number): Shape {
  return shape.with(dim, extent);
}

const rowwise = ([x]: readonly (Operand | null)[], { dim }: Ends): boolean => x!.shape.length + dim > 0;

export const pad: Op<'pad'> = {
  shape([x], { dim, before, after }) {
    requireFloat(x!, 'constant_pad_nd');
    return { shape: withExtent(x!.shape, dim, before + x!.shape.at(dim)! + after), dtype: 'float32' };
  },
  rowwise,
  parts: ({ inputs: [x], attributes: { dim } }, wanted) => partsOf(around(x!.shape, dim).outer, wanted, 1),
  bind({ inputs: [x], attributes: { dim, before, after, mode, value }, output }, parts) {
    const { outer, d, inner } = around(x!.shape, dim);
    const [own, made] = [BYTES * d * inner, BYTES * output.shape.at(dim)! * inner];
    const slices = ranges(outer, parts, 1);
    const number = MODES.indexOf(mode);
    return (kernels, { inputs, output: y }, part) => {
      const { from, count } = slices[part]!;
      const at = inputs[0]! + from * own;
      kernels.pad(at, y + from * made, count, d, inner, before, after, number, value);
    };
  },
  gradient: ({ inputs: [x], attributes: { value: _value, ...attributes }, gradient }, apply) => [
    attributes.mode === 'constant'
      ? crop(apply, gradient, { ...attributes, before: -attributes.before, after: -attributes.after })
      : apply('pad_gradient', [gradient], { ...attributes, extent: x!.shape.at(attributes.dim)! }),
  ],
  cost: (_inputs, output) => numel(output.shape),
};

export const padGradient: Op<'pad_gradient'> = {
  shape: ([gradient], { dim, extent }) => ({
    shape: withExtent(gradient!.shape, dim, extent),
    dtype: 'float32',
  }),
  rowwise,
  parts: ({ inputs: [x], attributes: { dim } }, wanted) => partsOf(around(x!.shape, dim).outer, wanted, 1),
  bind({ inputs: [gradient], attributes: { dim, before, after, mode, extent } }, parts) {
    const { outer, d: length, inner } = around(gradient!.shape, dim);
    const [given, own] = [BYTES * length * inner, BYTES * extent * inner];
    const slices = ranges(outer, parts, 1);
    const number = MODES.indexOf(mode);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const [dy, dx] = [inputs[0]! + from * given, output + from * own];
      kernels.pad_gradient(dy, dx, count, extent, inner, before, after, number);
    };
  },
  cost: ([gradient]) => numel(gradient!.shape),
};

/** With zeros where ends are positive; the value itself where nothing changes. */
export function crop(apply: Apply, value: Value, { dim, before, after }: Ends): Value {
  if (before === 0 && after === 0) return value;
  return apply('pad', [value], { dim, before, after, mode: 'constant', value: 0 });
}
