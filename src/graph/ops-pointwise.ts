// Activations: one number in, one number out, the shape stays.

import { numel } from '../tensor/shape.js';
import type { UnaryName } from './kernels.js';
import type { Op } from './op.js';
import { requireFloat } from './requirements.js';

export function pointwise<N extends UnaryName>(name: N): Op<N> {
  return {
    shape([x]) {
      requireFloat(x!, `${name}_cpu`);
      return { shape: x!.shape, dtype: 'float32' };
    },
    run(kernels, step, { inputs, output }) {
      const { a = 0, b = 0 } = step.attributes;
      kernels[name](inputs[0]!, output, numel(step.output.shape), a, b);
    },
    // An exponential takes about eight multiply-adds.
    cost: (_inputs, output) => 8 * numel(output.shape),
  };
}
