// WebSocket upgrades: who may open one, where, and how all of them end when the server does.
// What is said over them is the stream route's business.

import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
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
  app.addHook('onRequest', async (request, reply) => {
    const stream = streams.has(request.routeOptions.url ?? '');
    if (request.ws) {
      if (!stream && request.routeOptions.url !== undefined)
        throw new ApiError('ROUTE_NOT_FOUND', ['this path for a WebSocket']);
      const { origin } = request.headers;
      if (!mayConnect(request, config.allowedOrigins))
        throw new ApiError('ORIGIN_NOT_ALLOWED', [JSON.stringify(origin)]);
    } else if (stream && request.method === 'GET') {
      reply.header('upgrade', 'websocket');
      throw new ApiError('UPGRADE_REQUIRED', [request.url]);
    }
  });
}

/** Browsers always send Origin, programs need not: a page of another site is whom this keeps out. */
function mayConnect(request: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

function closeAll(app: FastifyInstance): void {
  const { clients } = app.websocketServer;
  for (const client of clients) client.close(GOING_AWAY, 'the server is shutting down');
  setTimeout(() => {
    for (const client of clients) client.terminate();
  }, CLOSE_TIMEOUT_MS).unref();
  app.websocketServer.close();
}
