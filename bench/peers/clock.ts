// How every side of a comparison measures itself: a process that reads a job a line and answers a line of JSON.

import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Runs per batch, so that a batch is long enough for the clock. */
const BATCH_SECONDS = 0.001;

/** Seconds a run takes: the best batch of those that fit into `seconds`, after a warm-up as long as a batch. */
export async function clock(run: () => unknown, seconds: number): Promise<number> {
  let runs = 1;
  let best = Infinity;
  const end = performance.now() + seconds * 1000;
  for (;;) {
    // Who has just slept is not interrupted soon: on a busy machine a long run would never be measured whole.
    if (runs === 1) await delay(1);
    const start = performance.now();
    for (let i = 0; i < runs; i++) {
      const pending = run();
      if (pending instanceof Promise) await pending;
    }
    const now = performance.now();
    const taken = (now - start) / 1000;
    if (taken < BATCH_SECONDS && runs < 1e6) {
      runs = Math.ceil(runs * Math.min(10, (1.2 * BATCH_SECONDS) / Math.max(taken, 1e-7)));
    } else {
      best = Math.min(best, taken / runs);
      if (now >= end) return best;
    }
  }
}

/** Answers each job on standard input; ends with it. */
export async function serveJobs<Job>(answer: (job: Job) => Promise<unknown>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Job))}\n`);
  }
}

/** Numbers in [-1, 1) that look random and are always the same. */
export function noise(n: number, seed: number): Float32Array {
  let state = Math.imul(seed, 0x9e37_79b9) | 1;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
}

/** The first, the last and two between. */
export function sampleOf(values: ArrayLike<number>): number[] {
  return [0, 1, 2, 3].map((i) => values[Math.floor((i * (values.length - 1)) / 3)]!);
}
