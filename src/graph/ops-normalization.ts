// Layer and RMS normalisation, and the softmax family.

import { reshape } from './broadcasting.js';
import type { Value } from './tracer.js';
import { numel, sameShape, type Shape } from '../tensor/shape.js';
import { DTypeError, ShapeError, type Op } from './op.js';
import { partsOf, ranges } from './parts.js';
import { dimension, list, requireFloat } from './requirements.js';

const BYTES = 4;
const DOUBLE = 8;

/** x as rows of d elements, and where those of each part begin. */
function rowsOf(shape: Shape, normalizedShape: Shape, parts: number) {
  const d = numel(normalizedShape);
  const rows = numel(shape.slice(0, shape.length - normalizedShape.length));
  return { d, rows, slices: ranges(rows, parts, 1) };
}

/** PyTorch's words differ in a comma. */
const NORMS = {
  layer_norm: { centred: true, leading: '*, ' },
  rms_norm: { centred: false, leading: '*' },
} as const;

/** Each row without its mean (layer_norm alone), by the root of its mean square, times weight, plus bias. */
export function rowNorm<N extends keyof typeof NORMS>(name: N): Op<N> {
  const { centred, leading } = NORMS[name];
  return {
    shape([x], { normalizedShape }) {
      const rank = normalizedShape.length;
      if (name === 'rms_norm' && x!.shape.length < rank) {
        throw new ShapeError(
          `Input tensor must have at least ${rank} dimensions, but got ${x!.shape.length}`,
        );
      }
      if (x!.shape.length < rank || !sameShape(x!.shape.slice(-rank), normalizedShape)) {
        const tail = normalizedShape.join(', ');
        throw new ShapeError(
          `Given normalized_shape=[${tail}], expected input with shape [${leading}${tail}], ` +
            `but got input of size${list(x!.shape)}`,
        );
      }
      if (name === 'rms_norm') requireFloat(x!, 'rms_norm');
      else if (x!.dtype !== 'float32')
        throw new DTypeError('mixed dtype (CPU): all inputs must share same datatype.');
      return { shape: x!.shape, dtype: 'float32' };
    },
    rowwise: ([x], { normalizedShape }) => x!.shape.length > normalizedShape.length,
    parts: ({ output, attributes: { normalizedShape } }, wanted) =>
      partsOf(rowsOf(output.shape, normalizedShape, 1).rows, wanted, 1),
    bind({ output: { shape }, attributes: { normalizedShape, eps } }, parts) {
      const { d, slices } = rowsOf(shape, normalizedShape, parts);
      return (kernels, { inputs: [x, weight, bias], output }, part) => {
        const { from, count } = slices[part]!;
        const at = BYTES * from * d;
        kernels.layer_norm(x! + at, weight!, bias!, output + at, count, d, eps, centred ? 1 : 0);
      };
    },
    gradient({ inputs: [x, weight, bias], attributes, gradient, wants }, apply) {
      const given = { ...attributes, centred };
      const leadingRank = x!.shape.length - attributes.normalizedShape.length;
      const terms = wants[1] ? apply('row_norm_weight_gradient', [gradient, x!], given) : null;
      return [
        wants[0] ? apply('row_norm_gradient', [gradient, x!, weight!], given) : null,
        terms && apply('sum', [terms], { start: 0, end: 1 }),
        bias && wants[2] ? apply('sum', [gradient], { start: 0, end: leadingRank }) : null,
      ];
    },
    cost: (_inputs, output) => 6 * numel(output.shape),
  };
}

export const rowNormGradient: Op<'row_norm_gradient'> = {
  shape: ([gradient]) => gradient!,
  rowwise: () => false,
  inPlace: true,
  parts: ({ output, attributes: { normalizedShape } }, wanted) =>
    partsOf(rowsOf(output.shape, normalizedShape, 1).rows, wanted, 1),
  bind({ output: { shape }, attributes: { normalizedShape, eps, centred } }, parts) {
    const { d, slices } = rowsOf(shape, normalizedShape, parts);
    return (kernels, { inputs: [g, x, weight], output }, part) => {
      const { from, count } = slices[part]!;
      const at = BYTES * from * d;
      kernels.layer_norm_gradient(g! + at, x! + at, weight!, output + at, count, d, eps, centred ? 1 : 0);
    };
  },
  cost: (_inputs, output) => 12 * numel(output.shape),
};

/** Into how many terms the sum over rows falls, whatever the workers: its bits depend on the rows alone. */
const TERMS = 8;

export const rowNormWeightGradient: Op<'row_norm_weight_gradient'> = {
  shape([gradient], { normalizedShape }) {
    const { rows } = rowsOf(gradient!.shape, normalizedShape, 1);
    return { shape: [partsOf(rows, TERMS, 1), ...normalizedShape], dtype: 'float32' };
  },
  rowwise: () => false,
  parts: ({ output }, wanted) => partsOf(output.shape[0]!, wanted, 1),
  scratch: ({ attributes: { normalizedShape } }) => DOUBLE * 4 * Math.ceil(numel(normalizedShape) / 4),
  bind({ inputs: [gradient], output: { shape }, attributes }, parts) {
    const { normalizedShape, eps, centred } = attributes;
    const terms = rowsOf(gradient!.shape, normalizedShape, shape[0]!);
    const { d } = terms;
    const slices = ranges(shape[0]!, parts, 1);
    return (kernels, { inputs: [g, x], output, scratch }, part) => {
      const { from: first, count: some } = slices[part]!;
      for (let term = first; term < first + some; term++) {
        const { from, count } = terms.slices[term]!;
        const at = BYTES * from * d;
        const to = output + BYTES * term * d;
        kernels.layer_norm_weight_gradient(g! + at, x! + at, to, count, d, eps, centred ? 1 : 0, scratch);
      }
    };
  },
  cost: ([gradient]) => 8 * numel(gradient!.shape),
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
    // softmax: y (g - Σ g y); log_softmax: g - exp(y) Σ g
    gradient({ attributes: { dim }, output, gradient }, apply) {
      const start = resolved(dim, output.shape.length);
      const kept = output.shape.map((extent, i) => (i === start ? 1 : extent));
      const total = (x: Value): Value =>
        output.shape.length === 0 ? x : reshape(apply, apply('sum', [x], { start, end: start + 1 }), kept);
      if (name === 'softmax') {
        const mean = total(apply('mul', [gradient, output], {}));
        return [apply('mul', [output, apply('sub', [gradient, mean], {})], {})];
      }
      const spread = apply('mul', [apply('exp', [output], {}), total(gradient)], {});
      return [apply('sub', [gradient, spread], {})];
    },
    cost: (_inputs, output) => 12 * numel(output.shape),
  };
}
