// Pools over one and two dimensions.

import { DTYPES } from '../tensor/dtype.js';
import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Op, type Operand, type Pair, type Step } from './op.js';
import { partsOf, ranges } from './parts.js';
import { dimension, list, requireFloat } from './requirements.js';
import { plane, withPlane, type Dims } from './spatial.js';

/** A pool's output extent (ATen pooling_output_shape): with ceil_mode the last window must start inside the input or its left padding. */
function pooled(
  extent: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
  ceil: boolean,
): number {
  const span = extent + 2 * padding - dilation * (kernel - 1) - 1 + (ceil ? stride - 1 : 0);
  const size = Math.floor(span / stride) + 1;
  return ceil && (size - 1) * stride >= extent + padding ? size - 1 : size;
}

interface Pool {
  dims: Dims;
  kernel: Pair;
  stride: Pair;
  padding: Pair;
  dilation?: Pair;
  ceilMode: boolean;
}

function poolPlane(x: Operand, { dims, kernel, stride, padding, dilation = [1, 1], ceilMode }: Pool): Pair {
  return plane(x.shape, dims).map((extent, i) =>
    pooled(extent, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!, ceilMode),
  ) as unknown as Pair;
}

/** What ATen's pools check of their padding first; two-dimensional ones and average pools then check the input (Pool.h). */
function checkPool(x: Operand, { dims, kernel, padding, dilation = [1, 1] }: Pool): void {
  const at = padding.findIndex((pad, i) => pad > (dilation[i]! * (kernel[i]! - 1) + 1) / 2);
  if (at >= 0) {
    throw new ShapeError(
      `pad should be at most half of effective kernel size, but got pad=${padding[at]}, ` +
        `kernel_size=${kernel[at]} and dilation=${dilation[at]}`,
    );
  }
  // A row counts as a plane of height 1.
  const input = [...x.shape.slice(0, -dims), ...plane(x.shape, dims)];
  if ((input.length !== 3 && input.length !== 4) || input.slice(-3).includes(0)) {
    throw new ShapeError(
      `Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:${list(input)}`,
    );
  }
}

/** Checks that a pool has an output; gives its shape. */
function poolShape(x: Operand, pool: Pool): Shape {
  const { dims } = pool;
  const output = poolPlane(x, pool);
  if (output.some((extent) => extent < 1)) {
    const channels = x.shape.at(-dims - 1)!;
    throw new ShapeError(
      `Given input size: (${[channels, ...plane(x.shape, dims)].join('x')}). ` +
        `Calculated output size: (${[channels, ...output].join('x')}). Output size is too small`,
    );
  }
  return withPlane(x.shape, dims, output);
}

export type PoolName = 'max_pool' | 'avg_pool' | 'adaptive_avg_pool' | 'adaptive_max_pool';
type PoolStep = Step<PoolName>;

/** How many planes a pool's input holds (all but the spatial extents), their extents, and those of its output. */
export function extents({ inputs, output, attributes: { dims } }: PoolStep) {
  const { shape } = inputs[0]!;
  const [[h, w], [oh, ow]] = [plane(shape, dims), plane(output.shape, dims)];
  return { planes: numel(shape.slice(0, -dims)), h, w, oh, ow };
}

export function planesOf(step: PoolStep, parts: number) {
  const { planes, ...sizes } = extents(step);
  return { ...sizes, slices: ranges(planes, parts, 1) };
}

/** Multiply-adds of a pool whose window is `kernel`: no window reaches further than its input. */
export function poolCost(
  x: Operand,
  output: Operand,
  { dims, kernel }: Pick<Pool, 'dims' | 'kernel'>,
): number {
  const from = plane(x.shape, dims);
  return numel(output.shape) * Math.min(kernel[0], from[0]) * Math.min(kernel[1], from[1]);
}

