// Ops that move numbers and compute none: the same bytes in another shape, in another order, or again and again.

import { numel, type Shape } from '../tensor/shape.js';
import { DTYPES } from '../tensor/dtype.js';
import { loopsOver, reshape as reshaped, sumTo } from './broadcasting.js';
import { ShapeError, type Op } from './op.js';
import { dimension, list, requireFloat } from './requirements.js';

const BYTES = 4;

export const flatten: Op<'flatten'> = {
  shape([x], { startDim, endDim }) {
    const shape = x!.shape.length === 0 ? [1] : x!.shape;
    const start = dimension(startDim, x!.shape.length);
    const end = dimension(endDim, x!.shape.length);
    if (start > end) throw new ShapeError('flatten() has invalid args: start_dim cannot come after end_dim');
    const joined = numel(shape.slice(start, end + 1));
    return { shape: [...shape.slice(0, start), joined, ...shape.slice(end + 1)], dtype: x!.dtype };
  },
  rowwise: ([x], { startDim }) => x!.shape.length > 0 && dimension(startDim, x!.shape.length) > 0,
  gradient: ({ inputs: [x], gradient }, apply) => [reshaped(apply, gradient, x!.shape)],
};

export const identity: Op<'identity'> = {
  shape: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  rowwise: ([x]) => x!.shape.length > 0,
  gradient: ({ gradient }) => [gradient],
};

export const reshape: Op<'reshape'> = {
  shape([x], { shape }) {
    const known = numel(shape.filter((extent) => extent !== -1));
    const inferred = shape.map((extent) => (extent === -1 ? numel(x!.shape) / known : extent));
    if (numel(inferred) !== numel(x!.shape) || !inferred.every(Number.isInteger)) {
      throw new ShapeError(`shape '${list(shape)}' is invalid for input of size ${numel(x!.shape)}`);
    }
    return { shape: inferred, dtype: x!.dtype };
  },
  // An extent that is written out would not follow the rows.
  rowwise: ([x], { shape }) =>
    shape[0] === -1 && x!.shape.length > 0 && numel(x!.shape.slice(1)) === numel(shape.slice(1)),
  gradient: ({ inputs: [x], gradient }, apply) => [reshaped(apply, gradient, x!.shape)],
};

export const copy: Op<'copy'> = {
  shape: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  rowwise: ([x]) => x!.shape.length > 0,
  bind({ output: { shape, dtype } }) {
    const bytes = numel(shape) * DTYPES[dtype].bytes;
    return (kernels, { inputs, output }) => kernels.copy(inputs[0]!, output, bytes);
  },
  gradient: ({ gradient }) => [gradient],
  cost: (_inputs, output) => numel(output.shape),
};

export const expand: Op<'expand'> = {
  shape([x], { shape }) {
    requireFloat(x!, 'expand');
    return { shape, dtype: 'float32' };
  },
  rowwise: () => false,
  bind({ inputs: [x], output: { shape } }) {
    const walk = walkOf(loopsOver(shape, [x!.shape]).map(({ count, steps }) => [count, steps[0]!]));
    return (kernels, { inputs, output }) => walk(kernels, inputs[0]!, output);
  },
  gradient: ({ inputs: [x], gradient }, apply) => [sumTo(apply, gradient, x!.shape)],
  cost: (_inputs, output) => numel(output.shape),
};

export const permute: Op<'permute'> = {
  shape: ([x], { dims }) => {
    requireFloat(x!, 'permute');
    return { shape: dims.map((dim) => x!.shape[dim]!), dtype: 'float32' };
  },
  rowwise: (_inputs, { dims }) => dims[0] === 0,
  bind({ inputs: [x], attributes: { dims } }) {
    const walk = walkOf(joined(x!.shape, dims));
    return (kernels, { inputs, output }) => walk(kernels, inputs[0]!, output);
  },
  gradient: ({ attributes: { dims }, gradient }, apply) => [
    apply('permute', [gradient], { dims: dims.map((_, i) => dims.indexOf(i)) }),
  ],
  cost: (_inputs, output) => 2 * numel(output.shape),
};

type Level = readonly [count: number, step: number];

/** The loops of a permutation, in the order of the output: dimensions that stay beside each other are one. */
function joined(shape: Shape, dims: readonly number[]): Level[] {
  const levels: { count: number; step: number }[] = [];
  for (const dim of dims) {
    const count = shape[dim]!;
    const step = numel(shape.slice(dim + 1));
    if (count === 1) continue;
    const outer = levels.at(-1);
    if (outer?.step === count * step) Object.assign(outer, { count: outer.count * count, step });
    else levels.push({ count, step });
  }
  return levels.map(({ count, step }) => [count, step]);
}

type Walk = (kernels: { gather: GatherKernel }, x: number, y: number) => void;
type GatherKernel = (
  x: number,
  y: number,
  n0: number,
  n1: number,
  n2: number,
  s0: number,
  s1: number,
  s2: number,
) => void;

/** Elements read in steps and written one after another; the kernel does the three innermost loops. */
function walkOf(levels: readonly Level[]): Walk {
  const inner: readonly Level[] = [...Array<Level>(3).fill([1, 0]), ...levels].slice(-3);
  const [[n0, s0], [n1, s1], [n2, s2]] = inner as [Level, Level, Level];
  const each = n0 * n1 * n2;
  let begins = [0];
  for (const [count, step] of levels.slice(0, -3)) {
    begins = begins.flatMap((begin) => Array.from({ length: count }, (_, i) => begin + i * step));
  }
  return (kernels, x, y) => {
    for (let i = 0; i < begins.length; i++) {
      kernels.gather(x + BYTES * begins[i]!, y + BYTES * i * each, n0, n1, n2, s0, s1, s2);
    }
  };
}
