// A tensor's values in shared memory, held by whoever has it: right, and never written to, until it is released.

import type { DType } from '../tensor/dtype.js';
import { byteLength, type Shape } from '../tensor/shape.js';
import { TensorValue } from '../tensor/tensor-value.js';
import type { Region, SharedMemory } from './memory.js';

/** Smaller values are copied: that costs less than to see to their release. */
const LEAST_HELD_BYTES = 16_384;

export class HeldTensor extends TensorValue {
  readonly segment: number;
  /** In bytes, from the segment's start. */
  readonly address: number;
  private readonly memory: SharedMemory;
  private readonly region: Region;
  private held = true;

  /** Takes over one hold on the region; the tensor begins `offset` bytes into it. */
  constructor(
    memory: SharedMemory,
    region: Region,
    { shape, dtype, offset = 0 }: { shape: Shape; dtype: DType; offset?: number },
  ) {
    super(dtype, shape, memory.view(region.segment, region.address + offset, shape, dtype).data);
    this.memory = memory;
    this.region = region;
    this.segment = region.segment;
    this.address = region.address + offset;
  }

  /** Once is enough; again does nothing. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.memory.release(this.region);
  }
}

/** The values of a region that the caller holds and will let go: held once more where they are many, else a copy. */
export function heldOrCopied(
  memory: SharedMemory,
  region: Region,
  tensor: { shape: Shape; dtype: DType; offset?: number },
): TensorValue {
  const { shape, dtype, offset = 0 } = tensor;
  if (byteLength(shape, dtype) >= LEAST_HELD_BYTES)
    return new HeldTensor(memory, memory.retain(region), tensor);
  return new TensorValue(
    dtype,
    shape,
    memory.view(region.segment, region.address + offset, shape, dtype).data.slice(),
  );
}
