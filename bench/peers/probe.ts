// Tells from inside a server's process what its main thread did since it was asked last. Where the system tells how long
// a thread really ran (Linux), other processes of a busy machine are not counted; elsewhere they are.

import { openSync, readSync } from 'node:fs';
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';

/** What a probe tells, in milliseconds. */
export interface Probed {
  /** The longest that a timer of 1 ms was late. */
  readonly late: number;
  /** The longest that the main thread ran from one timer to the next. */
  readonly turn: number;
  /** How long it ran in all. */
  readonly busy: number;
}

const INTERVAL_MS = 1;

/** How long this thread ran so far, and since when it is measured, in milliseconds. */
function clockOfThread(): () => number {
  try {
    const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
    const bytes = Buffer.alloc(64);
    return () => {
      const length = readSync(file, bytes, 0, bytes.length, 0);
      return Number.parseInt(bytes.toString('latin1', 0, length)) / 1e6;
    };
  } catch {
    return () => performance.eventLoopUtilization().active;
  }
}

export function answerProbes(port: number): void {
  const ran = clockOfThread();
  let [late, turn] = [0, 0];
  let [asked, before, tickedAt] = [ran(), ran(), performance.now()];
  const timer = setInterval(() => {
    const [now, running] = [performance.now(), ran()];
    late = Math.max(late, now - tickedAt - INTERVAL_MS);
    turn = Math.max(turn, running - before);
    [tickedAt, before] = [now, running];
  }, INTERVAL_MS);
  timer.unref();
  const server = createServer((_request, response) => {
    const running = ran();
    const probed: Probed = { late, turn, busy: running - asked };
    [late, turn, asked] = [0, 0, running];
    response.end(JSON.stringify(probed));
  });
  server.listen(port, '127.0.0.1');
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
  });
}
