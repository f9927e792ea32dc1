// Activations: one number in, one number out, the shape stays.

import { numel } from '../tensor/shape.js';
import { ranges } from './parts.js';
import { UNARY_KERNELS, type UnaryName } from './kernels.js';
import type { Op, OpName } from './op.js';
import { requireFloat } from './requirements.js';

const NAMES: ReadonlySet<OpName> = new Set(UNARY_KERNELS);

export function isPointwise(name: OpName): name is UnaryName {
  return NAMES.has(name);
}

/** A part begins where a cache line does. */
const LANES = 16;

export function pointwise<N extends UnaryName>(name: N): Op<N> {
  return {
    shape([x]) {
      requireFloat(x!, `${name}_cpu`);
      return { shape: x!.shape, dtype: 'float32' };
    },
    rowwise: ([x]) => x!.shape.length > 0,
    inPlace: true,
    parts: (_step, wanted) => wanted,
    bind({ attributes: { a = 0, b = 0 }, output: { shape } }, parts) {
      const slices = ranges(numel(shape), parts, LANES);
      return (kernels, { inputs, output }, part) => {
        const { from, count } = slices[part]!;
        kernels[name](inputs[0]! + 4 * from, output + 4 * from, count, a, b);
      };
    },
    // An exponential takes about eight multiply-adds.
    cost: (_inputs, output) => 8 * numel(output.shape),
  };
}
