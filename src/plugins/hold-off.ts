// A connection on which a request was refused is not read for a moment: what its client sends meanwhile waits in the
// kernel, whose window holds the client back, and not in turns of the event loop that those need who are served. The
// answer is on its way before. In all, only so many of these connections are read again in a second: a moment is short
// where few are refused, and a second at most, the least that Retry-After says.

import type { IncomingMessage } from 'node:http';

/** How often some are read again, and how many: a thousand in a second cost the event loop a twentieth of it. */
export const INTERVAL_MS = 10;
export const READ_PER_INTERVAL = 10;
const MAX_MS = 1000;

interface Held {
  readonly request: IncomingMessage;
  readonly since: number;
}

let refused: IncomingMessage[] = [];
const held: Held[] = [];
let timer: NodeJS.Timeout | undefined;

/** For a request that has been answered; what is left of its body is read and dropped, a turn's worth at a time. */
export function holdOff(request: IncomingMessage): void {
  request.resume();
  pauseAfterTurn(request);
}

/** Not at once: a request that is resumed resumes its connection some ticks later. */
function pauseAfterTurn(request: IncomingMessage): void {
  if (refused.push(request) === 1) setImmediate(pauseAll);
}

function pauseAll(): void {
  const since = performance.now();
  for (const request of refused) {
    const { socket } = request;
    if (socket.destroyed || socket.isPaused()) continue;
    socket.pause();
    held.push({ request, since });
  }
  refused = [];
  if (held.length > 0) timer ??= setTimeout(readSome, INTERVAL_MS);
}

function readSome(): void {
  const late = performance.now() - MAX_MS;
  let count = 0;
  while (count < held.length && (count < READ_PER_INTERVAL || held[count]!.since < late)) {
    const { request } = held[count++]!;
    request.socket.resume();
    if (!request.complete) pauseAfterTurn(request);
  }
  held.splice(0, count);
  timer = held.length > 0 ? setTimeout(readSome, INTERVAL_MS) : undefined;
}
