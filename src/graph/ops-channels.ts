// Batch normalisation and what is computed for each channel (dimension 1) over all others: sums, variances, running
// averages. Gradients: ATen/native/Normalization.cpp.

import { numel, type Shape } from '../tensor/shape.js';
import type { Op, Operand, Step } from './op.js';
import { partsOf, ranges } from './parts.js';
import { requireFloat } from './requirements.js';

const BYTES = 4;
/** Channels without further dimensions lie side by side: a part begins where a cache line does. */
const LANES = 16;

/** x as [n, c, inner]. */
function sizes(shape: Shape): { n: number; c: number; inner: number } {
  const [n = 1, c = 1, ...rest] = shape;
  return { n, c, inner: numel(rest) };
}

/** Which channels each part has, with the bytes before them in x and in what has one number for each channel. */
function channelSlices({ shape }: Operand, parts: number) {
  const { c, inner } = sizes(shape);
  return ranges(c, parts, inner === 1 ? LANES : 1).map(({ from, count }) => ({
    count,
    wide: BYTES * from * inner,
    narrow: BYTES * from,
  }));
}

function channelParts({ shape }: Operand, wanted: number): number {
  const { c, inner } = sizes(shape);
  return partsOf(c, wanted, inner === 1 ? LANES : 1);
}

/** One number for each channel of `x`, of float inputs. */
function perChannel(x: Operand, inputs: readonly (Operand | null)[]): Operand {
  for (const input of inputs) if (input) requireFloat(input, 'batch_norm');
  return { shape: [x.shape[1]!], dtype: 'float32' };
}

const offset = (address: number, bytes: number): number => (address === 0 ? 0 : address + bytes);

export const channelSum: Op<'channel_sum'> = {
  shape: ([x]) => perChannel(x!, [x!]),
  rowwise: () => false,
  parts: ({ inputs: [x] }, wanted) => channelParts(x!, wanted),
  bind({ inputs: [x], attributes: { mean } }, parts) {
    const { n, c, inner } = sizes(x!.shape);
    const slices = channelSlices(x!, parts);
    const divisor = mean ? n * inner : 1;
    return (kernels, { inputs, output }, part) => {
      const { count, wide, narrow } = slices[part]!;
      kernels.channel_sum(inputs[0]! + wide, output + narrow, n, c, inner, count, divisor);
    };
  },
  cost: ([x]) => numel(x!.shape),
};

export const channelVariance: Op<'channel_variance'> = {
  shape: (inputs) => perChannel(inputs[0]!, inputs),
  rowwise: () => false,
  parts: ({ inputs: [x] }, wanted) => channelParts(x!, wanted),
  bind({ inputs: [x] }, parts) {
    const { n, c, inner } = sizes(x!.shape);
    const slices = channelSlices(x!, parts);
    return (kernels, { inputs: [from, mean], output }, part) => {
      const { count, wide, narrow } = slices[part]!;
      kernels.channel_variance(from! + wide, mean! + narrow, output + narrow, n, c, inner, count);
    };
  },
  cost: ([x]) => 3 * numel(x!.shape),
};

export const channelDot: Op<'channel_dot'> = {
  shape: (inputs) => perChannel(inputs[1]!, inputs),
  rowwise: () => false,
  parts: ({ inputs: [, x] }, wanted) => channelParts(x!, wanted),
  bind({ inputs: [, x], attributes: { eps } }, parts) {
    const { n, c, inner } = sizes(x!.shape);
    const slices = channelSlices(x!, parts);
    return (kernels, { inputs: [a, b, mean, variance], output }, part) => {
      const { count, wide, narrow } = slices[part]!;
      // prettier-ignore
      kernels.channel_dot(
        a! + wide, b! + wide, offset(mean!, narrow), offset(variance!, narrow), output + narrow,
        n, c, inner, count, eps,
      );
    };
  },
  cost: ([, x]) => 2 * numel(x!.shape),
};

/** What follows from rows alone: those of each part. */
function rowSlices({ shape }: Operand, parts: number) {
  const { n, c, inner } = sizes(shape);
  return ranges(n, parts, 1).map(({ from, count }) => ({ count, at: BYTES * from * c * inner }));
}

