// How long it pays to look again before going to sleep, learnt from how the last looks ended. Whoever looks is reached
// without a system call and goes on at once, and holds a core meanwhile: on a machine with other work to do, that may be
// the core on which the awaited thread would run.

/** A shorter look ends before anything comes. */
const SHORTEST_MS = 0.025;
/** Waits without a look, once looks were in vain; then one to see whether times have changed. */
const RETRY = 64;

export class Patience {
  /** How long to look; 0: not at all. */
  ms: number;
  private readonly longestMs: number;
  private skipped = 0;

  constructor(longestMs: number) {
    this.longestMs = longestMs;
    this.ms = longestMs;
  }

  /** What was awaited came while somebody looked. */
  rewarded(): void {
    this.ms = this.longestMs;
  }

  /** It did not, or nobody looked. */
  disappointed(): void {
    if (this.ms > SHORTEST_MS) this.ms /= 2;
    else if (this.ms > 0) {
      this.ms = 0;
      this.skipped = 0;
    } else if (++this.skipped === RETRY) this.ms = SHORTEST_MS;
  }
}
