// How a worker waits for its bell: it spins for a moment where that pays and a core is free for it, then it sleeps.

import { Patience } from './patience.js';
import type { Ring } from './ring.js';

/** About as long as a call's way back and the next one's way here. */
const LONGEST_SPIN_MS = 0.05;
/** Looks at the bell between two looks at the clock. */
const LOOKS = 256;

export interface RestOptions {
  readonly rings: readonly Ring[];
  /** The number of the worker that rests. */
  readonly index: number;
  /** Workers that may be awake for one of them to spin: one less than there are cores, which is the main thread's. */
  readonly awake: number;
}

export class Rest {
  private readonly ring: Ring;
  private readonly rings: readonly Ring[];
  private readonly awake: number;
  private readonly patience = new Patience(LONGEST_SPIN_MS);

  constructor({ rings, index, awake }: RestOptions) {
    this.ring = rings[index]!;
    this.rings = rings;
    this.awake = awake;
  }

  /** Returns once the bell has rung since `rung` was read. */
  until(rung: number): void {
    const { ring, patience } = this;
    ring.state = 'spinning';
    if (patience.ms > 0 && this.maySpin()) {
      ring.count('spins');
      const end = performance.now() + patience.ms;
      do {
        for (let i = 0; i < LOOKS; i++) {
          if (ring.rung === rung) continue;
          patience.rewarded();
          return;
        }
      } while (performance.now() < end);
    }
    patience.disappointed();
    ring.state = 'asleep';
    ring.count('sleeps');
    while (ring.rung === rung) ring.sleep(rung);
  }

  /** Whether there is a core for it besides the main thread's, or soon another part to take. */
  private maySpin(): boolean {
    let awake = 0;
    for (const { state } of this.rings) {
      if (state === 'leading') return true;
      if (state !== 'asleep') awake++;
    }
    return awake <= this.awake;
  }
}
