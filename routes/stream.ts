// The WebSockets: /v1/stream, about any models, and /v1/models/{model}/stream, about one.
// What may not be opened is refused before the upgrade, as a problem.

import type { FastifyRequest } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import type { Config } from '../src/config.js';
import { ApiError } from '../src/errors.js';
import { ChangeTexts } from '../src/models/change-text.js';
import type { RunnableDirectory } from '../src/models/stream-forwards.js';
import type { HelloMessage } from '../src/models/stream-messages.js';
import type { Directory } from '../src/models/subscriptions.js';
import { originAllowed } from '../src/plugins/origin.js';
import type { App } from '../src/plugins/schema.js';
import { StreamSession, type StreamLimits } from '../src/plugins/stream-session.js';
import { VERSION } from '../src/version.js';

const MiB = 2 ** 20;

export type { StreamLimits };

export const LIMITS: StreamLimits = {
  maxSubscriptions: 64,
  maxModelsPerSubscription: 64,
  maxForwards: 1024,
  highWaterBytes: MiB,
  hardLimitBytes: 8 * MiB,
  graceMs: 2000,
  heartbeatMs: 30_000,
  keptTextLength: 16 * MiB,
};

export interface StreamOptions {
  readonly directory: Directory;
  readonly models: RunnableDirectory;
  readonly config: Pick<Config, 'allowedOrigins' | 'wsMessageLimitBytes'>;
  readonly limits?: Partial<StreamLimits>;
}

export function streamRoutes(app: App, { directory, models, config, ...options }: StreamOptions): void {
  const limits = { ...LIMITS, ...options.limits };
  const texts = new ChangeTexts(limits.keptTextLength);
  const hello = greeting(limits, config.wsMessageLimitBytes);
  const sessions = new Set<StreamSession>();
  const heartbeat = setInterval(() => {
    for (const session of sessions) session.beat();
  }, limits.heartbeatMs).unref();
  app.addHook('onClose', async () => clearInterval(heartbeat));

  const open = (socket: WebSocket, request: FastifyRequest): void => {
    const session = new StreamSession({
      socket,
      connection: request.raw.socket,
      directory,
      models,
      texts,
      limits,
      hello,
      only: modelOf(request),
      log: request.log,
    });
    sessions.add(session);
    socket.on('message', (data: Buffer, isBinary) => session.receive(data, isBinary));
    socket.on('pong', () => session.alive());
    socket.on('close', () => {
      sessions.delete(session);
      session.close();
    });
  };

  const preValidation = async (request: FastifyRequest): Promise<void> => {
    const { headers } = request;
    if (!originAllowed(headers, config.allowedOrigins)) {
      throw new ApiError('ORIGIN_NOT_ALLOWED', [JSON.stringify(headers.origin)]);
    }
    const model = modelOf(request);
    if (model !== undefined && !directory.find(model)) throw new ApiError('MODEL_NOT_FOUND', [model]);
  };

  app.get('/v1/stream', { websocket: true, preValidation }, open);
  app.get('/v1/models/:model/stream', { websocket: true, preValidation }, open);
}

function modelOf({ params }: FastifyRequest): string | undefined {
  return (params as { model?: string }).model;
}

function greeting(limits: StreamLimits, maxMessageBytes: number): HelloMessage {
  return {
    type: 'hello',
    server: { name: 'weightroom', version: VERSION },
    limits: {
      max_message_bytes: maxMessageBytes,
      max_subscriptions: limits.maxSubscriptions,
      max_models_per_subscription: limits.maxModelsPerSubscription,
      max_forwards: limits.maxForwards,
      high_water_bytes: limits.highWaterBytes,
      hard_limit_bytes: limits.hardLimitBytes,
    },
  };
}
