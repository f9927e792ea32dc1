// Runs calls on worker threads and matches replies by id. A worker that dies or hangs is replaced: the call in it
// fails with WorkerLostError, those that wait behind it go to another worker.
// Knows nothing about models: their order is the scheduler's business.

import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ValueError } from '../graph/op.js';
import type { Plan } from '../graph/plan.js';
import { kernelModule } from './kernel-module.js';
import type { SharedMemory } from './memory.js';
import type { CallName, Calls, FromWorker, Notice, PlanId, Request, WorkerData } from './protocol.js';

const WORKER = new URL('./worker.js', import.meta.url);
/** Calls sent to one worker ahead of its answers: enough to hide a message's way, few enough to be moved elsewhere. */
const DEPTH = 4;
const WATCH_INTERVAL_MS = 250;
/** Workers that die before they are ready this often in a row mean a defect, not an accident. */
const MAX_FAILED_STARTS = 5;

/** The worker that ran the call died or hung; nothing that the call wrote is used. */
export class WorkerLostError extends Error {}
export class PoolClosedError extends Error {}

interface Job {
  readonly request: Request;
  readonly definition: Plan | undefined;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly sent: Job[];
  readonly plans: Set<PlanId>;
  ready: boolean;
  /** When the first of `sent` began, by performance.now(). */
  since: number;
}

export interface PoolOptions {
  readonly workers: number;
  readonly memory: SharedMemory;
  /** A call that takes longer counts as hung. */
  readonly timeoutMs: number;
  readonly onLost?: (reason: Error) => void;
}

export class Pool {
  readonly size: number;
  private readonly options: PoolOptions;
  private readonly members = new Set<Member>();
  private readonly waiting: Job[] = [];
  private readonly watch: NodeJS.Timeout;
  private readonly readyListeners: { resolve: () => void; reject: (error: Error) => void }[] = [];
  private nextId = 1;
  private failedStarts = 0;
  private closed = false;
  private onIdle: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.options = options;
    this.size = options.workers;
    options.memory.onSegment((memory) => this.tell({ notice: 'segment', memory }));
    for (let i = 0; i < options.workers; i++) this.start();
    this.watch = setInterval(() => this.endHung(), Math.min(WATCH_INTERVAL_MS, options.timeoutMs));
    this.watch.unref();
  }

  /** Resolves when every worker has started; rejects when they cannot. */
  ready(): Promise<void> {
    if (this.allReady()) return Promise.resolve();
    return new Promise((resolve, reject) => this.readyListeners.push({ resolve, reject }));
  }

  /** Calls that wait for a worker, and calls that are with one. */
  get load(): { queued: number; running: number } {
    let running = 0;
    for (const member of this.members) running += member.sent.length;
    return { queued: this.waiting.length, running };
  }

  /** Rejects with ValueError, WorkerLostError or PoolClosedError. A forward's plan goes along where it is not known. */
  call<C extends CallName>(call: C, args: Calls[C]['args'], definition?: Plan): Promise<Calls[C]['result']> {
    if (this.closed) return Promise.reject(new PoolClosedError('the pool is closed'));
    return new Promise<Calls[C]['result']>((resolve, reject) => {
      const request = { id: this.nextId++, call, args } as Request;
      this.waiting.push({ request, definition, resolve: resolve, reject });
      this.dispatch();
    });
  }

  /** Workers drop the plan. */
  forget(plan: PlanId): void {
    for (const member of this.members)
      if (member.plans.delete(plan)) member.worker.postMessage({ notice: 'forget', plan });
  }

  /** Lets the calls in progress end, for at most `graceMs`, then stops the workers. */
  async close(graceMs = 0): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.watch);
    if (graceMs > 0 && this.load.running > 0) {
      const timer = new AbortController();
      const idle = new Promise<void>((resolve) => (this.onIdle = resolve));
      await Promise.race([idle, delay(graceMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
    }
    await Promise.all([...this.members].map(({ worker }) => worker.terminate()));
    for (const job of this.waiting.splice(0)) job.reject(new PoolClosedError('the pool is closed'));
  }

  private start(): void {
    const workerData: WorkerData = { kernels: kernelModule(), memories: this.options.memory.memories };
    const worker = new Worker(WORKER, { workerData, name: 'weightroom' });
    const member: Member = { worker, sent: [], plans: new Set(), ready: false, since: 0 };
    let reason = new Error('the worker stopped');
    this.members.add(member);
    worker.on('message', (message: FromWorker) => this.receive(member, message));
    worker.on('error', (error) => (reason = error));
    worker.on('exit', () => this.lose(member, reason));
  }

  private receive(member: Member, message: FromWorker): void {
    if ('ready' in message) {
      member.ready = true;
      this.failedStarts = 0;
      if (this.allReady()) for (const { resolve } of this.readyListeners.splice(0)) resolve();
    } else {
      const job = member.sent.shift()!;
      member.since = performance.now();
      if ('result' in message) job.resolve(message.result as never);
      else
        job.reject(
          message.failure.kind === 'value'
            ? new ValueError(message.failure.message)
            : new Error(message.failure.message),
        );
    }
    this.dispatch();
    if (this.onIdle && this.load.running === 0) this.onIdle();
  }

  /** The invariant: a call is with one worker at a time, in the order in which it will be answered. */
  private dispatch(): void {
    while (this.waiting.length > 0) {
      let idlest: Member | undefined;
      for (const member of this.members) {
        if (member.ready && (!idlest || member.sent.length < idlest.sent.length)) idlest = member;
      }
      if (!idlest || idlest.sent.length >= DEPTH) return;
      this.send(idlest, this.waiting.shift()!);
    }
  }

  private send(member: Member, job: Job): void {
    const { request, definition } = job;
    if (member.sent.push(job) === 1) member.since = performance.now();
    if (request.call === 'forward' && definition && !member.plans.has(request.args.plan)) {
      member.plans.add(request.args.plan);
      member.worker.postMessage({ ...request, args: { ...request.args, definition } });
    } else {
      member.worker.postMessage(request);
    }
  }

  private lose(member: Member, reason: Error): void {
    this.members.delete(member);
    const [running, ...behind] = member.sent.splice(0);
    running?.reject(
      this.closed ? new PoolClosedError('the pool is closed') : new WorkerLostError(reason.message),
    );
    if (this.closed) {
      for (const job of behind) job.reject(new PoolClosedError('the pool is closed'));
      return;
    }
    this.options.onLost?.(reason);
    this.waiting.unshift(...behind);
    if (!member.ready && ++this.failedStarts >= MAX_FAILED_STARTS) {
      for (const { reject } of this.readyListeners.splice(0)) reject(reason);
      for (const job of this.waiting.splice(0)) job.reject(new WorkerLostError(reason.message));
      return;
    }
    this.start();
  }

  private endHung(): void {
    const now = performance.now();
    for (const { worker, sent, since } of this.members) {
      if (sent.length > 0 && now - since > this.options.timeoutMs) void worker.terminate();
    }
  }

  private tell(notice: Notice): void {
    for (const { worker } of this.members) worker.postMessage(notice);
  }

  private allReady(): boolean {
    return this.members.size === this.size && [...this.members].every(({ ready }) => ready);
  }
}
