// Waits until nobody else computes on this machine, and says how much others did.

import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Cores that others may keep busy: a browser's tab, not a build. */
const QUIET_CORES = 0.1;
const PROBE_MS = 100;

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/** How many cores are busy while this process sleeps. */
export async function busyCores(): Promise<number> {
  const [from, start] = [busyMs(), performance.now()];
  await delay(PROBE_MS);
  return (busyMs() - from) / (performance.now() - start);
}

/** Waits for a quiet machine, for at most so long; answers the load it found last. */
export async function quiet(patienceMs: number): Promise<number> {
  for (const end = performance.now() + patienceMs; ;) {
    const busy = await busyCores();
    if (busy < QUIET_CORES || performance.now() > end) return busy;
  }
}
