// One training job: steps on a private copy of a model's parameters, made visible commit by commit. Forwards go on against
// the last commit meanwhile; changes wait for the next one, and are taken over.

import { ApiError } from '../errors.js';
import type { Region } from '../runtime/memory.js';
import type { Evaluation, TrainReport } from '../runtime/training.js';
import type { Draft, Workplace } from './draft.js';
import { explain } from './failures.js';
import { TrainingMemory } from './training-memory.js';
import { stepsOf, type Batches, type Data, type Setup } from './training-setup.js';
import type { ModelState, Outcome } from './state.js';

/** A model as its job sees it. */
export interface Trainable extends ModelState {
  readonly workplace: Workplace;
  /** Where its generator stands. */
  readonly generatorRegion: Region;
  /** Makes a draft that has run visible, between forwards; the new revision. Throws MODEL_NOT_FOUND. */
  adopt(outcome: Outcome, draft: Draft): Promise<number>;
}

export const STATUSES = ['running', 'done', 'failed', 'cancelled'] as const;
export type Status = (typeof STATUSES)[number];

export interface Epoch {
  readonly epoch: number;
  /** The mean over its rows, as they were trained on. */
  readonly loss: number;
  readonly validation?: Metrics;
}

export interface Metrics {
  readonly loss: number;
  readonly accuracy?: number;
}

/** Steps of one call are begun for so long: as long may a change of mind take to be heard. */
const BUDGET_MS = 50;
/** Steps whose hyperparameters are sent ahead. */
const MAX_STEPS = 256;

export class Training {
  readonly losses: number[] = [];
  readonly history: Epoch[] = [];
  status: Status = 'running';
  error: ApiError | undefined;
  /** What went wrong, where it was nobody's mistake. */
  defect: unknown;
  /** Of the last commit. */
  revision: number | null = null;
  gradNorm: number | null = null;
  /** From 1. */
  epoch = 1;
  stoppedEarly = false;
  private readonly setup: Setup;
  private readonly memory: TrainingMemory;
  private readonly waiting: (() => Promise<unknown>)[] = [];
  private readonly startedAt = performance.now();
  private endedAt: number | undefined;
  private uncommitted = 0;
  private cancelled = false;

  /** Takes over the setup's data, and lets go of it in the end. Throws QuotaError. */
  constructor(model: Trainable, setup: Setup) {
    this.setup = setup;
    try {
      this.memory = new TrainingMemory(model, setup);
    } catch (error) {
      setup.release();
      throw error;
    }
  }

  get epochs(): number {
    return this.setup.epochs;
  }

  get steps(): number {
    return this.setup.epochs * stepsOf(this.setup.training);
  }

  /** Of each parameter group, as of the last step. */
  get lr(): readonly number[] {
    return this.setup.schedule.lr;
  }

  get seconds(): number {
    return ((this.endedAt ?? performance.now()) - this.startedAt) / 1000;
  }

  get examplesPerSecond(): number {
    const { rows } = this.setup.training;
    const examples = (this.losses.length / stepsOf(this.setup.training)) * rows;
    return this.seconds > 0 ? examples / this.seconds : 0;
  }

  get secondsLeft(): number | null {
    const made = this.losses.length;
    return this.status === 'running' && made > 0 ? (this.seconds / made) * (this.steps - made) : null;
  }

  /** Copies the model, which nobody changes meanwhile, and the data. Before anything else. Nothing is kept where it rejects. */
  async begin(): Promise<void> {
    try {
      await this.memory.fill();
      await this.memory.gather();
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** In place of running it. */
  discard(): void {
    this.memory.release();
    this.setup.release();
  }

  /** Ends it after the steps in progress; the last commit stays. */
  cancel(): void {
    this.cancelled = true;
  }

  /** A change of the model: made at the next commit point. */
  atCommit<T>(change: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push(() => change().then(resolve, reject));
    });
  }

  /** Trains to the end; `onProgress` is called where there is something new to tell. Never rejects. */
  async run(onProgress: () => void): Promise<void> {
    try {
      for (;;) {
        await this.runEpoch(onProgress);
        if (this.cancelled || this.stoppedEarly || this.epoch === this.epochs) break;
        this.epoch++;
      }
      this.status = this.cancelled ? 'cancelled' : 'done';
    } catch (thrown) {
      this.fail(thrown);
    } finally {
      this.endedAt = performance.now();
      this.memory.release();
      this.setup.release();
    }
  }

