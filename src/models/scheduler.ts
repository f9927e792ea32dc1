// When forwards run, and which run together. Those that wait for the same plan on the same revision (a group) become one
// batch: at the end of the event loop's turn, or, while as many batches are with workers as there is room for, once one
// of these is done. Whoever came first goes first, priorities aside. Knows neither tensors nor models.

import { Queue, type QueueLimits, type Task } from './queue.js';

export interface Member {
  readonly task: Task;
  readonly rows: number;
}

export interface GroupOptions<M extends Member> {
  /** Its batches run on this thread, none of which waits for a worker. */
  readonly here: boolean;
  /** Rows of a batch; one member may have more. */
  readonly maxRows: number;
  /** A batch is one member. */
  readonly alone: boolean;
  /** Runs a batch and answers its members. Never rejects. */
  readonly run: (batch: readonly M[]) => void | Promise<void>;
  /** A member was given up: it is in no batch. */
  readonly left: (member: M) => void;
}

/**
 * Rows from which on a product is computed about as fast as it can be: what waits is split over workers into batches of
 * no fewer (bench/gemm).
 */
const LEAST_ROWS = 32;

/** Members in the order in which they go. */
export class Group<M extends Member = Member> {
  readonly here: boolean;
  readonly options: GroupOptions<M>;
  private readonly members: M[] = [];
  /** Of its members, those who gave up and were not passed by yet among them. */
  private rows = 0;

  constructor(options: GroupOptions<M>) {
    this.here = options.here;
    this.options = options;
  }

  add(member: M): void {
    this.rows += member.rows;
    let at = this.members.length;
    while (at > 0 && this.members[at - 1]!.task.rank > member.task.rank) at--;
    if (at === this.members.length) this.members.push(member);
    else this.members.splice(at, 0, member);
  }

  /** Who goes first; undefined where nobody waits. */
  first(): M | undefined {
    for (let first = this.members[0]; first; first = this.members[0]) {
      if (first.task.check()) return first;
      this.members.shift();
      this.rows -= first.rows;
      this.options.left(first);
    }
    return undefined;
  }

  /** Whether nobody more fits into its next batch. */
  full(): boolean {
    return this.options.alone || this.rows >= this.options.maxRows;
  }

  /** The next batch: about a `share`-th of who waits, where that is not too little to be worth its while. */
  take(share = 1): M[] {
    const { alone, left } = this.options;
    const maxRows = Math.min(this.options.maxRows, Math.max(LEAST_ROWS, Math.ceil(this.rows / share)));
    const batch: M[] = [];
    let rows = 0;
    let passed = 0;
    for (const member of this.members) {
      if (batch.length > 0 && (alone || rows + member.rows > maxRows)) break;
      passed++;
      this.rows -= member.rows;
      if (member.task.start()) {
        batch.push(member);
        rows += member.rows;
      } else {
        left(member);
      }
    }
    if (passed === this.members.length) this.members.length = 0;
    else this.members.splice(0, passed);
    return batch;
  }
}

export interface SchedulerOptions {
  /** Batches with workers at a time: one that runs and one behind it for each worker keeps them busy. */
  readonly room: number;
  /** How long the first of a batch waits for company, though there is room. */
  readonly maxDelayUs: number;
  readonly maxBatchRows: number;
  readonly queue: QueueLimits;
}

export class Scheduler {
  readonly queue: Queue;
  readonly maxBatchRows: number;
  private readonly options: SchedulerOptions;
  private readonly here = new Set<Group>();
  private readonly away = new Set<Group>();
  private turnEnds = false;
  private delay: NodeJS.Timeout | undefined;
  private running = 0;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.maxBatchRows = options.maxBatchRows;
    this.queue = new Queue(options.queue);
  }

  /** Batches that are with workers. */
  get batchesRunning(): number {
    return this.running;
  }

  add<M extends Member>(group: Group<M>, member: M): void {
    group.add(member);
    (group.here ? this.here : this.away).add(group as unknown as Group);
    this.atEndOfTurn();
  }

  /** Once what has arrived is read: batches are larger, and answers written together wake their reader once. */
  private atEndOfTurn(): void {
    if (this.turnEnds) return;
    this.turnEnds = true;
    setImmediate(() => this.endTurn());
  }

  private endTurn(): void {
    this.turnEnds = false;
    for (const group of this.here) {
      this.here.delete(group);
      while (group.first()) void this.run(group);
    }
    this.fill();
  }

  /** Sends batches to workers while there is room. */
  private fill(): void {
    while (this.running < this.options.room) {
      const next = this.next();
      if (!next) return;
      this.running++;
      void Promise.resolve(this.run(next, this.options.room - this.running + 1)).then(() => {
        this.running--;
        this.fill();
      });
    }
  }

  private run(group: Group, share = 1): void | Promise<void> {
    const batch = group.take(share);
    if (batch.length === 0) return;
    const { waitSeconds, batchRows, batchForwards, batchSeconds } = this.queue.tallies;
    const start = performance.now();
    let rows = 0;
    for (const { task, rows: own } of batch) {
      rows += own;
      waitSeconds.add((start - task.arrivedAt) / 1000);
    }
    batchRows.add(rows);
    batchForwards.add(batch.length);
    const done = (): void => {
      batchSeconds.add((performance.now() - start) / 1000);
      this.queue.served(batch[0]!.task.line, batch.length);
    };
    const running = group.options.run(batch);
    return running ? running.then(done) : done();
  }

  /** Among the groups that may go, the one whose first member goes first. */
  private next(): Group | undefined {
    const { maxDelayUs } = this.options;
    const due = performance.now() - maxDelayUs / 1000;
    let best: Group | undefined;
    let rank = Infinity;
    let wait = Infinity;
    for (const group of this.away) {
      const first = group.first();
      if (!first) {
        this.away.delete(group);
      } else if (maxDelayUs > 0 && first.task.arrivedAt > due && !group.full()) {
        wait = Math.min(wait, first.task.arrivedAt - due);
      } else if (first.task.rank < rank) {
        best = group;
        rank = first.task.rank;
      }
    }
    if (!best && wait < Infinity) this.fillAfter(wait);
    return best;
  }

  /** Timers count in milliseconds; what is shorter is waited for turn by turn. */
  private fillAfter(ms: number): void {
    if (ms < 1) return this.atEndOfTurn();
    this.delay ??= setTimeout(() => {
      this.delay = undefined;
      this.fill();
    }, Math.floor(ms));
  }
}
