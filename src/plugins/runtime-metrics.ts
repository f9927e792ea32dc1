// What /metrics tells of threads: who computes how much, and where. All of it is counted elsewhere, as cheap as an
// increment, and read when it is asked for.

import { Counter, type Registry } from 'prom-client';
import type { Figure } from '../runtime/ring.js';
import { gauge } from './gauge.js';

export interface MeasuredPool {
  readonly size: number;
  readonly load: { readonly queued: number; readonly running: number };
  figure(name: Figure): number;
}

export interface MeasuredDispatcher {
  readonly inlineFlops: number;
  readonly here: { readonly plans: number; readonly planSeconds: number };
}

const WORKERS: readonly (readonly [figure: Figure, name: string, help: string])[] = [
  ['busySeconds', 'weightroom_worker_busy_seconds_total', 'Time that workers computed, all together.'],
  ['calls', 'weightroom_worker_calls_total', 'Calls that workers answered.'],
  ['parts', 'weightroom_worker_parts_total', "Parts that workers took of other workers' steps."],
  ['spins', 'weightroom_worker_spins_total', 'Times that a worker looked for work before it slept.'],
  ['sleeps', 'weightroom_worker_sleeps_total', 'Times that a worker slept.'],
];

export function exposeRuntime(
  metrics: Registry,
  { pool, dispatcher }: { pool: MeasuredPool; dispatcher: MeasuredDispatcher },
): void {
  const { here } = dispatcher;
  const registers = [metrics];
  gauge(metrics, 'weightroom_workers', 'Threads that compute.', () => pool.size);
  gauge(metrics, 'weightroom_calls_queued', 'Calls that wait for a worker.', () => pool.load.queued);
  gauge(metrics, 'weightroom_calls_running', 'Calls that are with a worker.', () => pool.load.running);
  gauge(
    metrics,
    'weightroom_inline_flops',
    'Plans of more floating-point operations run on workers.',
    () => dispatcher.inlineFlops,
  );
  for (const [figure, name, help] of WORKERS) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(pool.figure(figure));
      },
    });
  }
  const byPlace = (name: string, help: string, main: () => number, worker: () => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['thread'],
      registers,
      collect() {
        this.reset();
        this.inc({ thread: 'main' }, main());
        this.inc({ thread: 'worker' }, worker());
      },
    });
  };
  byPlace(
    'weightroom_plans_total',
    'Plans by the thread that ran them.',
    () => here.plans,
    () => pool.figure('plans'),
  );
  byPlace(
    'weightroom_plan_seconds_total',
    'Time that plans took, by the thread that ran them.',
    () => here.planSeconds,
    () => pool.figure('planSeconds'),
  );
}
