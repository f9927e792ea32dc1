import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Tallies } from '#src/models/tally.js';
import { exposeScheduler, type MeasuredModel } from '#src/plugins/scheduler-metrics.js';

function expose(models: readonly MeasuredModel[] = []) {
  const tallies = new Tallies();
  const metrics = new Registry();
  const scheduler = { queue: { depth: 3, tallies }, batchesRunning: 2 };
  exposeScheduler(metrics, { scheduler, models: () => models });
  return { tallies, text: () => metrics.metrics() };
}

describe('the metrics of the scheduler', () => {
  it('tell depth, batches and outcomes, each outcome from the beginning', async () => {
    const { tallies, text } = expose();
    tallies.requests.expired = 4;
    const lines = (await text()).split('\n');
    expect(lines).toContain('weightroom_queue_depth 3');
    expect(lines).toContain('weightroom_batches_running 2');
    expect(lines).toContain('weightroom_scheduled_total{outcome="expired"} 4');
    expect(lines).toContain('weightroom_scheduled_total{outcome="cancelled"} 0');
    expect((await text()).split('\n')).toContain('weightroom_scheduled_total{outcome="expired"} 4');
  });

  it('count into cumulative buckets, a value at a bound below it, one past all bounds in +Inf alone', async () => {
    const { tallies, text } = expose();
    for (const rows of [1, 2, 3, 5000]) tallies.batchRows.add(rows);
    const lines = (await text()).split('\n');
    for (const [le, value] of [
      ['1', 1],
      ['2', 2],
      ['4', 3],
      ['4096', 3],
      ['+Inf', 4],
    ] as const)
      // prettier-ignore
      expect(lines).toContain(`weightroom_batch_rows_bucket{le="${le}"} ${value}`);
    expect(lines).toContain('weightroom_batch_rows_sum 5006');
    expect(lines).toContain('weightroom_batch_rows_count 4');
  });

  it('have a series for each of the 32 largest models and one for all others', async () => {
    const models = Array.from({ length: 40 }, (_, i) => ({ name: `m${i}`, bytes: 100 + i }));
    const lines = (await expose(models).text())
      .split('\n')
      .filter((line) => line.startsWith('weightroom_model_bytes'));
    expect(lines).toHaveLength(33);
    expect(lines).toContain('weightroom_model_bytes{model="m39"} 139');
    expect(lines).not.toContain('weightroom_model_bytes{model="m7"} 107');
    expect(lines).toContain('weightroom_model_bytes{model="(others)"} 828');
  });
});
