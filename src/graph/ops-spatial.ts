// Convolutions and pools. One-dimensional ones are two-dimensional with height 1: a [n, c, l] is a [n, c, 1, l].

import { numel, type Shape } from '../tensor/shape.js';
import {
  DTypeError,
  ShapeError,
  type Op,
  type OpAttributes,
  type Operand,
  type Pair,
  type Step,
} from './op.js';
import { partsOf, ranges } from './parts.js';
import { dimension, list, requireFloat } from './requirements.js';

type Dims = 1 | 2;

/** The last two extents, with height 1 for one-dimensional layers. */
function plane(shape: Shape, dims: Dims): Pair {
  return dims === 1 ? [1, shape.at(-1)!] : [shape.at(-2)!, shape.at(-1)!];
}

/** A shape with its spatial extents replaced. */
function withPlane(shape: Shape, dims: Dims, [h, w]: Pair): Shape {
  return [...shape.slice(0, -dims), ...(dims === 1 ? [w] : [h, w])];
}

function times(pair: Pair, dims: Dims, separator = ' x '): string {
  return dims === 1 ? `${pair[1]}` : pair.join(separator);
}

/** The zeros on both sides and the output's extents of a convolution. */
function convGeometry(x: Operand, weight: Operand, attributes: OpAttributes['conv']) {
  const { dims, stride, padding, dilation } = attributes;
  const input = plane(x.shape, dims);
  const kernel = plane(weight.shape, dims);
  const reach = kernel.map((extent, i) => dilation[i]! * (extent - 1));
  // padding='same' puts the odd zero at the end, as PyTorch does.
  const before = padding === 'same' ? reach.map((r) => Math.floor(r / 2)) : [...padding];
  const padded = input.map((extent, i) => extent + (padding === 'same' ? reach[i]! : 2 * padding[i]!));
  const output = padded.map((extent, i) => Math.floor((extent - reach[i]! - 1) / stride[i]!) + 1);
  return { input, kernel, reach, before, padded, output } as unknown as Record<
    'input' | 'kernel' | 'reach' | 'before' | 'padded' | 'output',
    Pair
  >;
}

const BYTES = 4;
/** Output channels of one part: the rows of the highest tile. */
const CHANNEL_UNIT = 12;

/** A convolution's sizes by the names that its kernel gives them. */
function convSizes({ inputs: [x, weight], attributes }: Step<'conv'>) {
  const { dims, stride, dilation, groups } = attributes;
  const { input, output, kernel, before } = convGeometry(x!, weight!, attributes);
  const [[h, w], [oh, ow], [kh, kw]] = [input, output, kernel];
  const [[sh, sw], [pt, pl], [dh, dw]] = [stride, before, dilation];
  const batch = x!.shape.length === dims + 2 ? x!.shape[0]! : 1;
  const [ci, co] = [x!.shape.at(-dims - 1)!, weight!.shape[0]!];
  return { batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups };
}