  /** Lets those in who wait for a commit by now; whether there were any. */
  async serveWaiting(): Promise<boolean> {
    const waiting = this.waiting.splice(0);
    for (const change of waiting) await change();
    return waiting.length > 0;
  }

  private async runEpoch(onProgress: () => void): Promise<void> {
    const { training, validation, schedule, commitEvery } = this.setup;
    await this.memory.order(this.setup.shuffle ? 'shuffled' : 'in order');
    const before = this.losses.length;
    for (const batches of training.batches) await this.runBatches(batches, onProgress);
    if (this.cancelled) return;
    const loss = meanLoss(this.losses.slice(before), training);
    const metrics = validation ? await this.validate(validation) : undefined;
    this.history.push({ epoch: this.epoch, loss, ...(metrics && { validation: metrics }) });
    schedule.epochDone(metrics?.loss ?? loss);
    this.stoppedEarly = stopsEarly(this.history, this.setup);
    const last = this.stoppedEarly || this.epoch === this.epochs;
    if (commitEvery === Infinity || last) await this.commit();
    onProgress();
  }

  private async runBatches({ pass, first, rows, count }: Batches, onProgress: () => void): Promise<void> {
    const { schedule, commitEvery } = this.setup;
    for (let made = 0; made < count && !this.cancelled;) {
      const most = Math.min(count - made, commitEvery - this.uncommitted, MAX_STEPS);
      const settings = schedule.ahead(most);
      const steps = { first: first + made * rows, rows, settings, budgetMs: BUDGET_MS };
      made += this.take(await this.memory.train(pass, steps));
      if (this.uncommitted >= commitEvery) await this.commit();
      onProgress();
    }
  }

  /** The steps that were made. Throws LOSS_NOT_FINITE. */
  private take({ losses, norms, broken }: TrainReport): number {
    this.losses.push(...losses);
    if (broken) throw new ApiError('LOSS_NOT_FINITE', [String(losses.at(-1)), this.losses.length]);
    this.gradNorm = norms.at(-1) ?? null;
    this.uncommitted += losses.length;
    this.setup.schedule.stepsDone(losses.length);
    return losses.length;
  }

  private async commit(): Promise<void> {
    if (this.uncommitted === 0) return;
    this.uncommitted = 0;
    this.revision = await this.memory.commit();
    if (await this.serveWaiting()) await this.memory.refresh();
  }

  private async validate(data: Data): Promise<Metrics> {
    await this.memory.order('in order', data.rows);
    const found: Evaluation[] = [];
    for (const batches of data.batches) found.push(await this.memory.evaluate(batches));
    const judged = found.reduce((sum, evaluation) => sum + evaluation.judged, 0);
    const right = found.reduce((sum, evaluation) => sum + evaluation.right, 0);
    const loss = meanLoss(
      found.flatMap(({ losses }) => losses),
      data,
    );
    return { loss, ...(judged > 0 && { accuracy: right / judged }) };
  }

  private fail(thrown: unknown): void {
    const error = explain(thrown);
    this.status = 'failed';
    this.error = error instanceof ApiError ? error : new ApiError('INTERNAL');
    if (this.error.code === 'INTERNAL') this.defect = thrown;
  }
}

/** The mean over rows of the means over batches. */
function meanLoss(losses: readonly number[], { batches }: Data): number {
  const rows = batches.flatMap(({ rows: each, count }) => Array<number>(count).fill(each));
  const total = losses.reduce((sum, loss, i) => sum + loss * rows[i]!, 0);
  return total / rows.slice(0, losses.length).reduce((sum, each) => sum + each, 0);
}

/** Whether the watched loss (of the validation, where there is one) has not got better for as long as was asked. */
function stopsEarly(history: readonly Epoch[], { earlyStopping }: Setup): boolean {
  if (!earlyStopping) return false;
  let best = Infinity;
  let since = 0;
  for (const { loss, validation } of history) {
    const watched = validation?.loss ?? loss;
    if (watched < best - earlyStopping.min_delta) [best, since] = [watched, 0];
    else since++;
  }
  return since >= earlyStopping.patience;
}
