// Shapes and their sizes, with checked arithmetic: nothing here allocates, and no product can overflow unseen.

import { DTYPES, type DType } from './dtype.js';
import { FaultList, shown } from './fault.js';

/** Extents from the outermost to the innermost dimension; `[]` is a scalar. Row-major, contiguous. */
export type Shape = readonly number[];

/** PyTorch's own iterators stop at 64 dimensions (ATen, TensorIterator). */
export const MAX_RANK = 64;

/** A shape without elements costs its client nothing: without a bound, loops over its other extents would not end. */
const MAX_EMPTY = 2 ** 24;

/** More elements or bytes than any memory has. */
export class SizeError extends RangeError {}

/** The number of elements of a shape; throws SizeError where it passes 2^53 - 1. */
export function numel(shape: Shape): number {
  let n = 1;
  for (const extent of shape) {
    n *= extent;
    if (!Number.isSafeInteger(n)) throw new SizeError(`${listed(shape)} has too many elements`);
  }
  return n;
}

/** The bytes that a contiguous tensor takes; throws SizeError as `numel` does. */
export function byteLength(shape: Shape, dtype: DType): number {
  const bytes = numel(shape) * DTYPES[dtype].bytes;
  if (!Number.isSafeInteger(bytes)) throw new SizeError(`${listed(shape)} has too many bytes`);
  return bytes;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** As PyTorch's messages print a shape: `[2, 3]`. */
export function listed(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Elements from one index to the next in each dimension of a contiguous tensor. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** A client's shape, as a copy. Throws TensorError naming every extent that cannot be one. */
export function checkShape(value: unknown, path = 'shape'): Shape {
  const faults = new FaultList();
  const shape = collectShape(value, path, faults);
  faults.throwIfAny(path);
  return shape!;
}

/** As `checkShape`, into a list of faults; undefined where it added any. */
export function collectShape(value: unknown, path: string, faults: FaultList): Shape | undefined {
  const fault = (at: string, message: string): undefined =>
    faults.add(() => ({ path: at, message })) as undefined;
  if (!Array.isArray(value)) return fault(path, `must be a list of whole numbers, not ${shown(value)}`);
  if (value.length > MAX_RANK) return fault(path, `has ${value.length} dimensions; ${MAX_RANK} is the most`);
  const shape = Array.from(value as readonly unknown[]);
  const whole = (extent: unknown): extent is number =>
    Number.isSafeInteger(extent) && (extent as number) >= 0;
  if (!shape.every(whole)) {
    for (const [i, extent] of shape.entries()) {
      if (!whole(extent)) fault(`${path}[${i}]`, `must be a nonnegative whole number, not ${shown(extent)}`);
    }
    return undefined;
  }
  try {
    numel(shape);
  } catch (error) {
    return fault(path, (error as RangeError).message);
  }
  if (shape.reduce((product, extent) => product * (extent || 1), 1) > MAX_EMPTY && shape.includes(0)) {
    return fault(path, `${listed(shape)} is too large for a tensor without elements`);
  }
  return shape.map((extent) => extent + 0); // -0 becomes 0
}
