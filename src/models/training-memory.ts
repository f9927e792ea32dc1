// A job's private memory: copies of the parameters that it trains, the optimizer's state, the data and what a step computes.
// Only workers write to it, one call at a time.

import { address } from '../graph/run.js';
import { GENERATOR, type Stored } from '../graph/tracer.js';
import type { Parameter } from '../nn/module.js';
import { lbfgsTensors, type LbfgsPlace } from '../nn/optim/lbfgs.js';
import type { LbfgsSettings } from '../nn/optim/lbfgs-options.js';
import type { LossName } from '../nn/losses/table.js';
import type { Settings } from '../nn/optim/optimizer.js';
import { Generator } from '../random/generator.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import type { EditStep } from '../runtime/protocol.js';
import type { Accuracy, Evaluation, LbfgsOrder, TrainReport } from '../runtime/training.js';
import { byteLength, numel } from '../tensor/shape.js';
import { GRAD, type Storage } from './companion.js';
import { Draft } from './draft.js';
import type { Pass } from './pass.js';
import { aligned, sourceOf } from './training-data.js';
import type { Batches, Setup } from './training-setup.js';
import type { Trainable } from './training.js';

const INT32 = 4;

export interface Steps {
  readonly first: number;
  readonly rows: number;
  /** Hyperparameters of each step, by parameter group. */
  readonly settings: readonly (readonly Settings[])[];
  readonly budgetMs: number;
}

export class TrainingMemory {
  private readonly model: Trainable;
  private readonly setup: Setup;
  private readonly memory: SharedMemory;
  private readonly regions: Region[] = [];
  /** Copies of the values that change: parameters, buffers, the optimizer's state. */
  private readonly copies = new Map<Storage, Region>();
  /** Where a pass writes a buffer's next value. */
  private readonly next = new Map<Parameter, Region>();
  private readonly passes: readonly Pass[];
  private readonly rowOrder: Region;
  private readonly generator: Region;
  /** Inputs and arena of whatever pass runs. */
  private readonly room: Region;
  /** Regions of the model that the passes read: not its own, held as long as they may be. */
  private readonly held: Region[] = [];
  /** Where the model's values stood when they were last taken over. */
  private readonly taken = new Map<Storage, Region>();
  private stateMade: boolean;
  /** Where LBFGS keeps its vectors, and what else it knows. */
  private lbfgs: LbfgsOrder | undefined;