/** Max pools also measure the padding by the kernel as it is, without its dilation; one-dimensional ones only so. */
function checkMaxPool(x: Operand, pool: Pool): void {
  const { dims, kernel, padding } = pool;
  if (dims === 2) checkPool(x, pool);
  const wide = padding.some((pad, i) => pad > Math.floor(kernel[i]! / 2));
  if (wide && dims === 1) {
    throw new ShapeError(
      `max_pool1d() padding should be at most half of kernel size, but got padding=${padding[1]} and kernel_size=${kernel[1]}`,
    );
  }
  if (wide) {
    throw new ShapeError(
      'pad should be smaller than or equal to half of kernel size, but got ' +
        `padW = ${padding[1]}, padH = ${padding[0]}, kW = ${kernel[1]}, kH = ${kernel[0]}`,
    );
  }
  const length = poolPlane(x, pool)[1];
  if (dims === 1 && length < 1) throw new ShapeError(`max_pool1d() Invalid computed output size: ${length}`);
}

export const maxPool: Op<'max_pool'> = {
  shape([x], attributes) {
    const { dims } = attributes;
    const rank = x!.shape.length;
    const empty = dims === 1 && x!.shape.slice(-2).includes(0);
    if ((rank !== dims + 1 && rank !== dims + 2) || empty) {
      throw new ShapeError(
        dims === 1
          ? `max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:${list(x!.shape)}`
          : 'non-empty 3D or 4D (batch mode) tensor expected for input',
      );
    }
    checkMaxPool(x!, attributes);
    const shape = poolShape(x!, attributes);
    if (dims === 1) requireFloat(x!, 'max_pool1d_impl');
    if (x!.dtype === 'bool') requireFloat(x!, 'max_pool2d');
    return { shape, dtype: x!.dtype };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  parts: (step, wanted) => partsOf(extents(step).planes, wanted, 1),
  bind(step, parts) {
    const { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], dilation: [dh, dw] } = step.attributes; // prettier-ignore
    const { h, w, oh, ow, slices } = planesOf(step, parts);
    const { dtype } = step.output;
    const { bytes } = DTYPES[dtype];
    const name = dtype === 'int64' || dtype === 'int32' ? (`max_pool_${dtype}` as const) : 'max_pool';
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const x = inputs[0]! + bytes * from * h * w;
      const y = output + bytes * from * oh * ow;
      kernels[name](x, y, count, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw);
    };
  },
  gradient: ({ inputs: [x], attributes, gradient }, apply) => [
    apply('max_pool_gradient', [x!, gradient], attributes),
  ],
  cost: ([x], output, attributes) => poolCost(x!, output, attributes),
};

export const avgPool: Op<'avg_pool'> = {
  shape([x], attributes) {
    const { dims } = attributes;
    const rank = x!.shape.length;
    if (dims === 1 && rank !== 2 && rank !== 3) {
      throw new ShapeError(
        `Expected 2 to 3 dimensions, but got ${rank}-dimensional tensor for argument #1 'self' (while checking arguments for avg_pool1d)`,
      );
    }
    if (dims === 2 && rank < 3) dimension(-3, rank);
    checkPool(x!, attributes);
    const shape = poolShape(x!, attributes);
    if (x!.dtype !== 'int64') requireFloat(x!, 'avg_pool2d');
    return { shape, dtype: x!.dtype };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  parts: (step, wanted) => partsOf(extents(step).planes, wanted, 1),
  bind(step, parts) {
    const { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw] } = step.attributes; // prettier-ignore
    const include = step.attributes.countIncludePad ? 1 : 0;
    const divisor = step.attributes.divisor ?? 0;
    const { h, w, oh, ow, slices } = planesOf(step, parts);
    const { dtype } = step.output;
    const { bytes } = DTYPES[dtype];
    const name = dtype === 'int64' ? 'avg_pool_int64' : 'avg_pool';
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const x = inputs[0]! + bytes * from * h * w;
      const y = output + bytes * from * oh * ow;
      kernels[name](x, y, count, h, w, oh, ow, kh, kw, sh, sw, ph, pw, include, divisor);
    };
  },
  gradient: ({ inputs: [x], attributes, gradient }, apply) => [
    apply('avg_pool_gradient', [x!, gradient], attributes),
  ],
  cost: ([x], output, attributes) => poolCost(x!, output, attributes),
};
