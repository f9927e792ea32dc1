// A storage's values as of one revision, for the change log: a hold on their region, not a copy.

import type { Region, SharedMemory } from '../runtime/memory.js';
import type { Pool } from '../runtime/pool.js';
import type { DType } from '../tensor/dtype.js';
import { parseIndex, resolveIndex } from '../tensor/index-grammar.js';
import type { Shape } from '../tensor/shape.js';
import type { Statistics } from '../tensor/statistics.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { gather } from '../tensor/view.js';
import type { Snapshot } from './change-log.js';

export class RegionSnapshot implements Snapshot {
  readonly bytes: number;
  private readonly memory: SharedMemory;
  private readonly pool: Pool;
  private readonly region: Region;
  private readonly shape: Shape;
  private readonly dtype: DType;
  private computed: Promise<Statistics> | undefined;

  constructor(memory: SharedMemory, pool: Pool, tensor: { region: Region; shape: Shape; dtype: DType }) {
    this.memory = memory;
    this.pool = pool;
    this.region = memory.retain(tensor.region);
    this.shape = tensor.shape;
    this.dtype = tensor.dtype;
    this.bytes = tensor.region.bytes;
  }

  read(index: string | null): TensorValue {
    const whole = this.memory.tensor(this.region, this.shape, this.dtype);
    return index === null ? whole : gather(whole, resolveIndex(parseIndex(index), this.shape));
  }

  statistics(): Promise<Statistics> {
    this.computed ??= this.compute().catch((error: unknown) => {
      // Whoever asks next asks another worker.
      this.computed = undefined;
      throw error;
    });
    return this.computed;
  }

  release(): void {
    this.memory.release(this.region);
  }

  /** Holds the region until a worker has read it, also when the log lets go of it meanwhile. */
  private async compute(): Promise<Statistics> {
    const { segment, address } = this.memory.retain(this.region);
    try {
      const tensor = { address, shape: this.shape, dtype: this.dtype };
      return await this.pool.call('statistics', { segment, tensor });
    } finally {
      this.memory.release(this.region);
    }
  }
}
