// Forwards that can run together, and how.

import { WaitingList, type Waiting } from './waiting-list.js';

export interface GroupOptions<M extends Waiting> {
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

export class Group<M extends Waiting = Waiting> {
  readonly here: boolean;
  readonly run: (batch: readonly M[]) => void | Promise<void>;
  private readonly waiting: WaitingList<M>;
  private readonly maxRows: number;
  private readonly alone: boolean;

  constructor({ here, maxRows, alone, run, left }: GroupOptions<M>) {
    this.here = here;
    this.maxRows = maxRows;
    this.alone = alone;
    this.run = run;
    this.waiting = new WaitingList(left);
  }

  add(member: M): void {
    this.waiting.add(member);
  }

  first(): M | undefined {
    return this.waiting.first();
  }

  /** Whether nobody more fits into its next batch. */
  full(): boolean {
    return this.alone || this.waiting.size >= this.maxRows;
  }

  /** The next batch: about a `share`-th of who waits, where that is not too little to be worth its while. */
  take(share: number): M[] {
    if (this.alone) return this.waiting.take(0, 1);
    const rows = Math.max(LEAST_ROWS, Math.ceil(this.waiting.size / share));
    return this.waiting.take(Math.min(rows, this.maxRows));
  }
}
