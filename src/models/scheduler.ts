// When forwards run, and which run together. Those that wait for the same plan on the same revision (a group) become one
// batch: at the end of the event loop's turn, or, while as many batches are with workers as there is room for, once one
// of these is done. Whoever came first goes first, priorities aside. Knows neither tensors nor models.

import type { Group } from './group.js';
import { Queue, type QueueLimits } from './queue.js';
import { Turns } from './turns.js';
import type { Waiting } from './waiting-list.js';

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
  /** Of what only reads, and is not done in batches. */
  readonly turns: Turns;
  private readonly options: SchedulerOptions;
  private readonly here = new Set<Group>();
  private readonly away = new Set<Group>();
  /** Batches that lack memory, and hold none. */
  private readonly lacking: ((freed: boolean) => void)[] = [];
  private turnEnds = false;
  private delay: NodeJS.Timeout | undefined;
  private running = 0;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.maxBatchRows = options.maxBatchRows;
    this.queue = new Queue(options.queue);
    this.turns = new Turns(options.room);
  }

  /** Batches that are with workers. */
  get batchesRunning(): number {
    return this.running;
  }

  add<M extends Waiting>(group: Group<M>, member: M): void {
    group.add(member);
    // What costs next to nothing does not fill the queue, however much of it comes in one turn.
    if (group.here && group.full()) return void this.run(group as unknown as Group);
    (group.here ? this.here : this.away).add(group as unknown as Group);
    this.atEndOfTurn();
  }

  /** Once what has arrived is read: batches are larger, and answers written together wake their reader once. */
  private atEndOfTurn(): void {
    if (this.turnEnds) return;
    this.turnEnds = true;
    setImmediate(() => this.endTurn());
  }

  /** For a batch that lacks memory: true once another is done, false where no other that has some is running. */
  anotherDone(): Promise<boolean> {
    if (this.running - this.lacking.length <= 1) return Promise.resolve(false);
    return new Promise((resolve) => this.lacking.push(resolve));
  }

  private endTurn(): void {
    this.turnEnds = false;
    for (const group of this.here) {
      this.here.delete(group);
      while (group.first()) void this.run(group);
    }
    this.fill();
  }

  /** Sends batches to workers while there is room; and none while one lacks memory, which new ones would go on taking. */
  private fill(): void {
    while (this.lacking.length === 0 && this.running < this.options.room) {
      const next = this.next();
      if (!next) return;
      this.running++;
      void Promise.resolve(this.run(next, this.options.room - this.running + 1)).then(() => {
        this.running--;
        if (this.lacking.length === 0) return this.fill();
        // Those who lack memory try before others begin.
        for (const resolve of this.lacking.splice(0)) resolve(true);
        this.atEndOfTurn();
      });
    }
  }

  private run(group: Group, share = 1): void | Promise<void> {
    const batch = group.take(share);
    if (batch.length === 0) return;
    const { waitSeconds, batchRows, batchForwards, batchSeconds } = this.queue.tallies;
    const start = performance.now();
    let rows = 0;
    for (const { task, size } of batch) {
      rows += size;
      waitSeconds.add((start - task.arrivedAt) / 1000);
    }
    batchRows.add(rows);
    batchForwards.add(batch.length);
    const done = (): void => {
      batchSeconds.add((performance.now() - start) / 1000);
      this.queue.served(batch[0]!.task.line, batch.length);
    };
    const running = group.run(batch);
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
