// All models by name. A name is taken from the start of its model's build to the end of its deletion.

import { randomInt, randomUUID } from 'node:crypto';
import { ApiError } from '../errors.js';
import { checkName } from '../names.js';
import { requireMatch, type Conditions } from '../precondition.js';
import { Dispatcher } from '../runtime/dispatcher.js';
import { unplacedKernels } from '../runtime/kernel-module.js';
import type { SharedMemory } from '../runtime/memory.js';
import type { Pool } from '../runtime/pool.js';
import { Surveys } from '../runtime/surveys.js';
import { drawTree, readTree } from './edit-structure.js';
import type { ChangeLog } from './change-log.js';
import { Jobs } from './jobs.js';
import { Model, type Body } from './model.js';
import { Scheduler } from './scheduler.js';
import type { Directory, JobProgress } from './subscriptions.js';

export interface RegistryLimits {
  readonly maxModels: number;
  readonly maxModules: number;
  /** Of a model's change log. */
  readonly logEntries: number;
  readonly logBytes: number;
  /** Requests that wait: for one model, and in all. */
  readonly maxQueue: number;
  readonly maxQueueTotal: number;
  readonly maxBatchRows: number;
  readonly maxDelayUs: number;
  /** Of one model. */
  readonly maxWatchpoints: number;
}

/** Batches of forwards with a worker: one that runs, and one behind it that hides the way of the answer. */
const BATCHES_PER_WORKER = 2;

export interface RegistryOptions {
  readonly pool: Pool;
  readonly memory: SharedMemory;
  readonly limits: RegistryLimits;
  /** Plans of more floating-point operations run on workers; see Dispatcher. */
  readonly inlineFlops?: number;
}

/** Nested deeper than this, a tree is refused: walks are recursive. */
const MAX_DEPTH = 64;

export interface BuildRequest {
  readonly name: string;
  readonly seed?: number | undefined;
  readonly architecture: unknown;
}

export class Registry implements Directory {
  private readonly models = new Map<string, Model>();
  private readonly taken = new Set<string>();
  /** Logs of deleted models that somebody still reads. */
  private readonly ended = new Set<ChangeLog>();
  private readonly added = new Set<(model: Model) => void>();
  private readonly removed = new Set<(model: Model) => void>();
  private readonly options: RegistryOptions;
  readonly dispatcher: Dispatcher;
  readonly scheduler: Scheduler;
  readonly jobs = new Jobs();
  private readonly surveys: Surveys;

  constructor(options: RegistryOptions) {
    this.options = options;
    const { maxQueue, maxQueueTotal, maxDelayUs, maxBatchRows } = options.limits;
    this.scheduler = new Scheduler({
      room: BATCHES_PER_WORKER * options.pool.size,
      maxDelayUs,
      maxBatchRows,
      queue: { perModel: maxQueue, total: maxQueueTotal },
    });
    this.dispatcher = new Dispatcher(options.pool, options.memory, options.inlineFlops);
    this.surveys = new Surveys(options.pool, options.memory);
    options.memory.reclaim = () => this.reclaim();
  }

  get size(): number {
    return this.models.size;
  }

  /** Builds a model and draws its parameters: revision 1. */
  async build(
    { name, seed = randomInt(2 ** 32), architecture: given }: BuildRequest,
    { ifMatch, dryRun }: Conditions = {},
  ): Promise<Body> {
    const { pool, memory, limits } = this.options;
    checkName(name);
    if (this.models.has(name) || this.taken.has(name)) throw new ApiError('MODEL_EXISTS', [name]);
    requireMatch(ifMatch, undefined);
    if (this.models.size + this.taken.size >= limits.maxModels) {
      throw new ApiError('QUOTA_EXCEEDED', [`${limits.maxModels} models are served already`]);
    }
    this.taken.add(name);
    try {
      const tree = { maxModules: limits.maxModules, maxDepth: MAX_DEPTH };
      const { architecture, ...built } = readTree(given, tree);
      const model = new Model({
        name,
        seed,
        architecture,
        epoch: randomUUID(),
        workplace: {
          pool,
          memory,
          dispatcher: this.dispatcher,
          surveys: this.surveys,
          segment: undefined,
        },
        scheduler: this.scheduler,
        kernels: unplacedKernels(),
        jobs: this.jobs,
        limits: tree,
        log: { entries: limits.logEntries, bytes: limits.logBytes },
        maxWatchpoints: limits.maxWatchpoints,
      });
      await model.change((_state, draft) => ({
        kind: 'build',
        touched: drawTree(built, draft, seed),
        root: built.root,
      }));
      const summary = model.summary();
      if (dryRun) await model.close();
      else {
        this.models.set(name, model);
        for (const listener of this.added) listener(model);
      }
      return summary;
    } finally {
      this.taken.delete(name);
    }
  }

  /** In order of name, after the cursor (the last name of the page before). */
  list({ limit, cursor = '' }: { limit: number; cursor?: string | undefined }): Body {
    const names = [...this.models.keys()].filter((name) => name > cursor).sort();
    const page = names.slice(0, limit);
    const models = page.map((name) => {
      const { architecture: _, repr: __, ...summary } = this.get(name).summary();
      return summary;
    });
    return { models, next_cursor: names.length > limit ? page.at(-1)! : null };
  }

  /** Throws MODEL_NOT_FOUND. */
  get(name: string): Model {
    const model = this.models.get(name);
    if (!model) throw new ApiError('MODEL_NOT_FOUND', [name]);
    return model;
  }

  find(name: string): Model | undefined {
    return this.models.get(name);
  }

  all(): Iterable<Model> {
    return this.models.values();
  }

  /** Throws MODEL_NOT_FOUND, REVISION_MISMATCH. */
  async delete(name: string, terms: Conditions = {}): Promise<void> {
    const model = this.get(name);
    if (terms.dryRun) return model.matched(terms);
    this.models.delete(name);
    this.taken.add(name);
    try {
      await model.close(terms);
      for (const listener of this.removed) listener(model);
      model.log.end();
      for (const log of this.ended) if (log.bytes === 0) this.ended.delete(log);
      if (model.log.bytes > 0) this.ended.add(model.log);
    } catch (error) {
      // It lives on, under its name, which nobody else could take.
      this.models.set(name, model);
      throw error;
    } finally {
      this.taken.delete(name);
    }
  }

  onAdded(listener: (model: Model) => void): () => void {
    this.added.add(listener);
    return () => void this.added.delete(listener);
  }

  onRemoved(listener: (model: Model) => void): () => void {
    this.removed.add(listener);
    return () => void this.removed.delete(listener);
  }

  onProgress(listener: (progress: JobProgress) => void): () => void {
    return this.jobs.onProgress((job) =>
      listener({ model: job.model.model, job: job.id, ...job.progress() }),
    );
  }

  /** Gives up panels, which can be made again, or else what logs hold of the past; whether that made room. */
  private reclaim(): boolean {
    const { memory } = this.options;
    const before = memory.bytesInUse;
    for (const { panels } of this.models.values()) panels.clear();
    if (memory.bytesInUse < before) return true;
    for (const { log } of this.models.values()) log.clear();
    for (const log of this.ended) log.clear();
    this.ended.clear();
    return memory.bytesInUse < before;
  }
}
