// When to say no: the thresholds past which requests are answered 503, and the time between the signal to stop and the end.
// A route with `config: { always: true }` answers all the same: somebody must be able to ask how we are.

import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
import { ApiError } from '../errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    always?: boolean;
  }
}

export async function shedLoad(app: FastifyInstance, config: Config): Promise<void> {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  // In place of Fastify's return503OnClosing, whose answer is no problem document.
  app.addHook('onRequest', (request, _reply, done) => {
    done(closing && !request.routeOptions.config.always ? new ApiError('SHUTTING_DOWN') : undefined);
  });
  await app.register(underPressure, {
    maxEventLoopDelay: config.pressureEventLoopDelayMs,
    maxHeapUsedBytes: config.pressureHeapBytes,
    maxRssBytes: config.pressureRssBytes,
    // It has to reject: what it throws is not caught.
    pressureHandler: async (request: FastifyRequest, _reply, type: string) => {
      if (!request.routeOptions.config.always) throw new ApiError('OVERLOADED', [type]);
    },
  });
}
