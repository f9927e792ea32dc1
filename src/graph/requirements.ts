// What ops ask of their inputs, and PyTorch's words when they do not get it.

import type { DType } from '../tensor/dtype.js';
import { DTypeError, ShapeError, type Operand } from './op.js';

/** PyTorch's names of dtypes in error messages. */
export const SCALAR_TYPES: Record<DType, string> = {
  float32: 'Float',
  int64: 'Long',
  int32: 'Int',
  bool: 'Bool',
};

/** Resolves a possibly negative dimension of a tensor of `rank` dimensions (a scalar counts as one). */
export function dimension(dim: number, rank: number): number {
  const extent = Math.max(rank, 1);
  if (dim < -extent || dim >= extent) {
    throw new ShapeError(
      `Dimension out of range (expected to be in range of [${-extent}, ${extent - 1}], but got ${dim})`,
    );
  }
  return dim < 0 ? dim + extent : dim;
}

export function requireFloat(x: Operand, kernel: string): void {
  if (x.dtype !== 'float32')
    throw new DTypeError(`"${kernel}" not implemented for '${SCALAR_TYPES[x.dtype]}'`);
}

export function list(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
