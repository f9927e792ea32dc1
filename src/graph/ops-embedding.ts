// Look-ups in a table of rows, one at a time or a bag of them, and the gradients of the table.

import { numel } from '../tensor/shape.js';
import { DTypeError, ShapeError, ValueError, type Op, type OpAttributes, type Operand } from './op.js';
import { partsOf, ranges } from './parts.js';
import { SCALAR_TYPES } from './requirements.js';
import type { Value } from './tracer.js';

/** A part of a gradient has columns of its own, and begins where a cache line does. */
const LANES = 16;
const NONE = -1;

function requireIndices(indices: Operand, argument: string): void {
  if (indices.dtype === 'int64') return;
  const type = indices.dtype === 'bool' ? 'CPUBoolType' : `torch.${SCALAR_TYPES[indices.dtype]}Tensor`;
  throw new DTypeError(
    `Expected tensor for argument ${argument} to have one of the following scalar types: Long, Int; ` +
      `but got ${type} instead (while checking arguments for embedding)`,
  );
}

function outOfRange(number: number, rows: number): ValueError {
  return new ValueError(
    `index out of range in self (index number ${number} of the input; valid: 0 to ${rows - 1})`,
  );
}

export const embedding: Op<'embedding'> = {
  shape([indices, weight]) {
    requireIndices(indices!, "#1 'indices'");
    return { shape: [...indices!.shape, weight!.shape[1]!], dtype: 'float32' };
  },
  rowwise: ([indices]) => indices!.shape.length > 0,
  bind(step) {
    const [rows, d] = step.inputs[1]!.shape as [number, number];
    const count = numel(step.inputs[0]!.shape);
    return (kernels, { inputs, output }) => {
      const wrong = kernels.embedding(inputs[0]!, inputs[1]!, output, count, rows, d);
      if (wrong >= 0) throw outOfRange(wrong, rows);
    };
  },
  gradient({ inputs: [indices, weight], attributes, gradient }, apply) {
    const [rows] = weight!.shape as [number, number];
    return [null, apply('embedding_gradient', [indices!, gradient], { ...attributes, rows })];
  },
  cost: ([indices], output) => numel(indices!.shape) + numel(output.shape),
};

export const embeddingGradient: Op<'embedding_gradient'> = {
  shape: ([, gradient], { rows }) => ({ shape: [rows, gradient!.shape.at(-1)!], dtype: 'float32' }),
  rowwise: () => false,
  scratch: ({ attributes }) => countBytes(attributes),
  parts: ({ output }, wanted) => partsOf(output.shape[1]!, wanted, LANES),
  bind({ inputs: [indices], output: { shape }, attributes: { padding = NONE, byFrequency } }, parts) {
    const [rows, d] = shape as [number, number];
    const n = numel(indices!.shape);
    const slices = ranges(d, parts, LANES);
    return (kernels, { inputs: [index, dy], output, scratch }, part) => {
      const { from, count } = slices[part]!;
      const counts = byFrequency ? scratch : 0;
      kernels.embedding_gradient(index!, dy!, output, n, rows, d, from, count, padding, counts);
    };
  },
  cost: ([, gradient], output) => numel(output.shape) + 2 * numel(gradient!.shape),
};

/** How often each row is asked for, where that is wanted. */
function countBytes({ byFrequency, rows }: { byFrequency?: boolean; rows: number }): number {
  return byFrequency ? 4 * rows : 0;
}

const MODES = ['sum', 'mean', 'max'] as const;
export type BagMode = (typeof MODES)[number];

export const embeddingBag: Op<'embedding_bag'> = {
  shape([indices, weight, offsets], { ends }) {
    requireIndices(indices!, "#1 'indices'");
    const [, d] = weight!.shape as [number, number];
    const rank = indices!.shape.length;
    if (rank !== 1 && rank !== 2)
      throw new ShapeError(`input has to be 1D or 2D Tensor, but got Tensor of dimension ${rank}`);
    if (rank === 2) {
      if (offsets) {
        throw new ShapeError(
          'if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences',
        );
      }
      return { shape: [indices!.shape[0]!, d], dtype: 'float32' };
    }
    if (!offsets) throw new ShapeError('offsets has to be a 1D Tensor but got None');
    requireIndices(offsets, "#2 'offsets'");
    if (offsets.shape.length !== 1) throw new ShapeError('offsets has to be a 1D Tensor');
    const bags = offsets.shape[0]! - Number(ends);
    if (bags < 0) throw new ShapeError('include_last_offset: number of offset should be at least 1');
    return { shape: [bags, d], dtype: 'float32' };
  },
  rowwise: ([indices, , offsets]) => indices!.shape.length === 2 && !offsets,
  bind(step) {
    const { inputs, attributes } = step;
    const [rows, d] = inputs[1]!.shape as [number, number];
    const { n, bags, ends, mode, padding } = bagCall(inputs, step.output.shape[0]!, attributes);
    return (kernels, { inputs: [index, weight, offsets], output }) => {
      const wrong = kernels.embedding_bag(
        index!,
        weight!,
        offsets!,
        output,
        n,
        bags,
        ends,
        rows,
        d,
        mode,
        padding,
      );
      if (wrong >= 0) throw outOfRange(wrong, rows);
      if (wrong < NONE) {
        throw new ValueError(
          `offsets have to begin with 0 and rise to at most the input's length (${n}): number ${-2 - wrong} does not`,
        );
      }
    };
  },
  gradient({ inputs: [indices, weight, offsets], attributes, gradient }, apply) {
    const operands: (Value | null)[] = [indices!, weight!, offsets!, gradient];
    return [null, apply('embedding_bag_gradient', operands, attributes), null];
  },
  cost: ([indices, weight], output) => numel(output.shape) + 2 * numel(indices!.shape) * weight!.shape[1]!,
};

export const embeddingBagGradient: Op<'embedding_bag_gradient'> = {
  shape: ([, weight]) => ({ shape: weight!.shape, dtype: 'float32' }),
  rowwise: () => false,
  scratch: ({ output, attributes: { byFrequency = false } }) =>
    countBytes({ byFrequency, rows: output.shape[0]! }),
  parts: ({ output }, wanted) => partsOf(output.shape[1]!, wanted, LANES),
  bind({ inputs, output: { shape }, attributes }, parts) {
    const [rows, d] = shape as [number, number];
    const { n, bags, ends, mode, padding } = bagCall(inputs, inputs[3]!.shape[0]!, attributes);
    const slices = ranges(d, parts, LANES);
    return (kernels, { inputs: [index, weight, offsets, dy], output, scratch }, part) => {
      const { from, count } = slices[part]!;
      const counts = attributes.byFrequency ? scratch : 0;
      // prettier-ignore
      kernels.embedding_bag_gradient(
        index!, weight!, offsets!, dy!, output, n, bags, ends, rows, d, mode, padding, from, count, counts,
      );
    };
  },
  cost: ([indices, weight], output) => numel(output.shape) + 2 * numel(indices!.shape) * weight!.shape[1]!,
};

function bagCall(
  [indices]: readonly (Operand | null)[],
  bags: number,
  { mode, ends, padding = NONE }: OpAttributes['embedding_bag'],
) {
  return { n: numel(indices!.shape), bags, ends: Number(ends), mode: MODES.indexOf(mode), padding };
}