const rowParts = (step: Step, wanted: number): number => partsOf(sizes(step.output.shape).n, wanted, 1);

export const batchNorm: Op<'batch_norm'> = {
  shape([x]) {
    requireFloat(x!, 'batch_norm');
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: (_inputs, { batch }) => !batch,
  parts: rowParts,
  bind({ output, attributes: { eps } }, parts) {
    const { c, inner } = sizes(output.shape);
    const slices = rowSlices(output, parts);
    return (kernels, { inputs: [x, mean, variance, weight, bias], output: y }, part) => {
      const { count, at } = slices[part]!;
      kernels.batch_norm(x! + at, mean!, variance!, weight!, bias!, y + at, count, c, inner, eps);
    };
  },
  gradient({ inputs, attributes: { eps, batch }, gradient, wants }, apply) {
    const [x, mean, variance, weight] = inputs;
    const sum = batch || wants[4] ? apply('channel_sum', [gradient], { mean: false }) : null;
    const dot = batch || wants[3] ? apply('channel_dot', [gradient, x!, mean!, variance!], { eps }) : null;
    const terms = batch ? [sum, dot] : [null, null];
    const dx = wants[0]
      ? apply('batch_norm_gradient', [gradient, x!, mean!, variance!, weight!, ...terms], { eps })
      : null;
    // What comes by way of the batch's own statistics is in dx already.
    return [dx, null, null, dot, sum];
  },
  cost: (_inputs, output) => 2 * numel(output.shape),
};

export const batchNormGradient: Op<'batch_norm_gradient'> = {
  shape: ([gradient]) => gradient!,
  rowwise: () => false,
  inPlace: true,
  parts: rowParts,
  bind({ output, attributes: { eps } }, parts) {
    const { n, c, inner } = sizes(output.shape);
    const slices = rowSlices(output, parts);
    return (kernels, { inputs: [g, x, mean, variance, weight, sum, dot], output: dx }, part) => {
      const { count, at } = slices[part]!;
      // prettier-ignore
      kernels.batch_norm_gradient(
        g! + at, x! + at, mean!, variance!, weight!, sum!, dot!, dx + at, count, c, inner, n * inner, eps,
      );
    };
  },
  cost: (_inputs, output) => 5 * numel(output.shape),
};

export const channelAffine: Op<'channel_affine'> = {
  shape([x]) {
    requireFloat(x!, 'mul_cpu');
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: () => true,
  inPlace: true,
  parts: rowParts,
  bind({ output }, parts) {
    const { c, inner } = sizes(output.shape);
    const slices = rowSlices(output, parts);
    return (kernels, { inputs: [x, weight, bias], output: y }, part) => {
      const { count, at } = slices[part]!;
      kernels.channel_affine(x! + at, weight!, bias!, y + at, count, c, inner);
    };
  },
  gradient: ({ inputs: [x, weight], gradient, wants }, apply) => [
    wants[0] ? apply('channel_affine', [gradient, weight!, null], {}) : null,
    wants[1] ? apply('channel_dot', [gradient, x!, null, null], { eps: 0 }) : null,
    wants[2] ? apply('channel_sum', [gradient], { mean: false }) : null,
  ],
  cost: (_inputs, output) => 2 * numel(output.shape),
};

/** The kernel's sign for one divided by the count. */
const BY_COUNT = -1;

export const runningAverage: Op<'running_average'> = {
  shape: ([, running]) => ({ shape: running!.shape, dtype: 'float32' }),
  rowwise: () => false,
  bind({ output: { shape }, attributes: { factor, scale } }) {
    const n = numel(shape);
    return (kernels, { inputs: [statistic, running, count], output }) =>
      kernels.running_average(statistic!, running!, count!, output, n, factor ?? BY_COUNT, scale);
  },
  cost: (_inputs, output) => 3 * numel(output.shape),
};

export const increment: Op<'increment'> = {
  shape: ([x]) => ({ shape: x!.shape, dtype: 'int64' }),
  rowwise: () => false,
  bind:
    () =>
    (kernels, { inputs, output }) =>
      kernels.increment(inputs[0]!, output),
  cost: () => 1,
};
