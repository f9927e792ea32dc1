// The end of the server as its connections see it: what is being answered is answered whole, and no connection is
// waited for after that. How long all of it may take is for main.ts to say.

import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export function closeAfterAnswers(app: FastifyInstance): void {
  /** By connection: of answers queued behind another, one whose connection breaks is told nothing. */
  const answers = new Map<Socket, Set<ServerResponse>>();
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    answers.set(socket, new Set());
    socket.once('close', () => answers.delete(socket));
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    // A connection that was busy when the server closed would stay open, idle, until its keep-alive ran out.
    if (closing) reply.header('connection', 'close');
    answers.get(request.raw.socket)?.add(reply.raw);
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    answers.get(request.raw.socket)?.delete(reply.raw);
    // The header had gone out before the server closed.
    if (closing && reply.raw.shouldKeepAlive) request.raw.socket.destroySoon();
    done();
  });
  // Server.close takes a connection for idle once its answer is given to it, and cuts what the client did not yet read.
  app.addHook('preClose', async () => {
    closing = true;
    for (;;) {
      const unread = [...answers].filter(([, those]) => [...those].some((answer) => isUnread(answer)));
      if (unread.length === 0) return;
      await Promise.all(unread.map(([socket, those]) => Promise.race([socket, ...those].map(closed))));
    }
  });
}

function isUnread(answer: ServerResponse): boolean {
  return answer.writableEnded && !answer.closed;
}

/** Not events.once, which rejects when the connection breaks. */
function closed(stream: Socket | ServerResponse): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}
