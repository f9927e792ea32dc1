// One dimension resampled. An image's are one op after the other: the weights of two dimensions multiply.

import { numel } from '../tensor/shape.js';
import type { Kernels } from './kernels.js';
import type { Op, OpAttributes, Operand } from './op.js';
import { partsOf, ranges } from './parts.js';
import { requireFloat } from './requirements.js';
import { around } from './spatial.js';

const BYTES = 4;

/** In the order of the kernel's numbers. */
const MODES = ['nearest', 'nearest-exact', 'linear', 'cubic'] as const;
export type InterpolateMode = (typeof MODES)[number];

/** Elements of x that one of y is made of. */
const TAPS: Readonly<Record<InterpolateMode, number>> = {
  nearest: 1,
  'nearest-exact': 1,
  linear: 2,
  cubic: 4,
};

/** What a kernel keeps of each element of y while it runs. */
const TABLE_BYTES = 32;

type Name = 'interpolate' | 'interpolate_gradient';

/** Of x[outer, d, inner]; the gradient's output has the shape of x, and its input that of y. */
function resampling<N extends Name>(name: N, gradient?: Op<N>['gradient']): Op<N> {
  return {
    shape([x], { dim, to, mode }: OpAttributes[Name]) {
      requireFloat(x!, `compute_indices_weights_${mode === 'nearest-exact' ? 'nearest' : mode}`);
      return { shape: x!.shape.with(dim, to), dtype: 'float32' };
    },
    rowwise: ([x], { dim }) => x!.shape.length + dim > 0,
    scratch: ({ inputs: [x], attributes: { dim, to } }) =>
      TABLE_BYTES * (name === 'interpolate' ? to : x!.shape.at(dim)!),
    parts: ({ inputs: [x], attributes: { dim } }, wanted) => partsOf(around(x!.shape, dim).outer, wanted, 1),
    bind({ inputs: [x], attributes: { dim, to, mode, step, align } }, parts) {
      const { outer, d, inner } = around(x!.shape, dim);
      const [given, made] = [BYTES * d * inner, BYTES * to * inner];
      const slices = ranges(outer, parts, 1);
      const number = MODES.indexOf(mode);
      const [from, until] = name === 'interpolate' ? [d, to] : [to, d];
      return (kernels: Kernels, { inputs, output, scratch }, part) => {
        const { from: first, count } = slices[part]!;
        const [at, y] = [inputs[0]! + first * given, output + first * made];
        kernels[name](at, y, count, from, inner, until, number, step, align ? 1 : 0, scratch);
      };
    },
    ...(gradient && { gradient }),
    cost: ([x]: readonly (Operand | null)[], output, { mode }) =>
      2 * TAPS[mode] * Math.max(numel(x!.shape), numel(output.shape)),
  };
}

export const interpolate = resampling('interpolate', ({ inputs: [x], attributes, gradient }, apply) => [
  apply('interpolate_gradient', [gradient], { ...attributes, to: x!.shape.at(attributes.dim)! }),
]);

export const interpolateGradient = resampling('interpolate_gradient');
