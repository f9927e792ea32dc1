import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { exposeRuntime } from '#src/plugins/runtime-metrics.js';
import { Ring, type Figure } from '#src/runtime/ring.js';

it('the metrics of threads tell what workers counted, and both places where plans run, each time from the beginning', async () => {
  const ring = new Ring();
  ring.count('busySeconds', 1.5);
  ring.count('calls', 7);
  ring.count('plans', 5);
  ring.count('planSeconds', 0.75);
  ring.count('parts', 2);
  const metrics = new Registry();
  exposeRuntime(metrics, {
    pool: { size: 2, load: { queued: 3, running: 4 }, figure: (name: Figure) => ring.figure(name) },
    dispatcher: { inlineFlops: 65_536, here: { plans: 9, planSeconds: 0.25 } },
  });
  await metrics.metrics();
  const lines = (await metrics.metrics()).split('\n');
  for (const line of [
    'weightroom_workers 2',
    'weightroom_calls_queued 3',
    'weightroom_calls_running 4',
    'weightroom_inline_flops 65536',
    'weightroom_worker_busy_seconds_total 1.5',
    'weightroom_worker_calls_total 7',
    'weightroom_worker_parts_total 2',
    'weightroom_plans_total{thread="main"} 9',
    'weightroom_plans_total{thread="worker"} 5',
    'weightroom_plan_seconds_total{thread="main"} 0.25',
    'weightroom_plan_seconds_total{thread="worker"} 0.75',
  ])
    expect(lines).toContain(line);
});
