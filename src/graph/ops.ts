// The one table of ops: what shapes each takes and gives, in PyTorch's words, and the kernel that computes it.
// Rows of one kind (pointwise, spatial) are made by small functions in the files beside this one.

import type { Op, OpName } from './op.js';
import { embedding, linear } from './ops-linear.js';
import { batchNorm, layerNorm, softmax } from './ops-normalization.js';
import { pointwise } from './ops-pointwise.js';
import { adaptiveAvgPool, avgPool, conv, maxPool } from './ops-spatial.js';
import { dimension } from './requirements.js';
import { ShapeError } from './op.js';
import { numel } from '../tensor/shape.js';

const flatten: Op<'flatten'> = {
  shape([x], { startDim, endDim }) {
    const shape = x!.shape.length === 0 ? [1] : x!.shape;
    const start = dimension(startDim, x!.shape.length);
    const end = dimension(endDim, x!.shape.length);
    if (start > end) throw new ShapeError('flatten() has invalid args: start_dim cannot come after end_dim');
    const joined = numel(shape.slice(start, end + 1));
    return { shape: [...shape.slice(0, start), joined, ...shape.slice(end + 1)], dtype: x!.dtype };
  },
  rowwise: ([x], { startDim }) => x!.shape.length > 0 && dimension(startDim, x!.shape.length) > 0,
};

const identity: Op<'identity'> = {
  shape: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  rowwise: ([x]) => x!.shape.length > 0,
};

export const OPS: { readonly [N in OpName]: Op<N> } = {
  relu: pointwise('relu'),
  leaky_relu: pointwise('leaky_relu'),
  elu: pointwise('elu'),
  selu: pointwise('selu'),
  celu: pointwise('celu'),
  gelu: pointwise('gelu'),
  gelu_tanh: pointwise('gelu_tanh'),
  silu: pointwise('silu'),
  sigmoid: pointwise('sigmoid'),
  tanh: pointwise('tanh'),
  softplus: pointwise('softplus'),
  softsign: pointwise('softsign'),
  hardtanh: pointwise('hardtanh'),
  hardsigmoid: pointwise('hardsigmoid'),
  hardswish: pointwise('hardswish'),
  mish: pointwise('mish'),
  log_sigmoid: pointwise('log_sigmoid'),
  linear,
  conv,
  max_pool: maxPool,
  avg_pool: avgPool,
  adaptive_avg_pool: adaptiveAvgPool,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  softmax: softmax('softmax'),
  log_softmax: softmax('log_softmax'),
  embedding,
  flatten,
  identity,
};
