// Shapes and their sizes, with checked arithmetic: nothing here allocates, and no product can overflow unseen.

import { DTYPES, type DType } from './dtype.js';

/** Extents from the outermost to the innermost dimension; `[]` is a scalar. Row-major, contiguous. */
export type Shape = readonly number[];

/** The number of elements of a shape; throws RangeError where it passes 2^53 - 1. */
export function numel(shape: Shape): number {
  let n = 1;
  for (const extent of shape) {
    n *= extent;
    if (!Number.isSafeInteger(n)) throw new RangeError(`[${shape.join(', ')}] has too many elements`);
  }
  return n;
}

/** The bytes that a contiguous tensor takes; throws RangeError as `numel` does. */
export function byteLength(shape: Shape, dtype: DType): number {
  const bytes = numel(shape) * DTYPES[dtype].bytes;
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`[${shape.join(', ')}] has too many bytes`);
  return bytes;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}
