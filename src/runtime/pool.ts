// Runs calls on worker threads and matches answers by their order. A worker that dies or hangs is replaced: the call in
// it fails with WorkerLostError, those that wait behind it go to another worker.
// Knows nothing about models: their order is the scheduler's business.

import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Plan } from '../graph/plan.js';
import { Bell } from './bell.js';
import { Board } from './board.js';
import { Member, planCall, type Job } from './member.js';
import type { SharedMemory } from './memory.js';
import type { CallName, Calls, Notice, PlanId, Request } from './protocol.js';
import { Ring, SLOTS, type Figure } from './ring.js';

const WATCH_INTERVAL_MS = 250;
/** Workers that die before they are ready this often in a row are not started again at once: calls fail meanwhile. */
const MAX_FAILED_STARTS = 5;

/** The worker that ran the call died or hung; nothing that the call wrote is used. */
export class WorkerLostError extends Error {}
export class PoolClosedError extends Error {}

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
  private readonly bell = new Bell();
  private readonly stations: readonly { readonly ring: Ring; readonly board: Board }[];
  private readonly members = new Set<Member>();
  private readonly waiting: Job[] = [];
  private readonly watch: NodeJS.Timeout;
  private readonly readyListeners: { resolve: () => void; reject: (error: Error) => void }[] = [];
  /** Workers that could not be started, to be tried again. */
  private readonly absent = new Set<number>();
  private failedStarts = 0;
  private closed = false;
  private onIdle: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.options = options;
    this.size = options.workers;
    this.stations = Array.from({ length: this.size }, () => ({ ring: new Ring(), board: new Board() }));
    options.memory.onSegment((memory) => this.tell({ notice: 'segment', memory }));
    for (const index of this.stations.keys()) this.start(index);
    this.watch = setInterval(() => this.tend(), Math.min(WATCH_INTERVAL_MS, options.timeoutMs));
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

  /** What all workers so far have counted. */
  figure(name: Figure): number {
    return this.stations.reduce((sum, { ring }) => sum + ring.figure(name), 0);
  }

  /** Rejects with ValueError, WorkerLostError or PoolClosedError. A forward's plan goes along where it is not known. */
  call<C extends CallName>(call: C, args: Calls[C]['args'], definition?: Plan): Promise<Calls[C]['result']> {
    if (this.closed) return Promise.reject(new PoolClosedError('the pool is closed'));
    return new Promise<Calls[C]['result']>((resolve, reject) => {
      const request = { call, args } as Request;
      this.waiting.push({ request, definition, resolve, reject });
      this.progress();
    });
  }

  /** Workers drop the plan. */
  forget(plan: PlanId): void {
    for (const member of this.members) member.forget(plan);
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
    await Promise.all([...this.members].map((member) => member.terminate()));
    for (const job of this.waiting.splice(0)) job.reject(new PoolClosedError('the pool is closed'));
    // Nobody else rings it again, and whoever listens would wait forever.
    this.bell.ring();
  }

  private start(index: number): void {
    const { ring } = this.stations[index]!;
    const member: Member = new Member({
      index,
      ring,
      stations: this.stations.map((station) => ({ ring: station.ring.buffer, board: station.board.buffer })),
      bell: this.bell.buffer,
      memories: this.options.memory.memories,
      awake: availableParallelism() - 1,
      onReady: () => this.welcome(),
      onExit: (reason) => void this.lose(member, reason),
    });
    this.members.add(member);
  }

  private welcome(): void {
    this.failedStarts = 0;
    if (this.allReady()) for (const { resolve } of this.readyListeners.splice(0)) resolve();
    this.progress();
  }

  /** Settles what was answered, sends what waits, and listens for the rest. */
  private progress(): void {
    const { rung } = this.bell;
    for (const member of this.members) member.settle();
    this.dispatch();
    if (this.load.running > 0) this.bell.listen(rung, () => this.progress());
    else this.onIdle?.();
  }

  /** The invariant: a call is with one worker at a time, in the order in which it will be answered. */
  private dispatch(): void {
    while (this.waiting.length > 0) {
      let idlest: Member | undefined;
      for (const member of this.members) {
        if (member.ready && (!idlest || member.sent.length < idlest.sent.length)) idlest = member;
      }
      if (!idlest || idlest.sent.length >= SLOTS) return;
      const job = this.waiting.shift()!;
      this.teach(job, idlest);
      idlest.send(job);
    }
  }

  /** Whoever runs a forward knows its plan, and whoever might take a part of it. */
  private teach({ request, definition }: Job, leader: Member): void {
    const plan = planCall(request)?.plan;
    if (plan === undefined || !definition) return;
    leader.learn(plan, definition);
    if (this.size === 1 || definition.steps.every(({ parts }) => parts === 1)) return;
    for (const member of this.members) member.learn(plan, definition);
  }

  /** Whoever was at a part of the same step as the lost worker is lost with it: nobody writes where nobody waits. */
  private async lose(member: Member, reason: Error): Promise<void> {
    this.members.delete(member);
    member.settle();
    member.close();
    const running = member.ring.busy ? member.sent.shift() : undefined;
    this.stations[member.index]!.board.shut();
    const together = [...this.members].filter(
      (other) => other.ring.helping === member.index || member.ring.helping === other.index,
    );
    await Promise.all(together.map((other) => other.terminate()));
    const behind = member.sent.splice(0);
    running?.reject(
      this.closed ? new PoolClosedError('the pool is closed') : new WorkerLostError(reason.message),
    );
    if (this.closed) {
      for (const job of behind) job.reject(new PoolClosedError('the pool is closed'));
      if (this.load.running === 0) this.onIdle?.();
      return;
    }
    this.options.onLost?.(reason);
    this.waiting.unshift(...behind);
    if (member.ready || ++this.failedStarts < MAX_FAILED_STARTS) this.restart(member.index);
    else this.miss(member.index, reason);
    this.progress();
  }

  private restart(index: number): void {
    try {
      this.start(index);
    } catch (error) {
      this.miss(index, error as Error);
    }
  }

  /** Goes on without a worker for now; where there is no other, nobody waits for it. */
  private miss(index: number, reason: Error): void {
    this.absent.add(index);
    for (const { reject } of this.readyListeners.splice(0)) reject(reason);
    if (this.members.size > 0) return;
    for (const job of this.waiting.splice(0)) job.reject(new WorkerLostError(reason.message));
  }

  /** Ends those that hang, and tries again to start those that are missing. */
  private tend(): void {
    for (const index of [...this.absent]) {
      this.absent.delete(index);
      this.restart(index);
    }
    // What was answered while this thread was busy does not count as hung.
    this.progress();
    const now = performance.now();
    for (const member of this.members) {
      if (member.sent.length > 0 && now - member.since > this.options.timeoutMs) void member.terminate();
    }
  }

  private tell(notice: Notice): void {
    for (const member of this.members) member.tell(notice);
  }

  private allReady(): boolean {
    return this.members.size === this.size && [...this.members].every(({ ready }) => ready);
  }
}
