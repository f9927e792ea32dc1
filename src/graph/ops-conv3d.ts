// Convolutions over three dimensions: the depth's part of the kernel is more channels of a convolution over two. So an
// output is one chain over (channel, depth, row, column).

import { numel, type Shape } from '../tensor/shape.js';
import { reshape } from './broadcasting.js';
import { DTypeError, ShapeError, type Op } from './op.js';
import { partsOf, ranges } from './parts.js';
import { list } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;

/** x[n, c, d, h, w] → [n · od, c · kd, h, w]: the planes that each output depth meets. */
export const frames: Op<'frames'> = {
  shape([x], { outputs, kernel }) {
    const [n, c, , h, w] = x!.shape as [number, number, number, number, number];
    return { shape: [n * outputs, c * kernel, h, w], dtype: 'float32' };
  },
  rowwise: () => false,
  parts: ({ inputs: [x] }, wanted) => partsOf(x!.shape[0]!, wanted, 1),
  bind({ inputs: [x], attributes: { outputs, kernel, stride, padding, dilation } }, parts) {
    const [n, c, d, h, w] = x!.shape as [number, number, number, number, number];
    const slices = ranges(n, parts, 1);
    const plane = h * w;
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const at = inputs[0]! + BYTES * from * c * d * plane;
      const y = output + BYTES * from * outputs * c * kernel * plane;
      kernels.frames(at, y, count, c, d, plane, outputs, kernel, stride, padding, dilation);
    };
  },
  gradient: ({ inputs: [x], attributes, gradient }, apply) => [
    apply('frames_gradient', [gradient], { ...attributes, depth: x!.shape[2]! }),
  ],
  cost: (_inputs, output) => numel(output.shape),
};

/** Back to [n, c, d, h, w]: what of the gradient came of each plane. */
export const framesGradient: Op<'frames_gradient'> = {
  shape([gradient], { outputs, kernel, depth }) {
    const [images, planes, h, w] = gradient!.shape as [number, number, number, number];
    return { shape: [images / outputs, planes / kernel, depth, h, w], dtype: 'float32' };
  },
  rowwise: () => false,
  parts: ({ output }, wanted) => partsOf(output.shape[0]!, wanted, 1),
  bind({ output: { shape }, attributes: { outputs, kernel, stride, padding, dilation } }, parts) {
    const [n, c, d, h, w] = shape as [number, number, number, number, number];
    const slices = ranges(n, parts, 1);
    const plane = h * w;
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const dy = inputs[0]! + BYTES * from * outputs * c * kernel * plane;
      const dx = output + BYTES * from * c * d * plane;
      kernels.frames_gradient(dy, dx, count, c, d, plane, outputs, kernel, stride, padding, dilation);
    };
  },
  cost: ([gradient]) => numel(gradient!.shape),
};

type Triple = readonly [number, number, number];

export interface Conv3d {
  readonly stride: Triple;
  readonly padding: Triple | 'same';
  readonly dilation: Triple;
  readonly groups: number;
}

/** torch.nn.functional.conv3d: x[n, ci, d, h, w] or [ci, d, h, w]. Throws ShapeError. */
export function conv3d(
  apply: Apply,
  given: Value,
  { weight, bias }: { weight: Value; bias: Value | null },
  { stride, padding, dilation, groups }: Conv3d,
): Value {
  check(given.shape, weight.shape, groups);
  const batched = given.shape.length === 5;
  const x = batched ? given : reshape(apply, given, [1, ...given.shape]);
  const [n, ci, ...extents] = x.shape as readonly [number, number, number, number, number];
  const [co, , ...kernel] = weight.shape as readonly [number, number, number, number, number];
  const reach = kernel.map((extent, i) => dilation[i]! * (extent - 1));
  const before = padding === 'same' ? reach.map((r) => Math.floor(r / 2)) : [...padding];
  const around = padding === 'same' ? reach : padding.map((zeros) => 2 * zeros);
  const whole = extents.map((extent, i) => extent + around[i]!);
  if (whole.some((extent, i) => extent < reach[i]! + 1)) {
    throw new ShapeError(
      `Calculated padded input size per channel: (${whole.join(' x ')}). ` +
        `Kernel size: (${reach.map((r) => r + 1).join(' x ')}). Kernel size can't be greater than actual input size`,
    );
  }
  if (x.dtype !== 'float32')
    throw new DTypeError('Input type (long int) and bias type (float) should be the same');
  const outputs = Math.floor((whole[0]! - reach[0]! - 1) / stride[0]) + 1;
  const along = { outputs, kernel: kernel[0], stride: stride[0], padding: before[0]!, dilation: dilation[0] };
  const planes = apply('frames', [x], along);
  const flat = reshape(apply, weight, [co, (ci / groups) * kernel[0], kernel[1], kernel[2]]);
  const y = apply('conv', [planes, flat, bias], {
    dims: 2,
    stride: [stride[1], stride[2]],
    padding: padding === 'same' ? 'same' : [padding[1], padding[2]],
    dilation: [dilation[1], dilation[2]],
    groups,
  });
  const [, , oh, ow] = y.shape as readonly [number, number, number, number];
  const byDepth = reshape(apply, y, [n, outputs, co, oh * ow]);
  const byChannel = apply('permute', [byDepth], { dims: [0, 2, 1, 3] });
  return reshape(apply, byChannel, [...(batched ? [n] : []), co, outputs, oh, ow]);
}

function check(shape: Shape, weight: Shape, groups: number): void {
  if (shape.length !== 4 && shape.length !== 5) {
    throw new ShapeError(
      `Expected 4D (unbatched) or 5D (batched) input to conv3d, but got input of size: ${list(shape)}`,
    );
  }
  const [channels, expected] = [shape.at(-4)!, weight[1]! * groups];
  if (channels !== expected) {
    throw new ShapeError(
      `Given groups=${groups}, weight of size ${list(weight)}, expected input` +
        `${list(shape.length === 4 ? [1, ...shape] : shape)} to have ${expected} channels, ` +
        `but got ${channels} channels instead`,
    );
  }
}
