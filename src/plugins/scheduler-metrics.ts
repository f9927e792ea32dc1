// What /metrics tells of the scheduler: who waits, how long, in what batches, how it ended; and what each model takes.
// All of it is counted elsewhere, as cheap as an increment, and read when it is asked for.

import { Counter, Gauge, type Metric, type Registry } from 'prom-client';
import { gauge } from './gauge.js';
import { OUTCOMES, type Distribution, type Tallies } from '../models/tally.js';

export interface MeasuredModel {
  readonly name: string;
  /** Of parameters, buffers and panels. */
  readonly bytes: number;
}

export interface MeasuredScheduler {
  readonly queue: { readonly depth: number; readonly tallies: Tallies };
  readonly batchesRunning: number;
}

/** Series of models: the largest have one each, the others one together. */
const MAX_MODELS = 32;
/** No model can have this name. */
const OTHERS = '(others)';

export function exposeScheduler(
  metrics: Registry,
  { scheduler, models }: { scheduler: MeasuredScheduler; models: () => Iterable<MeasuredModel> },
): void {
  const { queue } = scheduler;
  const { waitSeconds, batchRows, batchForwards, batchSeconds, requests } = queue.tallies;
  gauge(metrics, 'weightroom_queue_depth', 'Forwards and changes that wait.', () => queue.depth);
  gauge(
    metrics,
    'weightroom_batches_running',
    'Batches that are with workers.',
    () => scheduler.batchesRunning,
  );
  histogram(metrics, 'weightroom_forward_wait_seconds', 'Time that a forward waits to be run.', waitSeconds);
  histogram(metrics, 'weightroom_batch_rows', 'Rows of a batch.', batchRows);
  histogram(metrics, 'weightroom_batch_forwards', 'Forwards of a batch.', batchForwards);
  histogram(
    metrics,
    'weightroom_batch_seconds',
    'Time from the start of a batch to its outputs.',
    batchSeconds,
  );
  new Counter({
    name: 'weightroom_scheduled_total',
    help: 'Forwards and changes by how they ended.',
    labelNames: ['outcome'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const outcome of OUTCOMES) this.inc({ outcome }, requests[outcome]);
    },
  });
  new Gauge({
    name: 'weightroom_model_bytes',
    help: `Bytes of a model: parameters, buffers and panels. The ${MAX_MODELS} largest; the rest is ${OTHERS}.`,
    labelNames: ['model'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { name, bytes } of largest(models())) this.set({ model: name }, bytes);
    },
  });
}

function largest(models: Iterable<MeasuredModel>): MeasuredModel[] {
  const all = [...models].map(({ name, bytes }) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
  if (all.length <= MAX_MODELS) return all;
  const bytes = all.slice(MAX_MODELS).reduce((sum, model) => sum + model.bytes, 0);
  return [...all.slice(0, MAX_MODELS), { name: OTHERS, bytes }];
}

/** prom-client's own Histogram makes several objects of each observation; this one only reads what is counted. */
function histogram(registry: Registry, name: string, help: string, distribution: Distribution): void {
  const metric = {
    name,
    get: async () => ({
      name,
      help,
      type: 'histogram',
      values: valuesOf(name, distribution),
      aggregator: 'sum',
    }),
    reset: () => undefined,
  };
  // What a registry asks of a metric; the type lists those that prom-client makes itself.
  registry.registerMetric(metric as unknown as Metric);
}

function valuesOf(name: string, { bounds, counts, count, sum }: Distribution) {
  let below = 0;
  const buckets = bounds.map((le, i) => ({
    metricName: `${name}_bucket`,
    labels: { le: String(le) },
    value: (below += counts[i]!),
  }));
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ];
}
