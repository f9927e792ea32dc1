// What is counted while requests are served, as cheap as an increment: /metrics reads it when it is asked.

/** How often a value fell between bounds. */
export class Distribution {
  /** Upper bounds, ascending; a value above all of them counts in `count` alone. */
  readonly bounds: readonly number[];
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.count++;
    this.sum += value;
    const { bounds } = this;
    for (let i = 0; i < bounds.length; i++) {
      if (value > bounds[i]!) continue;
      this.counts[i]!++;
      return;
    }
  }
}

const SECONDS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const POWERS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/** How a forward or a change ended for its caller. */
export const OUTCOMES = ['done', 'failed', 'overloaded', 'expired', 'cancelled'] as const;

export type Outcome = (typeof OUTCOMES)[number];

export class Tallies {
  readonly requests: Record<Outcome, number> = {
    done: 0,
    failed: 0,
    overloaded: 0,
    expired: 0,
    cancelled: 0,
  };
  readonly waitSeconds = new Distribution(SECONDS);
  readonly batchSeconds = new Distribution(SECONDS);
  readonly batchRows = new Distribution(POWERS);
  readonly batchForwards = new Distribution(POWERS);
}
