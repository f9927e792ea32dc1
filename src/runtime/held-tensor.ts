// A tensor's values in shared memory, held by whoever has it: right, and never written to, until it is released.

import { byteLength } from '../tensor/shape.js';
import { TensorValue } from '../tensor/tensor-value.js';
import type { Region, SharedMemory } from './memory.js';
import type { Placed } from './protocol.js';

/** Smaller values are copied: that costs less than to see to their release. */
const LEAST_HELD_BYTES = 16_384;

export class HeldTensor extends TensorValue {
  readonly segment: number;
  /** In bytes, from the segment's start. */
  readonly address: number;
  private readonly memory: SharedMemory;
  private readonly region: Region;
  private held = true;

  /** Takes over one hold on the region in which the tensor stands. */
  constructor(memory: SharedMemory, region: Region, { address, shape, dtype }: Placed) {
    super(dtype, shape, memory.view(region.segment, address, shape, dtype).data);
    this.memory = memory;
    this.region = region;
    this.segment = region.segment;
    this.address = address;
  }

  /** What is not free as long as it is held. */
  get heldBytes(): number {
    return this.region.bytes;
  }

  /** Once is enough; again does nothing. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    this.memory.release(this.region);
  }
}

/**
 * Values in the segment of a region that the caller holds and lets go. Where they are many, the region is held once more;
 * values outside of it are copied, as are few.
 */
export function heldOrCopied(memory: SharedMemory, region: Region, placed: Placed): TensorValue {
  const { address, shape, dtype } = placed;
  const bytes = byteLength(shape, dtype);
  const inside = address >= region.address && address + bytes <= region.address + region.bytes;
  if (inside && bytes >= LEAST_HELD_BYTES) return new HeldTensor(memory, memory.retain(region), placed);
  return new TensorValue(dtype, shape, memory.view(region.segment, address, shape, dtype).data.slice());
}

/**
 * The tensors of an answer's body: its own, those of an object in it, and of the objects of a list in it. Whoever sends it
 * lets go of the held ones.
 */
export function tensorsIn(body: Readonly<Record<string, unknown>>): TensorValue[] {
  return Object.values(body).flatMap((value) => {
    if (value instanceof TensorValue) return [value];
    const inside: unknown[] = Array.isArray(value) ? value : [value];
    return inside.flatMap((entry) =>
      typeof entry === 'object' && entry !== null
        ? Object.values(entry).filter((field) => field instanceof TensorValue)
        : [],
    );
  });
}