  /** Throws QuotaError; nothing is taken then. */
  constructor(model: Trainable, setup: Setup) {
    this.model = model;
    this.setup = setup;
    this.memory = model.workplace.memory;
    this.stateMade = setup.optimizer.resumed;
    const { training, validation } = setup;
    const all = [training, validation].filter((data) => data !== null);
    this.passes = all.flatMap(({ batches }) => batches.map(({ pass }) => pass));
    try {
      for (const storage of setup.storages) this.copies.set(storage, this.take(bytesOf(storage)));
      for (const parameter of setup.buffers) this.next.set(parameter, this.take(bytesOf(parameter)));
      this.rowOrder = this.take(INT32 * Math.max(...all.map(({ rows }) => rows)));
      this.generator = this.take(Generator.bytes);
      if (setup.optimizer.name === 'LBFGS') {
        this.lbfgs = { place: this.placeVectors(setup), state: setup.optimizer.lbfgs };
      }
      const rooms = this.passes.map(({ plan }) => roomOf(plan.inputs) + plan.arenaBytes);
      this.room = this.take(Math.max(...rooms));
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Copies the model's values, and seeds or copies the generator. Nobody changes the model meanwhile. */
  async fill(): Promise<void> {
    const { seed, optimizer } = this.setup;
    const from = this.model.generatorRegion;
    const steps: EditStep[] = [
      seed === undefined
        ? { kind: 'copy', from: from.address, to: this.generator.address, bytes: Generator.bytes }
        : { kind: 'seed', generator: this.generator.address, seed },
    ];
    for (const [storage] of this.copies) {
      if (storage.kind !== 'companion' || optimizer.resumed) steps.push(...this.takeOver(storage));
    }
    await this.edit(steps);
    this.hold();
  }

  /** Rejects with ValueError where a column has a value that its reader does not take. */
  async gather(): Promise<void> {
    const { pool } = this.model.workplace;
    for (const order of this.setup.gathers) await pool.call('gatherRows', order);
  }

  /** Takes over what changes of the model have made meanwhile. */
  async refresh(): Promise<void> {
    const steps = [...this.copies.keys()].flatMap((storage) => {
      const region = this.model.tensors.find(storage)?.region;
      return region === this.taken.get(storage) ? [] : this.takeOver(storage);
    });
    await this.edit(steps);
    this.hold();
  }

  /** In which order rows are read from now on. */
  async order(how: 'shuffled' | 'in order', n = this.setup.training.rows): Promise<void> {
    const generator = how === 'shuffled' ? this.generator.address : null;
    await this.edit([{ kind: 'order', to: this.rowOrder.address, n, generator }]);
  }

  async train(pass: Pass, { first, rows, settings, budgetMs }: Steps): Promise<TrainReport> {
    const { plan, slots, written } = pass;
    const { optimizer, training, clip } = this.setup;
    const { arena, inputs, bindings, locate } = this.place(pass);
    const report = await this.model.workplace.pool.call(
      'train',
      {
        plan: pass.id,
        segment: this.room.segment,
        arena,
        bindings,
        sources: training.sources.map((source, i) => sourceOf(source, inputs[i]!)),
        order: this.rowOrder.address,
        first,
        rows,
        settings,
        loss: locate(slots.loss!),
        optimizer: optimizer.name === 'LBFGS' ? this.lbfgs! : optimizer.name,
        stateMade: this.stateMade,
        parameters: optimizer.parameters.map(({ parameter, group, state }) => ({
          group,
          place: {
            parameter: this.copies.get(parameter)!.address,
            gradient: locate(slots.gradients.get(parameter)!),
            state: Object.fromEntries(
              state.map((tensor) => [tensor.name, this.copies.get(tensor)!.address] as const),
            ),
            numel: bytesOf(parameter) / 4,
          },
        })),
        clip,
        updates: (written as readonly Parameter[]).map((parameter) => ({
          from: this.next.get(parameter)!.address,
          to: this.copies.get(parameter)!.address,
          bytes: bytesOf(parameter),
        })),
        budgetMs,
      },
      plan,
    );
    this.stateMade ||= report.norms.length > 0;
    if (this.lbfgs && report.lbfgs) this.lbfgs = { ...this.lbfgs, state: report.lbfgs };
    return report;
  }

  /** The losses of the validation's batches, and how many outputs are right where that means something. */
  async evaluate({ pass, first, rows, count }: Batches): Promise<Evaluation> {
    const { plan, slots } = pass;
    const { sources } = this.setup.validation!;
    const { arena, inputs, bindings, locate } = this.place(pass);
    return this.model.workplace.pool.call(
      'evaluate',
      {
        plan: pass.id,
        segment: this.room.segment,
        arena,
        bindings,
        sources: sources.map((source, i) => sourceOf(source, inputs[i]!)),
        order: this.rowOrder.address,
        first,
        rows,
        count,
        loss: locate(slots.loss!),
        accuracy: accuracyOf(pass, this.setup, { output: locate(slots.output), target: inputs.at(-1)! }),
      },
      plan,
    );
  }

  /** Makes what was trained visible; the model's new revision. */
  async commit(): Promise<number> {
    const { workplace, tensors } = this.model;
    const draft = new Draft(workplace, tensors);
    try {
      for (const [storage, { address: from }] of this.copies) draft.copy(from, draft.replace(storage));
      draft.copyGenerator(this.generator.address);
      await draft.run();
      const touched = [...this.copies.keys()].filter((storage) => storage.kind !== 'companion');
      const values = new Map(touched.map((storage) => [storage, null]));
      const { name, groups } = this.setup.optimizer;
      const { state = null } = this.lbfgs ?? {};
      const optimizer = { name, groups, ...(state && { lbfgs: state }) };
      // What another optimizer kept is of no use any more.
      const cleared = tensors.companions().filter((kept) => kept.name !== GRAD && !this.copies.has(kept));
      const trained = { kind: 'train', touched: values, cleared, optimizer } as const;
      const revision = await this.model.adopt(trained, draft);
      for (const storage of this.copies.keys()) this.taken.set(storage, tensors.get(storage).region);
      return revision;
    } catch (error) {
      draft.discard();
      throw error;
    }
  }

  release(): void {
    for (const region of [...this.regions.splice(0), ...this.held.splice(0)]) this.memory.release(region);
  }

  /** Where a pass's values stand. */
  private place({ plan, stored, written }: Pass) {
    let next = this.room.address;
    const inputs = plan.inputs.map(({ shape, dtype }) => {
      const at = next;
      next += aligned(byteLength(shape, dtype));
      return at;
    });
    const bindings = [
      ...stored.map((storage) => this.addressOf(storage)),
      ...inputs,
      ...written.map((parameter) => this.next.get(parameter as Parameter)!.address),
      ...plan.packed.map(() => 0),
    ];
    const arena = next;
    const locate = (slot: number): number => address(plan.outputs[slot]!.at, { arena, bindings });
    return { arena, inputs, bindings, locate };
  }

  private addressOf(stored: Stored): number {
    if (stored === GENERATOR) return this.generator.address;
    const storage = stored as Storage;
    return (this.copies.get(storage) ?? this.model.tensors.get(storage).region).address;
  }

  private takeOver(storage: Storage): EditStep[] {
    const region = this.model.tensors.find(storage)?.region;
    if (!region) return [];
    this.taken.set(storage, region);
    const to = this.copies.get(storage)!.address;
    return [{ kind: 'copy', from: region.address, to, bytes: bytesOf(storage) }];
  }

  /** Holds what the passes read of the model itself. */
  private hold(): void {
    const read = new Set(this.passes.flatMap(({ stored }) => stored));
    for (const region of this.held.splice(0)) this.memory.release(region);
    for (const stored of read) {
      if (stored === GENERATOR || this.copies.has(stored as Storage)) continue;
      this.held.push(this.memory.retain(this.model.tensors.get(stored as Storage).region));
    }
  }

  private take(bytes: number): Region {
    const region = this.memory.allocate(bytes, this.model.workplace.segment);
    this.regions.push(region);
    return region;
  }

  /** What LBFGS keeps is the first parameter's; what it computes with is the job's. */
  private placeVectors({ optimizer: { parameters, groups } }: Setup): LbfgsPlace {
    const elements = parameters.reduce((sum, { parameter }) => sum + numel(parameter.shape), 0);
    const { scratch } = lbfgsTensors(elements, groups[0]!.settings as LbfgsSettings);
    const kept = parameters[0]!.state.map((tensor) => [tensor.name, this.copies.get(tensor)!.address]);
    const places = Object.fromEntries(kept) as Omit<LbfgsPlace, 'scratch'>;
    return { ...places, scratch: this.take(byteLength(scratch, 'float32')).address };
  }

  private async edit(steps: readonly EditStep[]): Promise<void> {
    if (steps.length > 0) await this.model.workplace.pool.call('edit', { segment: this.room.segment, steps });
  }
}

const bytesOf = ({ shape, dtype }: Storage): number => byteLength(shape, dtype);

function roomOf(inputs: Pass['plan']['inputs']): number {
  return inputs.reduce((sum, { shape, dtype }) => sum + aligned(byteLength(shape, dtype)), 0);
}

/** What "right" means for a loss: the class of the largest output, or the side of a threshold. */
function accuracyOf(
  { plan, slots }: Pass,
  { loss }: Setup,
  at: { readonly output: number; readonly target: number },
): Accuracy | null {
  const output = plan.outputs[slots.output]!;
  const target = plan.inputs.at(-1)!;
  const rows = output.shape[0]!;
  if (target.dtype === 'int64') {
    return output.shape.length === 2 && target.shape.length === 1
      ? { ...at, classes: output.shape[1]! }
      : null;
  }
  const threshold = THRESHOLDS.get(loss.name);
  return threshold === undefined ? null : { ...at, threshold, perRow: numel(output.shape) / rows };
}

/** From where on an output means 1. */
const THRESHOLDS: ReadonlyMap<LossName, number> = new Map([
  ['binary_cross_entropy', 0.5],
  ['binary_cross_entropy_with_logits', 0],
]);
