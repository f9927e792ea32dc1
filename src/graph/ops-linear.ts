// The matrix product and the look-up in a table of rows.

import { numel } from '../tensor/shape.js';
import { DTypeError, ShapeError, ValueError, type Op } from './op.js';
import { SCALAR_TYPES } from './requirements.js';

export const linear: Op<'linear'> = {
  shape([x, weight]) {
    if (x!.shape.length === 0) {
      throw new ShapeError('both arguments to linear need to be at least 1D, but they are 0D and 2D');
    }
    if (x!.dtype !== 'float32') {
      throw new DTypeError(
        `mat1 and mat2 must have the same dtype, but got ${SCALAR_TYPES[x!.dtype]} and Float`,
      );
    }
    const [out, features] = weight!.shape as [number, number];
    const rows = x!.shape.slice(0, -1);
    if (x!.shape.at(-1) !== features) {
      throw new ShapeError(
        `mat1 and mat2 shapes cannot be multiplied (${numel(rows)}x${x!.shape.at(-1)} and ${features}x${out})`,
      );
    }
    return { shape: [...rows, out], dtype: 'float32' };
  },
  scratch: ([, weight], kernels) => kernels.linear_scratch(weight!.shape[1]!),
  run(kernels, step, { inputs, output, scratch }) {
    const [out, features] = step.inputs[1]!.shape as [number, number];
    const rows = numel(step.output.shape.slice(0, -1));
    kernels.linear(inputs[0]!, inputs[1]!, inputs[2]!, output, rows, out, features, scratch);
  },
  cost: ([, weight], output) => numel(output.shape) * (2 * weight!.shape[1]! + 1),
};

export const embedding: Op<'embedding'> = {
  shape([indices, weight]) {
    if (indices!.dtype !== 'int64') {
      const type = indices!.dtype === 'bool' ? 'CPUBoolType' : `torch.${SCALAR_TYPES[indices!.dtype]}Tensor`;
      throw new DTypeError(
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; " +
          `but got ${type} instead (while checking arguments for embedding)`,
      );
    }
    return { shape: [...indices!.shape, weight!.shape[1]!], dtype: 'float32' };
  },
  run(kernels, step, { inputs, output }) {
    const [rows, d] = step.inputs[1]!.shape as [number, number];
    const wrong = kernels.embedding(inputs[0]!, inputs[1]!, output, numel(step.inputs[0]!.shape), rows, d);
    if (wrong >= 0)
      throw new ValueError(
        `index out of range in self (index number ${wrong} of the input; valid: 0 to ${rows - 1})`,
      );
  },
  cost: ([indices], output) => numel(indices!.shape) + numel(output.shape),
};
