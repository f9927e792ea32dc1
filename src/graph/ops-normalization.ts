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
  rowwise: () => true,
  bind({ output: { shape }, attributes: { eps } }) {
    const [n, c, ...rest] = shape as [number, number, ...number[]];
    const inner = numel(rest);
    return (kernels, { inputs: [x, mean, variance, weight, bias], output }) =>
      kernels.batch_norm(x!, mean!, variance!, weight!, bias!, output, n, c, inner, eps);
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
  rowwise: ([x], { normalizedShape }) => x!.shape.length > normalizedShape.length,
  bind({ output: { shape }, attributes: { normalizedShape, eps } }) {
    const d = numel(normalizedShape);
    const rows = numel(shape.slice(0, shape.length - normalizedShape.length));
    return (kernels, { inputs: [x, weight, bias], output }) =>
      kernels.layer_norm(x!, weight!, bias!, output, rows, d, eps);
  },
  cost: (_inputs, output) => 6 * numel(output.shape),
};

/** PyTorch's _get_softmax_dim, for `dim=None`. */
function implicitDim(rank: number): number {
  return rank === 0 || rank === 1 || rank === 3 ? 0 : 1;
}

function resolved(dim: number | null, rank: number): number {
  return dimension(dim ?? implicitDim(rank), rank);
}

export function softmax<N extends 'softmax' | 'log_softmax'>(name: N): Op<N> {
  return {
    shape([x], { dim }) {
      resolved(dim, x!.shape.length);
      requireFloat(x!, `${name}_kernel_impl`);
      return { shape: x!.shape, dtype: 'float32' };
    },
    rowwise: ([x], { dim }) => resolved(dim, x!.shape.length) > 0,
    bind({ output: { shape }, attributes: { dim } }) {
      const at = resolved(dim, shape.length);
      const [outer, d, inner] = [numel(shape.slice(0, at)), shape[at] ?? 1, numel(shape.slice(at + 1))];
      return (kernels, { inputs, output }) => kernels[name](inputs[0]!, output, outer, d, inner);
    },
    cost: (_inputs, output) => 12 * numel(output.shape),
  };
}
