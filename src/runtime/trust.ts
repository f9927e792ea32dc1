// Whether to let others help, learnt from how it went. Where a helper is not given a core for itself, the leader waits
// for its part longer than the part would have taken: on a machine with other work to do, or less of it than it says.

/** Steps alone after help that cost time: as many again each time in a row, up to this. */
const MAX_ALONE = 256;

export class Trust {
  private alone = 0;
  private left = 0;

  /** Whether the next step is shared. */
  ask(): boolean {
    if (this.left === 0) return true;
    this.left--;
    return false;
  }

  /** How long a shared step took, and how long it would have taken here alone. */
  learn(sharedMs: number, aloneMs: number): void {
    this.alone = sharedMs <= aloneMs ? 0 : Math.min(MAX_ALONE, Math.max(1, 2 * this.alone));
    this.left = this.alone;
  }
}
