// Training jobs of all models by id: those that run, and the latest of those that are over.

import { randomUUID } from 'node:crypto';
import { ApiError, problem } from '../errors.js';
import { wireNumber } from '../tensor/number-schema.js';
import type { Training } from './training.js';

/** Jobs that are over and can still be asked about. */
const MAX_OVER = 100;
/** Of each job, at least so long apart, but for the last one. */
const PROGRESS_INTERVAL_MS = 50;

export interface JobIdentity {
  readonly model: string;
  readonly epoch: string;
}

export class Job {
  readonly id = randomUUID();
  readonly model: JobIdentity;
  /** Resolves when it is over. */
  over: Promise<void> = Promise.resolve();
  private readonly createdAt = new Date().toISOString();
  private readonly training: Training;
  private toldAt = -Infinity;

  constructor(model: JobIdentity, training: Training) {
    this.model = model;
    this.training = training;
  }

  /** `tell` is called with progress, at most twenty times a second, and when it is over. */
  start({ tell, ended }: { tell: (job: Job) => void; ended: () => Promise<void> }): void {
    const progress = (): void => {
      const now = performance.now();
      if (now - this.toldAt < PROGRESS_INTERVAL_MS) return;
      this.toldAt = now;
      tell(this);
    };
    this.over = this.training
      .run(progress)
      .then(ended)
      .then(() => tell(this));
  }

  get running(): boolean {
    return this.training.status === 'running';
  }

  cancel(): void {
    this.training.cancel();
  }

  /** What is told while it runs. */
  progress() {
    const { training } = this;
    return {
      status: training.status,
      step: training.losses.length,
      steps: training.steps,
      epoch: training.epoch,
      epochs: training.epochs,
      loss: wireNumber(training.losses.at(-1)),
      lr: [...training.lr],
      grad_norm: wireNumber(training.gradNorm),
      examples_per_second: training.examplesPerSecond,
      seconds: training.seconds,
      seconds_left: training.secondsLeft,
    };
  }

  /** All there is to know. */
  report() {
    const { training } = this;
    return {
      id: this.id,
      model: this.model.model,
      model_epoch: this.model.epoch,
      created: this.createdAt,
      ...this.progress(),
      stopped_early: training.stoppedEarly,
      /** Of the last commit. */
      committed_revision: training.revision,
      losses: training.losses.map((loss) => wireNumber(loss)),
      history: training.history.map(({ epoch, loss, validation }) => ({
        epoch,
        loss: wireNumber(loss),
        ...(validation && { validation: { ...validation, loss: wireNumber(validation.loss) } }),
      })),
      ...(training.error && { error: problem(training.error) }),
    };
  }
}

export class Jobs {
  private readonly jobs = new Map<string, Job>();
  private readonly listeners = new Set<(job: Job) => void>();

  add(model: JobIdentity, training: Training, ended: () => Promise<void>): Job {
    const tell = (job: Job): void => {
      for (const listener of this.listeners) listener(job);
    };
    const job = new Job(model, training);
    job.start({ tell, ended });
    this.jobs.set(job.id, job);
    void job.over.then(() => this.forgetOldest());
    return job;
  }

  /** Throws JOB_NOT_FOUND. */
  get(id: string): Job {
    const job = this.jobs.get(id);
    if (!job) throw new ApiError('JOB_NOT_FOUND', [id]);
    return job;
  }

  /** The latest first. */
  list(model?: string): Job[] {
    return [...this.jobs.values()]
      .filter((job) => model === undefined || job.model.model === model)
      .reverse();
  }

  /** Cancels those that run, each with its last commit kept; resolves when all are over. */
  async end(): Promise<void> {
    const running = [...this.jobs.values()].filter((job) => job.running);
    for (const job of running) job.cancel();
    await Promise.all(running.map(({ over }) => over));
  }

  get running(): number {
    let count = 0;
    for (const job of this.jobs.values()) if (job.running) count++;
    return count;
  }

  /** Called with each job that has something new to tell. Returns its removal. */
  onProgress(listener: (job: Job) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private forgetOldest(): void {
    const over = [...this.jobs.values()].filter(({ running }) => !running);
    for (const { id } of over.slice(0, -MAX_OVER)) this.jobs.delete(id);
  }
}
