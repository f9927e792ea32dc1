// The forwards of one model. Each waits behind the changes that came before it, then for its batch; what it is answered
// belongs to one revision: changes wait until the batch is done.

import { ValueError } from '../graph/op.js';
import { QuotaError } from '../runtime/memory.js';
import { SizeError } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { CapturedValues } from './captured.js';
import { explain } from './failures.js';
import { release, type NamedTensors } from './forward-answer.js';
import { LazyModuleError, prepare, type ForwardRequest, type Means, type Member } from './forward.js';
import { runMembers } from './forward-named.js';
import { Group } from './group.js';
import type { ReadWriteLock } from './lock.js';
import type { Recipe } from './plans.js';
import type { Line, Task } from './queue.js';
import type { Scheduler } from './scheduler.js';
import type { ModelState } from './state.js';
import type { Terms } from './terms.js';

export interface Identity extends Record<string, unknown> {
  readonly name: string;
  readonly epoch: string;
  readonly revision: number;
}

export interface Outputs extends Identity {
  readonly outputs: TensorValue | NamedTensors;
  readonly captured?: CapturedValues;
}

/** A model as its forwards see it. */
export interface Runnable extends ModelState {
  identity(): Identity;
  /** Throws MODEL_NOT_FOUND where it is deleted. */
  assertAlive(): void;
  /** Gives lazy modules the shapes that a forward of this request gives them. */
  materializeFor(request: ForwardRequest): Promise<unknown>;
}

export interface ForwardsOptions extends Means {
  readonly model: Runnable;
  readonly lock: ReadWriteLock;
  readonly line: Line;
  readonly scheduler: Scheduler;
}

/** Batches of one recipe: those cheap enough to run on this thread, and those for workers. */
interface Groups {
  /** Forwards of more rows go to workers. */
  readonly rowsHere: number;
  readonly here: Group<Caller>;
  readonly away: Group<Caller>;
}

export class Forwards {
  private readonly options: ForwardsOptions;
  private readonly groups = new WeakMap<Recipe, Groups>();

  constructor(options: ForwardsOptions) {
    this.options = options;
  }

  /** Rejects with ApiError. */
  run(request: ForwardRequest, terms: Terms): Promise<Outputs> {
    return new Promise((resolve, reject) => this.enter(new Caller(request, resolve, reject), terms));
  }

  /** A method of its own, so that what waits for the lock has hold of the caller alone. Throws OVERLOADED. */
  private enter(caller: Caller, terms: Terms): void {
    const { lock, line, scheduler } = this.options;
    caller.task = scheduler.queue.enter(line, terms, (error) => caller.giveUp(error));
    lock.share(() => this.add(caller));
  }

  /** From here on no change comes in between: what the caller meets is what its batch meets. */
  private add(caller: Caller): void {
    const { model, lock, scheduler } = this.options;
    const { task, request } = caller;
    if (!task.check() || !request) return lock.unshare();
    try {
      model.assertAlive();
      caller.identity = model.identity();
      const { recipe, inputs, rows } = prepare(model, request, this.options);
      caller.recipe = recipe;
      caller.inputs = inputs;
      caller.size = rows;
      const { rowsHere, here, away } = this.groupsOf(recipe);
      scheduler.add(rows <= rowsHere ? here : away, caller);
    } catch (error) {
      lock.unshare();
      if (error instanceof LazyModuleError && !caller.materialized) this.materialize(caller, request);
      else caller.fail(error);
    }
  }

  /** Asks for the change that gives lazy modules their shapes, and stands in line behind it. */
  private materialize(caller: Caller, request: ForwardRequest): void {
    const { model, lock } = this.options;
    caller.materialized = true;
    model.materializeFor(request).then(
      () => lock.share(() => this.add(caller)),
      (error: unknown) => caller.fail(error),
    );
  }

  private groupsOf(recipe: Recipe): Groups {
    let groups = this.groups.get(recipe);
    if (!groups) {
      const { workplace, lock, scheduler } = this.options;
      const { rowwise, rows } = recipe;
      const share = workplace.dispatcher.shareOf(recipe);
      const rowsHere = rowwise ? Math.floor(rows / share) : share <= 1 ? Infinity : -1;
      const common = {
        alone: !rowwise,
        run: (batch: readonly Caller[]): Promise<void> => this.runBatch(batch),
        left: (): void => lock.unshare(),
      };
      const { maxBatchRows } = scheduler;
      groups = {
        rowsHere,
        here: new Group({ ...common, here: true, maxRows: Math.min(rowsHere, maxBatchRows) }),
        away: new Group({ ...common, here: false, maxRows: maxBatchRows }),
      };
      this.groups.set(recipe, groups);
    }
    return groups;
  }

  private async runBatch(batch: readonly Caller[]): Promise<void> {
    const { model, lock } = this.options;
    try {
      await runMembers(model, batch, this.options);
    } catch (error) {
      const apart = error instanceof QuotaError || (batch.length > 1 && isOnesOwn(error));
      if (apart) for (const caller of batch) await this.runAlone(caller);
      else for (const caller of batch) caller.fail(error);
    } finally {
      for (const _ of batch) lock.unshare();
    }
  }

  /** One member's mistake is not its neighbours'; and what finds no memory may find it when other batches are done. */
  private async runAlone(caller: Caller): Promise<void> {
    const { model, scheduler } = this.options;
    while (!caller.over) {
      try {
        return await runMembers(model, [caller], this.options);
      } catch (error) {
        if (!(error instanceof QuotaError && (await scheduler.anotherDone()))) return caller.fail(error);
      }
    }
  }
}

/** Whether a batch failed for what one of its members asks, or for its length. */
function isOnesOwn(error: unknown): boolean {
  return error instanceof ValueError || error instanceof SizeError;
}

class Caller implements Member {
  task!: Task;
  /** Not once it is given up: its place in a line may last longer, and those are not counted. */
  request: ForwardRequest | undefined;
  identity: Identity | undefined;
  recipe!: Recipe;
  inputs: unknown;
  size = 0;
  /** Lazy modules got their shapes for it. */
  materialized = false;
  private readonly resolve: (outputs: Outputs) => void;
  private readonly reject: (error: unknown) => void;

  constructor(
    request: ForwardRequest,
    resolve: (outputs: Outputs) => void,
    reject: (error: unknown) => void,
  ) {
    this.request = request;
    this.resolve = resolve;
    this.reject = reject;
  }

  get over(): boolean {
    return this.task.over;
  }

  answer(outputs: TensorValue | NamedTensors): void {
    const { name, epoch, revision } = this.identity!;
    if (this.task.end('done')) this.resolve({ name, epoch, revision, outputs });
    else release({ outputs });
  }

  giveUp(error: unknown): void {
    this.request = undefined;
    this.inputs = undefined;
    this.reject(error);
  }

  fail(error: unknown): void {
    if (this.task.end('failed')) this.reject(explain(error));
  }
}
