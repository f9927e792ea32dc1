// The inits that draw nothing: constants, the identity, and Dirac's delta for convolutions.

import { MAX_FLOAT32 } from '../../random/distributions.js';
import { numel } from '../../tensor/shape.js';
import type { Rows } from './row.js';

/** A finite number that would become infinite; infinities themselves are floats. */
export function overflowsFloat(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) > MAX_FLOAT32;
}

export const CONSTANTS: Pick<Rows, 'constant' | 'ones' | 'zeros' | 'eye' | 'dirac'> = {
  constant: {
    fault: ({ val }) =>
      overflowsFloat(val) ? 'value cannot be converted to type float without overflow' : undefined,
    fill: ({ data }, { val }) => data.fill(val),
  },
  ones: { fill: ({ data }) => data.fill(1) },
  zeros: { fill: ({ data }) => data.fill(0) },
  eye: {
    fault: (_, { length }) => (length === 2 ? undefined : 'Only tensors with 2 dimensions are supported'),
    fill({ data, shape: [rows = 0, cols = 0] }) {
      data.fill(0);
      for (let i = 0; i < Math.min(rows, cols); i++) data[i * cols + i] = 1;
    },
  },
  dirac: {
    fault({ groups }, shape) {
      const [out = 0, into = 0, ...kernel] = shape;
      if (shape.length < 3 || shape.length > 5)
        return 'Only tensors with 3, 4, or 5 dimensions are supported';
      if (out % groups !== 0) return 'dim 0 must be divisible by groups';
      const empty = kernel.indexOf(0);
      if (empty < 0 || out === 0 || into === 0) return undefined;
      return `index 0 is out of bounds for dimension ${empty + 2} with size 0`;
    },
    // In each group, output channel d passes input channel d on: 1 in the middle of its kernel.
    fill({ data, shape: [out = 0, into = 0, ...kernel] }, { groups }) {
      data.fill(0);
      const size = numel(kernel);
      const middle = kernel.reduce((index, extent) => index * extent + Math.floor(extent / 2), 0);
      const perGroup = out / groups;
      for (let channel = 0; channel < out; channel++) {
        const d = channel % perGroup;
        if (d < into) data[(channel * into + d) * size + middle] = 1;
      }
    },
  },
};
