// Pools with as many windows as the output has elements.

import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Op, type OpAttributes, type Operand, type Pair } from './op.js';
import { extents, planesOf } from './ops-pool.js';
import { partsOf } from './parts.js';
import { list, requireFloat } from './requirements.js';
import { plane, withPlane, type Dims } from './spatial.js';

const BYTES = 4;

/** The checks of adaptive_avg_pool1d and 2d, in the order that ATen has them. */
function checkAdaptiveAvg({ shape }: Operand, dims: Dims, output: Output): void {
  if (dims === 1 && shape.length !== 2 && shape.length !== 3) throw adaptiveRank('avg', shape);
  // torch.nn.functional looks for the extents that stay.
  if (dims === 2 && output.includes(null) && shape.length < 3) {
    throw new ShapeError('Input dimension should be at least 3');
  }
  if (dims === 2 && shape.length !== 3 && shape.length !== 4) {
    throw new ShapeError(`adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got ${list(shape)}`);
  }
  const images = dims === 1 ? [...shape.slice(0, -1), 1, shape.at(-1)!] : shape;
  checkNonEmpty('adaptive_avg_pool2d', images, images.length - 2);
}

function checkAdaptiveMax({ shape }: Operand, dims: Dims, output: Output): void {
  if (dims === 1 && shape.length !== 2 && shape.length !== 3) throw adaptiveRank('max', shape);
  if (dims === 2 && output.includes(null) && shape.length < 3) {
    throw new ShapeError('Input dimension should be at least 3');
  }
  if (dims === 2 && shape.length !== 3 && shape.length !== 4) {
    throw new ShapeError(`adaptive_max_pool2d(): Expected 3D or 4D tensor, but got: ${list(shape)}`);
  }
  checkNonEmpty(`adaptive_max_pool${dims}d`, shape, shape.length - dims - 1);
}

function adaptiveRank(kind: 'avg' | 'max', shape: Shape): ShapeError {
  return new ShapeError(
    `Expected 2 to 3 dimensions, but got ${shape.length}-dimensional tensor for argument #1 'self' ` +
      `(while checking arguments for adaptive_${kind}_pool1d)`,
  );
}

/** None of the dimensions from `first` on may be empty. */
function checkNonEmpty(name: string, shape: Shape, first: number): void {
  const empty = shape.findIndex((extent, i) => i >= first && extent === 0);
  if (empty < 0) return;
  throw new ShapeError(
    `${name}(): Expected input to have non-zero size for non-batch dimensions, ` +
      `but input has sizes ${list(shape)} with dimension ${empty} being empty`,
  );
}

type Output = OpAttributes['adaptive_avg_pool']['output'];

function adaptive<N extends 'adaptive_avg_pool' | 'adaptive_max_pool'>(
  name: N,
  check: (x: Operand, dims: Dims, output: Output) => void,
): Op<N> {
  return {
    shape([x], { dims, output }) {
      check(x!, dims, output);
      if (output.some((extent) => extent !== null && extent < 0)) {
        throw new ShapeError(
          `${name}2d: elements of output_size must be greater than or equal to 0 but received {${output.join(', ')}}`,
        );
      }
      requireFloat(x!, name === 'adaptive_max_pool' ? 'adaptive_max_pool2d' : 'adaptive_avg_pool2d');
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
        kernels[name](x, y, count, h, w, oh, ow);
      };
    },
    gradient: ({ inputs: [x], attributes: { dims }, gradient }, apply) => [
      apply(`${name}_gradient`, [x!, gradient], { dims }),
    ],
    cost: ([x], output, { dims }) => adaptiveCost(x!, output, dims),
  };
}

export const adaptiveAvgPool = adaptive('adaptive_avg_pool', checkAdaptiveAvg);
export const adaptiveMaxPool = adaptive('adaptive_max_pool', checkAdaptiveMax);

export function adaptiveCost(x: Operand, output: Operand, dims: Dims): number {
  const [from, to] = [plane(x.shape, dims), plane(output.shape, dims)];
  // A window begins and ends at parts of an element: one more than the quotient at most.
  const kernel = from.map((extent, i) => Math.ceil(extent / Math.max(to[i]!, 1)) + 1) as unknown as Pair;
  return numel(x.shape) + numel(output.shape) * kernel[0] * kernel[1];
}
