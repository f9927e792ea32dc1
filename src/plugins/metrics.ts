// GET /metrics: the process, the requests by route, and the models, as Prometheus reads them.
// Each app has its own registry, so that two in one process do not share counters.

import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { gauge } from './gauge.js';
import { exposeRuntime, type MeasuredDispatcher, type MeasuredPool } from './runtime-metrics.js';
import { exposeScheduler, type MeasuredModel, type MeasuredScheduler } from './scheduler-metrics.js';

export interface Measured {
  readonly models: {
    readonly size: number;
    readonly scheduler: MeasuredScheduler;
    readonly dispatcher: MeasuredDispatcher;
    all(): Iterable<MeasuredModel>;
  };
  readonly memory: { readonly bytesInUse: number; readonly limitBytes: number };
  readonly pool: MeasuredPool;
}

export function exposeMetrics(app: FastifyInstance, { models, memory, pool }: Measured): void {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const seconds = new Histogram({
    name: 'weightroom_http_request_seconds',
    help: 'Time from a request to its answer.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [metrics],
  });
  gauge(metrics, 'weightroom_models', 'Models in memory.', () => models.size);
  gauge(metrics, 'weightroom_memory_bytes', 'Bytes in use by models.', () => memory.bytesInUse);
  gauge(metrics, 'weightroom_memory_limit_bytes', 'Bytes that models may use.', () => memory.limitBytes);
  exposeRuntime(metrics, { pool, dispatcher: models.dispatcher });
  exposeScheduler(metrics, { scheduler: models.scheduler, models: () => models.all() });

  app.addHook('onResponse', (request, reply, done) => {
    // Never the URL itself: a client could make a series of each.
    const route = request.routeOptions.url ?? 'none';
    seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    done();
  });
  app.get('/metrics', { schema: { hide: true }, config: { always: true } }, async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.metrics();
  });
}
