// Ops that draw: they read the generator's bytes and change them where they stand. Steps run one after another in the
// order in which they are written down, so the draws come in that order too, whatever the number of workers.

import { numel } from '../tensor/shape.js';
import type { Op } from './op.js';
import { requireFloat } from './requirements.js';

export const bernoulli: Op<'bernoulli'> = {
  shape: (_inputs, { shape }) => ({ shape, dtype: 'float32' }),
  rowwise: () => false,
  bind({ output: { shape }, attributes: { p, scale } }) {
    const n = numel(shape);
    return (kernels, { inputs: [generator], output }) => kernels.bernoulli(generator!, output, n, p, scale);
  },
  gradient: () => [null],
  cost: (_inputs, output) => 16 * numel(output.shape),
};

export const rreluNoise: Op<'rrelu_noise'> = {
  shape([x]) {
    requireFloat(x!, 'rrelu_with_noise_out_cpu');
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: () => false,
  bind({ output: { shape }, attributes: { lower, upper } }) {
    const n = numel(shape);
    return (kernels, { inputs: [x, generator], output }) =>
      kernels.rrelu_noise(x!, generator!, output, n, lower, upper);
  },
  // Where it changes with x it jumps.
  gradient: () => [null, null],
  cost: (_inputs, output) => 16 * numel(output.shape),
};
