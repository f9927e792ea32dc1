// When what an answer is made of may be let go: once it was handed to the operating system, or nobody is there to read it.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** By connection: what its answers hold. An answer that waits behind another one hears nothing of its end but this. */
const holds = new WeakMap<Socket, Set<() => void>>();

/** Calls `release` once, when the answer is out or its connection is gone. */
export function whenSent(response: ServerResponse, release: () => void): void {
  const { socket } = response.req;
  if (response.closed || socket.destroyed) return release();
  const held = holds.get(socket) ?? watch(socket);
  const once = (): void => {
    if (held.delete(once)) release();
  };
  held.add(once);
  response.once('close', once);
}

function watch(socket: Socket): Set<() => void> {
  const held = new Set<() => void>();
  holds.set(socket, held);
  socket.once('close', () => {
    for (const release of held) release();
  });
  return held;
}
