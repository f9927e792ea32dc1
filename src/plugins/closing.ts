// The end of the server as its connections see it: what is being answered is answered whole, and no connection is
// waited for after that. How long all of it may take is for main.ts to say.

import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whether the server has begun to close. */
export function closeAfterAnswers(app: FastifyInstance): () => boolean {
  /** By connection: what is not yet given to the network, in order; the last one, perhaps, is. */
  const answers = new Map<Socket, ServerResponse[]>();
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    answers.set(socket, []);
    socket.once('close', () => answers.delete(socket));
  });
  // For every request there is: no more than this.
  app.server.on('request', ({ socket }, answer) => {
    const own = answers.get(socket);
    if (own === undefined) return;
    while (own[0]?.closed) own.shift();
    own.push(answer);
  });
  // Server.close takes a connection for idle once its answer is given to it, and cuts what the client did not yet read.
  app.addHook('preClose', async () => {
    closing = true;
    for (const [socket, own] of answers) endAfter(socket, own.at(-1));
    for (;;) {
      const unread = [...answers].filter(([, those]) => those.some((answer) => isUnread(answer)));
      if (unread.length === 0) return;
      await Promise.all(unread.map(([socket, those]) => Promise.race([socket, ...those].map(closed))));
    }
  });
  return () => closing;
}

/** A connection that was busy when the server closed would stay open, idle, until its keep-alive ran out. */
function endAfter(socket: Socket, last: ServerResponse | undefined): void {
  if (last === undefined) return;
  if (last.closed) {
    // Its client was answered before all of its body was there, and may never send the rest.
    if (!last.req.complete) socket.destroySoon();
  } else if (last.headersSent) {
    // It has told the client that the connection stays.
    last.once('close', () => socket.destroySoon());
  } else {
    last.setHeader('connection', 'close');
  }
}

function isUnread(answer: ServerResponse): boolean {
  return answer.writableEnded && !answer.closed;
}

/** Not events.once, which rejects when the connection breaks. */
function closed(stream: Socket | ServerResponse): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}
