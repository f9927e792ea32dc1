// WebSocket upgrades: where there is one, and how all of them end when the server does.
// Who may open one, and what is said over it, is the stream route's business.

import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { ApiError } from '../errors.js';

/** RFC 6455: the endpoint is going away. */
const GOING_AWAY = 1001;
/** A client that does not answer the closing handshake is not waited for longer. */
const CLOSE_TIMEOUT_MS = 1000;

export async function acceptWebSockets(app: FastifyInstance, config: Config): Promise<void> {
  const streams = new Set<string>();
  app.addHook('onRoute', ({ url, websocket: stream }) => {
    if (stream) streams.add(url);
  });
  await app.register(websocket, {
    options: { maxPayload: config.wsMessageLimitBytes, perMessageDeflate: false, clientTracking: true },
    preClose: (done) => {
      app.server.removeAllListeners('upgrade');
      closeAll(app);
      done();
    },
  });
  // Before the upgrade, so that a refusal is an HTTP answer.
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions;
    const stream = url !== undefined && streams.has(url);
    if (request.ws && !stream && url !== undefined) {
      done(new ApiError('ROUTE_NOT_FOUND', [`${request.url} for a WebSocket`]));
    } else if (!request.ws && stream && request.method === 'GET') {
      reply.header('upgrade', 'websocket');
      done(new ApiError('UPGRADE_REQUIRED', [request.url]));
    } else {
      done();
    }
  });
}

function closeAll(app: FastifyInstance): void {
  const { clients } = app.websocketServer;
  for (const client of clients) client.close(GOING_AWAY, 'the server is shutting down');
  setTimeout(() => {
    for (const client of clients) client.terminate();
  }, CLOSE_TIMEOUT_MS).unref();
  app.websocketServer.close();
}