export const conv: Op<'conv'> = {
  shape([x, weight], attributes) {
    const { dims, groups } = attributes;
    const rank = x!.shape.length;
    if (rank !== dims + 1 && rank !== dims + 2) {
      throw new ShapeError(
        `Expected ${dims + 1}D (unbatched) or ${dims + 2}D (batched) input to conv${dims}d, ` +
          `but got input of size: ${list(x!.shape)}`,
      );
    }
    const [channels, expected] = [x!.shape.at(-dims - 1)!, weight!.shape[1]! * groups];
    if (channels !== expected) {
      const batched = rank === dims + 1 ? [1, ...x!.shape] : x!.shape;
      throw new ShapeError(
        `Given groups=${groups}, weight of size ${list(weight!.shape)}, expected input${list(batched)} ` +
          `to have ${expected} channels, but got ${channels} channels instead`,
      );
    }
    const { padded, reach, output } = convGeometry(x!, weight!, attributes);
    if (padded.some((extent, i) => extent < reach[i]! + 1)) {
      const effective: Pair = [reach[0] + 1, reach[1] + 1];
      throw new ShapeError(
        `Calculated padded input size per channel: (${times(padded, dims)}). ` +
          `Kernel size: (${times(effective, dims)}). Kernel size can't be greater than actual input size`,
      );
    }
    if (x!.dtype !== 'float32')
      throw new DTypeError('Input type (long int) and bias type (float) should be the same');
    const shape = withPlane(x!.shape, dims, output);
    return {
      shape: [...shape.slice(0, -dims - 1), weight!.shape[0]!, ...shape.slice(-dims)],
      dtype: 'float32',
    };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  activates: true,
  scratch(step, kernels) {
    const { ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups } = convSizes(step);
    return kernels.conv_scratch(ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups);
  },
  parts(step, wanted) {
    const { batch, co, groups } = convSizes(step);
    if (batch > 1) return partsOf(batch, wanted, 1);
    return groups === 1 ? partsOf(co, wanted, CHANNEL_UNIT) : 1;
  },
  bind(step, parts, activation) {
    const sizes = convSizes(step);
    const { batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups } = sizes;
    const byImages = batch > 1 || groups > 1;
    const slices = byImages ? ranges(batch, parts, 1) : ranges(co, parts, CHANNEL_UNIT);
    const k = (ci / groups) * kh * kw;
    const relu = activation?.name === 'relu' ? 1 : 0;
    const after = relu ? null : activation;
    return (kernels, { inputs, output, scratch }, part) => {
      const { from, count } = slices[part]!;
      const images = byImages ? count : batch;
      const channels = byImages ? co : count;
      const x = byImages ? inputs[0]! + BYTES * from * ci * h * w : inputs[0]!;
      const weight = byImages ? inputs[1]! : inputs[1]! + BYTES * from * k;
      const bias = byImages || !inputs[2] ? inputs[2]! : inputs[2] + BYTES * from;
      const y = output + BYTES * from * oh * ow * (byImages ? co : 1);
      // prettier-ignore
      kernels.conv(
        x, weight, bias, y, images, ci, h, w, channels, oh, ow, kh, kw,
        sh, sw, pt, pl, dh, dw, groups, scratch, relu,
      );
      if (after) kernels[after.name](y, y, images * channels * oh * ow, after.a, after.b);
    };
  },
  cost: ([, weight], output) => numel(output.shape) * (2 * numel(weight!.shape.slice(1)) + 1),
};

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

type PoolStep = Step<'max_pool' | 'avg_pool' | 'adaptive_avg_pool'>;

/** How many planes a pool's input holds (all but the spatial extents), their extents, and those of its output. */
function extents({ inputs, output, attributes: { dims } }: PoolStep) {
  const { shape } = inputs[0]!;
  const [[h, w], [oh, ow]] = [plane(shape, dims), plane(output.shape, dims)];
  return { planes: numel(shape.slice(0, -dims)), h, w, oh, ow };
}

function planesOf(step: PoolStep, parts: number) {
  const { planes, ...sizes } = extents(step);
  return { ...sizes, slices: ranges(planes, parts, 1) };
}

/** Multiply-adds of a pool whose window is `kernel`: no window reaches further than its input. */
function poolCost(x: Operand, output: Operand, { dims, kernel }: Pick<Pool, 'dims' | 'kernel'>): number {
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
    requireFloat(x!, dims === 1 ? 'max_pool1d_impl' : 'max_pool2d');
    return { shape, dtype: 'float32' };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  parts: (step, wanted) => partsOf(extents(step).planes, wanted, 1),
  bind(step, parts) {
    const { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], dilation: [dh, dw] } = step.attributes; // prettier-ignore
    const { h, w, oh, ow, slices } = planesOf(step, parts);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const x = inputs[0]! + BYTES * from * h * w;
      const y = output + BYTES * from * oh * ow;
      kernels.max_pool(x, y, count, h, w, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw);
    };
  },
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
    requireFloat(x!, 'avg_pool2d');
    return { shape, dtype: 'float32' };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  parts: (step, wanted) => partsOf(extents(step).planes, wanted, 1),
  bind(step, parts) {
    const { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw] } = step.attributes; // prettier-ignore
    const include = step.attributes.countIncludePad ? 1 : 0;
    const divisor = step.attributes.divisor ?? 0;
    const { h, w, oh, ow, slices } = planesOf(step, parts);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const x = inputs[0]! + BYTES * from * h * w;
      const y = output + BYTES * from * oh * ow;
      kernels.avg_pool(x, y, count, h, w, oh, ow, kh, kw, sh, sw, ph, pw, include, divisor);
    };
  },
  cost: ([x], output, attributes) => poolCost(x!, output, attributes),
};

export const adaptiveAvgPool: Op<'adaptive_avg_pool'> = {
  shape([x], { dims, output }) {
    const rank = x!.shape.length;
    if (rank < dims + (dims === 1 ? 1 : 0) || rank > dims + 2) {
      const wanted = dims === 1 ? '2 to 3' : '2 to 4';
      throw new ShapeError(
        `Expected ${wanted} dimensions, but got ${rank}-dimensional tensor for argument #1 'self' (while checking arguments for adaptive_avg_pool${dims}d)`,
      );
    }
    requireFloat(x!, 'adaptive_avg_pool');
    const from = plane(x!.shape, dims);
    return {
      shape: withPlane(x!.shape, dims, [output[0] ?? from[0], output[1] ?? from[1]]),
      dtype: 'float32',
    };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  parts: (step, wanted) => partsOf(extents(step).planes, wanted, 1),
  bind(step, parts) {
    const { h, w, oh, ow, slices } = planesOf(step, parts);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const x = inputs[0]! + BYTES * from * h * w;
      const y = output + BYTES * from * oh * ow;
      kernels.adaptive_avg_pool(x, y, count, h, w, oh, ow);
    };
  },
  cost: ([x], output, { dims }) => {
    const [from, to] = [plane(x!.shape, dims), plane(output.shape, dims)];
    // A window begins and ends at parts of an element: one more than the quotient at most.
    const kernel = from.map((extent, i) => Math.ceil(extent / Math.max(to[i]!, 1)) + 1) as unknown as Pair;
    return numel(x!.shape) + numel(output.shape) * kernel[0] * kernel[1];
  },
};
