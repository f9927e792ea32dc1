// How many are served in a second, from what was served lately; and from it, when to come again.

/** Served for shorter than that, a rate is a guess; longer ago, it is history. */
const WINDOW_MS = 500;
const MAX_RETRY_SECONDS = 60;

export class ServiceRate {
  private since = 0;
  private served = 0;
  private perMs = 0;

  /** `now` as of performance.now(). */
  add(served: number, now: number): void {
    const elapsed = now - this.since;
    if (elapsed > 2 * WINDOW_MS) {
      // Nothing was asked for meanwhile, or nothing was served: either way a rate begins anew.
      this.since = now;
      this.served = 0;
      return;
    }
    this.served += served;
    if (elapsed < WINDOW_MS) return;
    this.perMs = this.served / elapsed;
    this.since = now;
    this.served = 0;
  }

  /** Whole seconds, 1 at least, after which as many as wait now will have been served. */
  retryAfterSeconds(waiting: number): number {
    if (this.perMs === 0) return 1;
    return Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil(waiting / this.perMs / 1000)));
  }
}
