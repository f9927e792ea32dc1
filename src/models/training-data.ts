// What a job trains on: tensors of a request, written into memory once and held by the job.

import { ALIGNMENT } from '../runtime/allocator.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import type { RowSource } from '../runtime/training.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { writeTensor } from '../tensor/json.js';
import { byteLength, numel, type Shape } from '../tensor/shape.js';
import type { Given } from './given.js';

/** Rows that stand one after another: inputs, or targets. */
export interface Rows {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly region: Region;
}

/** Writes a client's tensor into a region of its own. Throws TensorError or QuotaError. */
export function placeRows(
  memory: SharedMemory,
  segment: number,
  { value, path }: Given,
  { shape, dtype }: { shape: Shape; dtype: DType },
): Rows {
  const region = memory.allocate(byteLength(shape, dtype), segment);
  try {
    writeTensor(value, memory.tensor(region, shape, dtype).data, path);
  } catch (error) {
    memory.release(region);
    throw error;
  }
  return { shape, dtype, region };
}

/** How rows come to where a plan reads them. */
export function sourceOf({ shape, dtype, region }: Rows, to: number): RowSource {
  return { from: region.address, to, rowBytes: numel(shape.slice(1)) * DTYPES[dtype].bytes };
}

export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
