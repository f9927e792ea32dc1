// Classes as rows of one 1 and zeros.

import { numel } from '../tensor/shape.js';
import { DTypeError, ValueError, type Op } from './op.js';
import { SCALAR_TYPES } from './requirements.js';

export const oneHot: Op<'one_hot'> = {
  shape([indices], { classes }) {
    if (indices!.dtype !== 'int64')
      throw new DTypeError(`expected scalar type Long but found ${SCALAR_TYPES[indices!.dtype]}`);
    return { shape: [...indices!.shape, classes], dtype: 'float32' };
  },
  rowwise: ([indices]) => indices!.shape.length > 0,
  bind({ inputs: [indices], attributes: { classes } }) {
    const n = numel(indices!.shape);
    return (kernels, { inputs, output }) => {
      const wrong = kernels.one_hot(inputs[0]!, output, n, classes);
      if (wrong >= 0) throw new ValueError(`target number ${wrong} is out of bounds (0 to ${classes - 1})`);
    };
  },
  cost: (_inputs, output) => numel(output.shape),
};
