// What a job trains on: tensors of a request, written into memory once and held by the job, or columns of a data set, which
// are read where they are if they can be.

import { Selected } from '../datasets/select.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import type { GatherOrder } from '../runtime/gather.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import type { RowSource } from '../runtime/training.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { writeTensor } from '../tensor/json.js';
import { byteLength, numel, type Shape } from '../tensor/shape.js';
import type { Given } from './given.js';
import { planned } from './passes.js';
import type { PlannedInput } from './plans.js';

/** Rows that stand one after another: inputs, or targets. */
export interface Rows {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly address: number;
}

/** A column becomes what the loss or the module takes, where it has a place for its values. */
export function outlineOf(given: Given): PlannedInput {
  const { value } = given;
  return value instanceof Selected
    ? { shape: value.shape, dtype: undefined, integral: true }
    : planned(given);
}

/** Where a job's rows are, and what is yet to be done for them to be there. */
export class Placement {
  /** To be called before the rows are read. */
  readonly gathers: GatherOrder[] = [];
  private readonly memory: SharedMemory;
  private readonly segment: number;
  private readonly regions: Region[] = [];

  constructor(memory: SharedMemory, segment: number) {
    this.memory = memory;
    this.segment = segment;
  }

  /** Throws TensorError or QuotaError. */
  place({ value, path }: Given, { shape, dtype }: { shape: Shape; dtype: DType }): Rows {
    const own = value instanceof Selected ? value.columns : undefined;
    if (own?.length === 1 && own[0]!.dtype === dtype && own[0]!.segment === this.segment) {
      return { shape, dtype, address: own[0]!.address };
    }
    const region = this.memory.allocate(byteLength(shape, dtype), this.segment);
    this.regions.push(region);
    const { address, segment } = region;
    if (own) this.gathers.push({ columns: own, target: { segment, address, dtype } });
    else writeTensor(value, this.memory.tensor(region, shape, dtype).data, path);
    return { shape, dtype, address };
  }

  release(): void {
    for (const region of this.regions.splice(0)) this.memory.release(region);
  }
}

/** How rows come to where a plan reads them. */
export function sourceOf({ shape, dtype, address }: Rows, to: number): RowSource {
  return { from: address, to, rowBytes: numel(shape.slice(1)) * DTYPES[dtype].bytes };
}

export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
