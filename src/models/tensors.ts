// The numbers of a model: where each storage stands in memory, and what is known of it besides its values.

import type { Parameter } from '../nn/module.js';
import { heldOrCopied } from '../runtime/held-tensor.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import type { Placed } from '../runtime/protocol.js';
import { DTYPES } from '../tensor/dtype.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { View } from '../tensor/view.js';

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
  private readonly cells = new Map<Parameter, Cell>();
  private readonly memory: SharedMemory;

  constructor(memory: SharedMemory) {
    this.memory = memory;
  }

  find(parameter: Parameter): Cell | undefined {
    return this.cells.get(parameter);
  }

  get(parameter: Parameter): Cell {
    const cell = this.cells.get(parameter);
    if (!cell) throw new Error('a parameter without storage');
    return cell;
  }

  /** Takes over the cell's hold on its region, and lets go of the one before. */
  set(parameter: Parameter, cell: Cell): void {
    const before = this.cells.get(parameter);
    this.cells.set(parameter, cell);
    if (before && before.region !== cell.region) this.memory.release(before.region);
  }

  /** Lets go of every storage that is not in `kept`. */
  keepOnly(kept: ReadonlyMap<Parameter, unknown>): void {
    for (const [parameter, { region }] of this.cells) {
      if (kept.has(parameter)) continue;
      this.cells.delete(parameter);
      this.memory.release(region);
    }
  }

  place(parameter: Parameter): Placed {
    return { address: this.get(parameter).region.address, shape: parameter.shape, dtype: parameter.dtype };
  }

  /** The values of now, of all or of one stretch: a copy, or held by whoever gets them. */
  read(
    parameter: Parameter,
    { shape, offset }: Stretch = { shape: parameter.shape, offset: 0 },
  ): TensorValue {
    const { dtype } = parameter;
    const { region } = this.get(parameter);
    const address = region.address + offset * DTYPES[dtype].bytes;
    return heldOrCopied(this.memory, region, { address, shape, dtype });
  }

  /** A view of the values; see SharedMemory.tensor. */
  value(parameter: Parameter): TensorValue {
    return this.memory.tensor(this.get(parameter).region, parameter.shape, parameter.dtype);
  }
}
