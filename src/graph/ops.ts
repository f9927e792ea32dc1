// The one table of ops: what shapes each takes and gives, in PyTorch's words, and the kernel that computes it.
// Rows of one kind (pointwise, spatial) are made by small functions in the files beside this one.

import { attention, attentionGradient } from './ops-attention.js';
import { affine, binary, constant, fill, sum } from './ops-arithmetic.js';
import { assign } from './ops-assign.js';
import { elementwise, extreme, where } from './ops-elementwise.js';
import { pointwiseFunction } from './ops-functions.js';
import { cat, slice, sliceGradient } from './ops-joining.js';
import type { Op, OpName } from './op.js';
import { embedding, embeddingBag, embeddingBagGradient, embeddingGradient } from './ops-embedding.js';
import { linear } from './ops-linear.js';
import { binaryCrossEntropy, oneHot, pick } from './ops-losses.js';
import {
  batchNorm,
  batchNormGradient,
  channelAffine,
  channelDot,
  channelSum,
  channelVariance,
  increment,
  runningAverage,
} from './ops-channels.js';
import { rowNorm, rowNormGradient, rowNormWeightGradient, softmax } from './ops-normalization.js';
import { pointwise, unaryGradient } from './ops-pointwise.js';
import { pack, product } from './ops-product.js';
import { packedRecurrence, recurrence, shift } from './ops-recurrence.js';
import { recurrenceGradient } from './ops-recurrence-gradient.js';
import { bernoulli, rreluNoise } from './ops-random.js';
import { copy, expand, flatten, identity, permute, reshape } from './ops-shape.js';
import { conv } from './ops-conv.js';
import { convTranspose } from './ops-conv-transpose.js';
import { convWeightGradient } from './ops-conv-weight.js';
import { frames, framesGradient } from './ops-conv3d.js';
import { interpolate, interpolateGradient } from './ops-interpolate.js';
import { pad, padGradient } from './ops-pad.js';
import { avgPool, maxPool } from './ops-pool.js';
import { adaptiveAvgPool, adaptiveMaxPool } from './ops-pool-adaptive.js';
import {
  adaptiveAvgPoolGradient,
  adaptiveMaxPoolGradient,
  avgPoolGradient,
  maxPoolGradient,
} from './ops-pool-gradients.js';

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
  adaptive_max_pool: adaptiveMaxPool,
  max_pool_gradient: maxPoolGradient,
  avg_pool_gradient: avgPoolGradient,
  adaptive_avg_pool_gradient: adaptiveAvgPoolGradient,
  adaptive_max_pool_gradient: adaptiveMaxPoolGradient,
  conv_transpose: convTranspose,
  pad,
  pad_gradient: padGradient,
  interpolate,
  interpolate_gradient: interpolateGradient,
  frames,
  frames_gradient: framesGradient,
  conv_weight_gradient: convWeightGradient,
  batch_norm: batchNorm,
  batch_norm_gradient: batchNormGradient,
  channel_sum: channelSum,
  channel_variance: channelVariance,
  channel_dot: channelDot,
  channel_affine: channelAffine,
  running_average: runningAverage,
  increment,
  layer_norm: rowNorm('layer_norm'),
  rms_norm: rowNorm('rms_norm'),
  row_norm_gradient: rowNormGradient,
  row_norm_weight_gradient: rowNormWeightGradient,
  softmax: softmax('softmax'),
  log_softmax: softmax('log_softmax'),
  embedding,
  embedding_gradient: embeddingGradient,
  embedding_bag: embeddingBag,
  embedding_bag_gradient: embeddingBagGradient,
  recurrence,
  packed_recurrence: packedRecurrence,
  recurrence_gradient: recurrenceGradient,
  attention,
  attention_gradient: attentionGradient,
  shift,
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
  one_hot: oneHot,
  pick,
  binary_cross_entropy: binaryCrossEntropy,
  constant,
  fill,
  sum,
  abs: pointwiseFunction('abs'),
  sqrt: pointwiseFunction('sqrt'),
  exp: pointwiseFunction('exp'),
  log: pointwiseFunction('log'),
  sin: pointwiseFunction('sin'),
  cos: pointwiseFunction('cos'),
  floor: pointwiseFunction('floor'),
  round: pointwiseFunction('round'),
  sign: pointwiseFunction('sign'),
  reciprocal: pointwiseFunction('reciprocal'),
  logical_not: pointwiseFunction('logical_not'),
  minimum: elementwise('minimum'),
  maximum: elementwise('maximum'),
  less: elementwise('less'),
  less_equal: elementwise('less_equal'),
  equal: elementwise('equal'),
  not_equal: elementwise('not_equal'),
  both: elementwise('both'),
  either: elementwise('either'),
  power: elementwise('power'),
  remainder: elementwise('remainder'),
  where,
  amin: extreme('amin'),
  amax: extreme('amax'),
  cat,
  slice,
  slice_gradient: sliceGradient,
  assign,
  unary_gradient: unaryGradient,
  pack,
  product,
  bernoulli,
  rrelu_noise: rreluNoise,
};
