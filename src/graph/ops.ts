// The one table of ops: what shapes each takes and gives, in PyTorch's words, and the kernel that computes it.
// Rows of one kind (pointwise, spatial) are made by small functions in the files beside this one.

import { affine, binary, sum } from './ops-arithmetic.js';
import type { Op, OpName } from './op.js';
import { embedding, linear } from './ops-linear.js';
import { batchNorm, layerNorm, softmax } from './ops-normalization.js';
import { pointwise, unaryGradient } from './ops-pointwise.js';
import { pack, product } from './ops-product.js';
import { bernoulli, rreluNoise } from './ops-random.js';
import { copy, expand, flatten, identity, permute, reshape } from './ops-shape.js';
import { adaptiveAvgPool, avgPool, conv, maxPool } from './ops-spatial.js';

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
  reshape,
  copy,
  expand,
  permute,
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: binary('div'),
  affine,
  sum,
  unary_gradient: unaryGradient,
  pack,
  product,
  bernoulli,
  rrelu_noise: rreluNoise,
};
