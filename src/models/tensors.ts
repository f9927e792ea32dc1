// The numbers of a model: where each storage stands in memory, and what is known of it besides its values.

import type { Parameter } from '../nn/module.js';
import { heldOrCopied } from '../runtime/held-tensor.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import type { Placed } from '../runtime/protocol.js';
import { DTYPES } from '../tensor/dtype.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { View } from '../tensor/view.js';
import { ownerOf, type Companion, type Storage } from './companion.js';

export interface Cell {
  readonly region: Region;
  readonly requiresGrad: boolean;
  /** The revision that last changed the values. */
  readonly lastChanged: number;
}

/** Elements that stand one after another. */
type Stretch = Pick<View, 'shape' | 'offset'>;

/** The invariant: a region that stands here is never written to. A change puts another one in its place. */
export class Tensors {
  private readonly cells = new Map<Storage, Cell>();
  private readonly memory: SharedMemory;

  constructor(memory: SharedMemory) {
    this.memory = memory;
  }

  find(storage: Storage): Cell | undefined {
    return this.cells.get(storage);
  }

  get(storage: Storage): Cell {
    const cell = this.cells.get(storage);
    if (!cell) throw new Error('a storage without values');
    return cell;
  }

  /** Takes over the cell's hold on its region, and lets go of the one before. */
  set(storage: Storage, cell: Cell): void {
    const before = this.cells.get(storage);
    this.cells.set(storage, cell);
    if (before && before.region !== cell.region) this.memory.release(before.region);
  }

  /** It has no values any more. */
  drop(storage: Storage): void {
    const cell = this.cells.get(storage);
    if (!cell) return;
    this.cells.delete(storage);
    this.memory.release(cell.region);
  }

  /** Lets go of every storage whose parameter is not in `kept`. */
  keepOnly(kept: ReadonlyMap<Parameter, unknown>): void {
    for (const storage of this.cells.keys()) if (!kept.has(ownerOf(storage))) this.drop(storage);
  }

  /** The bytes of all companions. */
  get companionBytes(): number {
    return this.companions().reduce((sum, storage) => sum + this.get(storage).region.bytes, 0);
  }

  /** Those that have values. */
  companions(): Companion[] {
    return [...this.cells.keys()].filter((storage) => storage.kind === 'companion');
  }

  place(storage: Storage): Placed {
    return { address: this.get(storage).region.address, shape: storage.shape, dtype: storage.dtype };
  }

  /** The values of now, of all or of one stretch: a copy, or held by whoever gets them. */
  read(storage: Storage, { shape, offset }: Stretch = { shape: storage.shape, offset: 0 }): TensorValue {
    const { dtype } = storage;
    const { region } = this.get(storage);
    const address = region.address + offset * DTYPES[dtype].bytes;
    return heldOrCopied(this.memory, region, { address, shape, dtype });
  }

  /** A view of the values; see SharedMemory.tensor. */
  value(storage: Storage): TensorValue {
    return this.memory.tensor(this.get(storage).region, storage.shape, storage.dtype);
  }
}
