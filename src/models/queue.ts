// Who waits: a bounded number of callers, of each model and in all. One more is refused at once and told when to come
// again. A caller waits, then runs; it is given up where its deadline passes, or where it hung up before it ran.

import { ApiError } from '../errors.js';
import { ServiceRate } from './service-rate.js';
import { Tallies, type Outcome } from './tally.js';
import { HANDICAP_MS, type Terms } from './terms.js';

export interface QueueLimits {
  /** Callers that wait for one model. */
  readonly perModel: number;
  readonly total: number;
}

/** How long a refusal says the same. */
const REFUSAL_MS = 100;

/** Those who wait for one model (or for any), and how fast they are served. */
export class Line {
  readonly rate = new ServiceRate();
  waiting = 0;
  private readonly whose: string;
  private refused: ApiError | undefined;
  private refusedAt = -Infinity;

  constructor(whose: string) {
    this.whose = whose;
  }

  /** The same for all who come within a short time: a stack trace for each is a tenth of what refusals cost. */
  refusal(now: number): ApiError {
    if (this.refused && now - this.refusedAt < REFUSAL_MS) return this.refused;
    this.refused = new ApiError('OVERLOADED', [`${this.waiting} requests wait for ${this.whose}`]);
    this.refused.retryAfterSeconds = this.rate.retryAfterSeconds(this.waiting);
    this.refusedAt = now;
    return this.refused;
  }
}

/** A full queue is searched for callers who have hung up, but not for each caller that it refuses. */
const SWEEP_INTERVAL_MS = 100;

export class Queue {
  readonly tallies = new Tallies();
  private readonly limits: QueueLimits;
  private readonly all = new Line('all models');
  /**
   * In no order; each knows its place. Not a Set: its tables, made anew as it grows and shrinks with every turn, lead from
   * one to the next, and once an old one is among the collector's long-lived objects it keeps all that follow, with every
   * request that ever stood in one.
   */
  private readonly waiting: Task[] = [];
  private sweptAt = -Infinity;

  constructor(limits: QueueLimits) {
    this.limits = limits;
  }

  get depth(): number {
    return this.all.waiting;
  }

  /** Takes a place. `giveUp` is called at most once, instead of `end`. Throws OVERLOADED. */
  enter(line: Line, terms: Terms, giveUp: (error: ApiError) => void): Task {
    this.admit(line);
    const task = new Task(this, line, terms, giveUp);
    task.place = this.waiting.push(task) - 1;
    this.all.waiting++;
    line.waiting++;
    return task;
  }

  /** A place for a request that is still being read; the function gives it back, once. Throws OVERLOADED. */
  reserve(line: Line): () => void {
    this.admit(line);
    this.all.waiting++;
    line.waiting++;
    let reserved = true;
    return () => {
      if (!reserved) return;
      reserved = false;
      this.all.waiting--;
      line.waiting--;
    };
  }

  /** Whether `enter` may refuse. */
  full(line: Line): boolean {
    return line.waiting >= this.limits.perModel || this.all.waiting >= this.limits.total;
  }

  /** Throws OVERLOADED where `enter` would. */
  admit(line: Line): void {
    const refusal = this.refusal(line);
    if (refusal) throw refusal;
  }

  /** What `admit` throws; it counts. */
  refusal(line: Line): ApiError | undefined {
    const full = this.fullLine(line);
    if (!full) return undefined;
    const now = performance.now();
    if (now - this.sweptAt >= SWEEP_INTERVAL_MS) {
      this.sweptAt = now;
      // Who leaves, leaves its place to the last.
      for (let i = this.waiting.length - 1; i >= 0; i--) this.waiting[i]?.check();
      if (!this.fullLine(line)) return undefined;
    }
    this.tallies.requests.overloaded++;
    return full.refusal(now);
  }

  leave(task: Task): void {
    if (task.place < 0) return;
    const last = this.waiting.pop()!;
    if (last !== task) this.waiting[(last.place = task.place)] = last;
    task.place = -1;
    this.all.waiting--;
    task.line.waiting--;
  }

  served(line: Line, count: number): void {
    const now = performance.now();
    this.all.rate.add(count, now);
    line.rate.add(count, now);
  }

  private fullLine(line: Line): Line | undefined {
    if (line.waiting >= this.limits.perModel) return line;
    return this.all.waiting >= this.limits.total ? this.all : undefined;
  }
}

export class Task {
  readonly line: Line;
  readonly arrivedAt: number;
  /** The lower goes first. */
  readonly rank: number;
  /** Among those who wait; -1 once it does not. */
  place = -1;
  private readonly queue: Queue;
  private readonly terms: Terms;
  private readonly giveUp: (error: ApiError) => void;
  private readonly timer: NodeJS.Timeout | undefined;
  private state: 'waits' | 'runs' | 'over' = 'waits';

  constructor(queue: Queue, line: Line, terms: Terms, giveUp: (error: ApiError) => void) {
    this.queue = queue;
    this.line = line;
    this.terms = terms;
    this.giveUp = giveUp;
    const now = performance.now();
    this.arrivedAt = terms.arrivedAt ?? now;
    this.rank = this.arrivedAt + HANDICAP_MS[terms.priority ?? 'normal'];
    const { timeoutMs } = terms;
    if (timeoutMs !== undefined) {
      const expire = (): void => this.drop('expired', new ApiError('DEADLINE_EXCEEDED', [timeoutMs]));
      this.timer = setTimeout(expire, timeoutMs - (now - this.arrivedAt));
    }
  }

  /** It has had its answer. */
  get over(): boolean {
    return this.state === 'over';
  }

  get running(): boolean {
    return this.state === 'runs';
  }

  /** Whether it still waits; one whose client has hung up does not. */
  check(): boolean {
    if (this.state === 'waits' && this.terms.gone?.()) this.drop('cancelled', new ApiError('CLIENT_GONE'));
    return this.state === 'waits';
  }

  /** It runs from now on. False where it was given up: then it is not to be run. */
  start(): boolean {
    if (!this.check()) return false;
    this.state = 'runs';
    this.queue.leave(this);
    return true;
  }

  /** Its deadline is past caring for: what has begun is answered however long it takes. */
  waive(): void {
    clearTimeout(this.timer);
  }

  /** False where it is over already: then the caller has had its answer. */
  end(outcome: Outcome): boolean {
    if (this.state === 'over') return false;
    this.state = 'over';
    clearTimeout(this.timer);
    this.queue.leave(this);
    this.queue.tallies.requests[outcome]++;
    return true;
  }

  private drop(outcome: 'expired' | 'cancelled', error: ApiError): void {
    if (this.end(outcome)) this.giveUp(error);
  }
}
