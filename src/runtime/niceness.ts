// Who computes lets those go first who read and answer.

import { getPriority, setPriority } from 'node:os';

/**
 * With as many busy threads as cores, or more, the main thread waits for its turn like any other. Under four times the
 * load that can be served, /readyz took 270 to 2300 ms at its 99th percentile without this, and 20 to 80 ms with it
 * (bench/overload, 2 cores, three runs each).
 */
const NICENESS = 5;
const MAX_NICENESS = 19;

/** The calling thread's alone: on Linux each has its own, elsewhere it would be the whole process's. */
export function beNice(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Math.min(getPriority() + NICENESS, MAX_NICENESS));
  } catch {
    // A sandbox that forbids it: then nobody goes first.
  }
}
