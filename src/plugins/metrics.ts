// GET /metrics: the process, the requests by route, and the models, as Prometheus reads them.
// Each app has its own registry, so that two in one process do not share counters.

import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Durations } from './durations.js';
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
  readonly datasets: { readonly size: number; readonly bytes: number };
  readonly memory: { readonly bytesInUse: number; readonly limitBytes: number };
  readonly pool: MeasuredPool;
}

/** The durations are for answers that the framework does not see, too. */
export function exposeMetrics(app: FastifyInstance, { models, datasets, memory, pool }: Measured): Durations {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const durations = new Durations(metrics, {
    name: 'weightroom_http_request_seconds',
    help: 'Time from a request to its answer.',
  });
  gauge(metrics, 'weightroom_models', 'Models in memory.', () => models.size);
  gauge(metrics, 'weightroom_datasets', 'Data sets in memory.', () => datasets.size);
  gauge(metrics, 'weightroom_datasets_bytes', 'Bytes in use by data sets.', () => datasets.bytes);
  gauge(metrics, 'weightroom_memory_bytes', 'Bytes in use by models and data sets.', () => memory.bytesInUse);
  gauge(
    metrics,
    'weightroom_memory_limit_bytes',
    'Bytes that models and data sets may use.',
    () => memory.limitBytes,
  );
  exposeRuntime(metrics, { pool, dispatcher: models.dispatcher });
  exposeScheduler(metrics, { scheduler: models.scheduler, models: () => models.all() });

  app.addHook('onResponse', (request, reply, done) => {
    // Never the URL itself: a client could make a series of each.
    const route = request.routeOptions.url ?? 'none';
    durations.of({ method: request.method, route, status: reply.statusCode }).observe(reply.elapsedTime);
    done();
  });
  app.get('/metrics', { schema: { hide: true }, config: { always: true } }, async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.metrics();
  });
  return durations;
}
