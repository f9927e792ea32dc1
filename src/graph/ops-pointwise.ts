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

/**
 * Their derivatives are computed of what the function gave, so that it may take its input's place; those of all others,
 * of the input.
 */
const OF_OUTPUT: ReadonlySet<UnaryName> = new Set(['relu', 'sigmoid', 'tanh']);

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
    gradient({ inputs: [x], output, attributes: { a, b }, gradient }, apply) {
      const read = OF_OUTPUT.has(name) ? output : x!;
      return [
        apply('unary_gradient', [read, gradient], {
          of: name,
          ...(a !== undefined && { a }),
          ...(b !== undefined && { b }),
        }),
      ];
    },
    // An exponential takes about eight multiply-adds.
    cost: (_inputs, output) => 8 * numel(output.shape),
  };
}

/** dx = dy · f'(x), of x or of f(x), see OF_OUTPUT. */
export const unaryGradient: Op<'unary_gradient'> = {
  shape: ([s]) => ({ shape: s!.shape, dtype: 'float32' }),
  rowwise: ([s]) => s!.shape.length > 0,
  parts: (_step, wanted) => wanted,
  bind({ attributes: { of, a = 0, b = 0 }, output: { shape } }, parts) {
    const slices = ranges(numel(shape), parts, LANES);
    const name = `${of}_gradient` as const;
    return (kernels, { inputs: [s, dy], output }, part) => {
      const { from, count } = slices[part]!;
      const at = 4 * from;
      kernels[name](s! + at, dy! + at, output + at, count, a, b);
    };
  },
  cost: (_inputs, output) => 8 * numel(output.shape),
};
