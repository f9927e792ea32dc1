// A connection on which a request was refused is not read for a moment: what its client sends meanwhile waits in the
// kernel, whose window holds the client back, and not in turns of the event loop that those need who are served. The
// answer is on its way before. In all, only so many of these connections are read again in a second: a moment is short
// where few are refused, and a second at most, the least that Retry-After says.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** How often some are read again, and how many: a second of them costs the event loop less than a tenth of it. */
export const INTERVAL_MS = 10;
export const READ_PER_INTERVAL = 20;
const MAX_MS = 1000;

interface Held {
  readonly socket: Socket;
  readonly since: number;
}

let refused: Socket[] = [];
const held: Held[] = [];
let timer: NodeJS.Timeout | undefined;

/** For a request that has been answered; the rest of its body is read and dropped. */
export function holdOff(request: IncomingMessage): void {
  request.resume();
  // Resuming the request resumes its connection, some ticks later.
  if (refused.push(request.socket) === 1) setImmediate(pauseAll);
}

function pauseAll(): void {
  const since = performance.now();
  for (const socket of refused) {
    if (socket.destroyed || socket.isPaused()) continue;
    socket.pause();
    held.push({ socket, since });
  }
  refused = [];
  timer ??= setTimeout(readSome, INTERVAL_MS);
}

function readSome(): void {
  const late = performance.now() - MAX_MS;
  let count = 0;
  while (count < held.length && (count < READ_PER_INTERVAL || held[count]!.since < late)) {
    held[count++]!.socket.resume();
  }
  held.splice(0, count);
  timer = held.length > 0 ? setTimeout(readSome, INTERVAL_MS) : undefined;
}
