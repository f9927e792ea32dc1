// Normalisations and the softmax family, as they are in eval mode.

import { numel, sameShape } from '../tensor/shape.js';
import { DTypeError, ShapeError, type Op } from './op.js';
import { dimension, list, requireFloat } from './requirements.js';

export const batchNorm: Op<'batch_norm'> = {
  shape([x, mean], { ranks, features }) {
    if (!ranks.includes(x!.shape.length)) {
      const wanted = ranks.map((rank) => `${rank}D`).join(' or ');
      throw new ShapeError(`expected ${wanted} input (got ${x!.shape.length}D input)`);
    }
    requireFloat(x!, 'batch_norm');
    if (!mean) throw new ShapeError('batch statistics are not computed: track_running_stats must be True');
    const channels = x!.shape[1]!;
    if (channels !== features) {
      throw new ShapeError(`running_mean should contain ${channels} elements not ${features}`);
    }
    return { shape: x!.shape, dtype: 'float32' };
  },
  run(kernels, step, { inputs, output }) {
    const [n, c, ...inner] = step.output.shape as [number, number, ...number[]];
    const [x, mean, variance, weight, bias] = inputs as [number, number, number, number, number];
    kernels.batch_norm(x, mean, variance, weight, bias, output, n, c, numel(inner), step.attributes.eps);
  },
  cost: (_inputs, output) => 2 * numel(output.shape),
};

export const layerNorm: Op<'layer_norm'> = {
  shape([x], { normalizedShape }) {
    const rank = normalizedShape.length;
    if (x!.shape.length < rank || !sameShape(x!.shape.slice(-rank), normalizedShape)) {
      const tail = normalizedShape.join(', ');
      throw new ShapeError(
        `Given normalized_shape=[${tail}], expected input with shape [*, ${tail}], but got input of size${list(x!.shape)}`,
      );
    }
    if (x!.dtype !== 'float32')
      throw new DTypeError('mixed dtype (CPU): all inputs must share same datatype.');
    return { shape: x!.shape, dtype: 'float32' };
  },
  run(kernels, step, { inputs, output }) {
    const { normalizedShape, eps } = step.attributes;
    const d = numel(normalizedShape);
    const rows = numel(step.output.shape.slice(0, step.output.shape.length - normalizedShape.length));
    kernels.layer_norm(inputs[0]!, inputs[1]!, inputs[2]!, output, rows, d, eps);
  },
  cost: (_inputs, output) => 6 * numel(output.shape),
};

/** PyTorch's _get_softmax_dim, for `dim=None`. */
function implicitDim(rank: number): number {
  return rank === 0 || rank === 1 || rank === 3 ? 0 : 1;
}

export function softmax<N extends 'softmax' | 'log_softmax'>(name: N): Op<N> {
  return {
    shape([x], { dim }) {
      dimension(dim ?? implicitDim(x!.shape.length), x!.shape.length);
      requireFloat(x!, `${name}_kernel_impl`);
      return { shape: x!.shape, dtype: 'float32' };
    },
    run(kernels, step, { inputs, output }) {
      const shape = step.output.shape.length === 0 ? [1] : step.output.shape;
      const { dim } = step.attributes;
      const at = dimension(dim ?? implicitDim(step.output.shape.length), step.output.shape.length);
      const [outer, inner] = [numel(shape.slice(0, at)), numel(shape.slice(at + 1))];
      kernels[name](inputs[0]!, output, outer, shape[at]!, inner);
    },
    cost: (_inputs, output) => 12 * numel(output.shape),
  };
}
