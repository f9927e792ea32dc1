// How a worker waits for its bell: it spins for a moment where a core is free for that, then it sleeps.
// A spinning worker is reached without a system call and starts at once; one that sleeps costs nothing.

import type { Ring } from './ring.js';

/** About as long as the operating system takes to wake a thread: waiting longer costs more than sleeping (bench/dispatch). */
const SPIN_MS = 0.05;
/** Looks at the bell between two looks at the clock. */
const LOOKS = 256;

export interface RestOptions {
  readonly rings: readonly Ring[];
  /** The number of the worker that rests. */
  readonly index: number;
  /** Workers that may be awake for one of them to spin: one less than there are cores, which is the main thread's. */
  readonly awake: number;
}

/** Returns once the bell has rung since `rung` was read. */
export function rest(rung: number, { rings, index, awake }: RestOptions): void {
  const ring = rings[index]!;
  ring.state = 'spinning';
  if (countAwake(rings) <= awake) {
    ring.count('spins');
    const end = performance.now() + SPIN_MS;
    do {
      for (let i = 0; i < LOOKS; i++) if (ring.rung !== rung) return;
    } while (performance.now() < end);
  }
  ring.state = 'asleep';
  ring.count('sleeps');
  while (ring.rung === rung) ring.sleep(rung);
}

function countAwake(rings: readonly Ring[]): number {
  let awake = 0;
  for (const { state } of rings) if (state !== 'asleep') awake++;
  return awake;
}
