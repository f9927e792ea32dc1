// A storage's values as of one revision, for the change log: a hold on their region, not a copy.

import type { Region, SharedMemory } from '../runtime/memory.js';
import type { Surveys } from '../runtime/surveys.js';
import type { Bins } from '../tensor/bins.js';
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
  private readonly surveys: Surveys;
  private readonly region: Region;
  private readonly shape: Shape;
  private readonly dtype: DType;

  constructor(
    { memory, surveys }: { memory: SharedMemory; surveys: Surveys },
    tensor: { region: Region; shape: Shape; dtype: DType },
  ) {
    this.memory = memory;
    this.surveys = surveys;
    this.region = memory.retain(tensor.region);
    this.shape = tensor.shape;
    this.dtype = tensor.dtype;
    this.bytes = tensor.region.bytes;
  }

  read(index: string | null): TensorValue {
    const whole = this.memory.tensor(this.region, this.shape, this.dtype);
    return index === null ? whole : gather(whole, resolveIndex(parseIndex(index), this.shape));
  }

  statistics(bins?: Bins): Promise<Statistics> {
    return this.surveys.statistics(this.region, { shape: this.shape, dtype: this.dtype }, { bins });
  }

  release(): void {
    this.memory.release(this.region);
  }
}
