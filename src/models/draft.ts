// A change in the making: new regions beside those that readers see, and the steps that fill them.
// Until it is committed nothing of it is visible; discarded, it leaves nothing behind.

import { Generator } from '../random/generator.js';
import type { InitSpec } from '../nn/init/spec.js';
import type { Operand } from '../graph/op.js';
import { QuotaError, type Region, type SharedMemory } from '../runtime/memory.js';
import type { Dispatcher } from '../runtime/dispatcher.js';
import type { Pool } from '../runtime/pool.js';
import type { EditStep, Placed } from '../runtime/protocol.js';
import type { Surveys } from '../runtime/surveys.js';
import { writeTensor } from '../tensor/json.js';
import { byteLength, type Shape } from '../tensor/shape.js';
import type { DType } from '../tensor/dtype.js';
import type { Storage } from './companion.js';
import type { Tensors } from './tensors.js';

export interface Workplace {
  readonly memory: SharedMemory;
  readonly pool: Pool;
  readonly dispatcher: Dispatcher;
  readonly surveys: Surveys;
  /** All of a model stands in one segment; undefined: the draft's first region chooses. */
  segment: number | undefined;
}

/** For what is allocated beside a tree's values: the generator, what regions are rounded up by. */
const SLACK = 2 ** 20;

export class Draft {
  /** The regions that take the place of the storages' present ones. */
  readonly regions = new Map<Storage, Region>();
  /** The generator's next state, where the change draws from it. */
  generator: Region | undefined;
  private readonly workplace: Workplace;
  private readonly tensors: Tensors;
  private readonly generatorNow: Region | undefined;
  private readonly temporary: Region[] = [];
  private readonly steps: EditStep[] = [];

  constructor(workplace: Workplace, tensors: Tensors, generatorNow?: Region) {
    this.workplace = workplace;
    this.tensors = tensors;
    this.generatorNow = generatorNow;
  }

  /**
   * Throws QuotaError where as many bytes will not fit; takes nothing. Where the draft's first region is yet to choose
   * the segment, this does: one that has room for all of it, and for panels and activations where there is one.
   */
  reserve(bytes: number): void {
    const { memory } = this.workplace;
    if (!(bytes <= memory.limitBytes)) throw new QuotaError(bytes, memory.limitBytes);
    if (this.workplace.segment !== undefined) return;
    const room = memory.attempt(2 * bytes + SLACK) ?? memory.attempt(bytes + SLACK);
    if (!room) return;
    this.workplace.segment = room.segment;
    memory.release(room);
  }

  /** A new region for a storage, its contents yet to be written; the same one when asked again. */
  replace(storage: Storage): Placed {
    const { shape, dtype } = storage;
    let region = this.regions.get(storage);
    if (!region) this.regions.set(storage, (region = this.allocate(byteLength(shape, dtype))));
    return { address: region.address, shape, dtype };
  }

  /** A new region for a storage, with the values of `source` (its own present ones, unless said otherwise). */
  modify(storage: Storage, source: Storage = storage): Placed {
    const known = this.regions.has(storage);
    const target = this.replace(storage);
    if (!known) this.copy(this.tensors.get(source).region.address, target);
    return target;
  }

  /** Bytes that only this draft uses. */
  room(bytes: number): Region {
    const region = this.allocate(bytes);
    this.temporary.push(region);
    return region;
  }

  /** A storage's region that only this draft uses (a module's values that are drawn and then tied away). */
  scratch({ shape, dtype }: Operand): Placed {
    const { address } = this.room(byteLength(shape, dtype));
    return { address, shape, dtype };
  }

  /** A copy of a storage's present values that only this draft uses. */
  copyOf(storage: Storage): Placed {
    const target = this.scratch(storage);
    this.copy(this.tensors.get(storage).region.address, target);
    return target;
  }

  /** Decodes a client's tensor into memory. Throws TensorError. */
  stage(value: unknown, tensor: { shape: Shape; dtype: DType; path: string }): Placed {
    const { shape, dtype, path } = tensor;
    const region = this.room(byteLength(shape, dtype));
    writeTensor(value, this.workplace.memory.tensor(region, shape, dtype).data, path);
    return { address: region.address, shape, dtype };
  }

  /** Fills a target as an init says, from the model's generator; integers (counters) begin at 0. */
  init(target: Placed, spec: InitSpec, zeroRow?: number): void {
    this.steps.push(
      target.dtype === 'float32'
        ? { kind: 'init', target, spec, generator: this.nextGenerator().address }
        : { kind: 'zero', to: target.address, bytes: byteLength(target.shape, target.dtype) },
    );
    if (zeroRow === undefined) return;
    const bytes = byteLength(target.shape.slice(1), target.dtype);
    this.steps.push({ kind: 'zero', to: target.address + zeroRow * bytes, bytes });
  }

  /** Seeds the model's generator. */
  seed(seed: number): void {
    this.steps.push({ kind: 'seed', generator: this.nextGenerator().address, seed });
  }

  copy(from: number, to: Placed): void {
    this.steps.push({ kind: 'copy', from, to: to.address, bytes: byteLength(to.shape, to.dtype) });
  }

  /** Which pairs of byte ranges hold the same bytes. */
  async same(pairs: readonly { a: number; b: number; bytes: number }[]): Promise<readonly boolean[]> {
    if (pairs.length === 0) return [];
    return this.workplace.pool.call('same', { segment: this.workplace.segment!, pairs });
  }

  push(step: EditStep): void {
    this.steps.push(step);
  }

  /** Does the steps so far on a worker. Throws ValueError or WorkerLostError. */
  async run(): Promise<void> {
    if (this.steps.length === 0) return;
    const steps = this.steps.splice(0);
    await this.workplace.pool.call('edit', { segment: this.workplace.segment!, steps });
  }

  /** Lets go of what was only needed on the way. */
  finish(): void {
    for (const region of this.temporary.splice(0)) this.workplace.memory.release(region);
  }

  /** Lets go of everything. */
  discard(): void {
    this.finish();
    for (const region of this.regions.values()) this.workplace.memory.release(region);
    if (this.generator) this.workplace.memory.release(this.generator);
    this.regions.clear();
    this.generator = undefined;
  }

  /** The generator's state from here on; what draws from it changes it. */
  nextGenerator(): Region {
    if (!this.generator) {
      this.generator = this.allocate(Generator.bytes);
      if (this.generatorNow) {
        const [from, to] = [this.generatorNow.address, this.generator.address];
        this.steps.push({ kind: 'copy', from, to, bytes: Generator.bytes });
      }
    }
    return this.generator;
  }

  /** The generator's next state is the one that stands there. */
  copyGenerator(from: number): void {
    this.generator ??= this.allocate(Generator.bytes);
    this.steps.push({ kind: 'copy', from, to: this.generator.address, bytes: Generator.bytes });
  }

  private allocate(bytes: number): Region {
    const region = this.workplace.memory.allocate(bytes, this.workplace.segment);
    this.workplace.segment ??= region.segment;
    return region;
  }
}
