import { expect, it } from 'vitest';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';
import { MAX_INLINE_FLOPS, measureThreshold, MIN_INLINE_FLOPS } from '#src/runtime/threshold.js';

it('measures the way to a worker and the speed of this thread, within bounds, and leaves nothing behind', async () => {
  const memory = new SharedMemory({ limitBytes: 2 ** 24 });
  const pool = new Pool({ workers: 1, memory, timeoutMs: 30_000 });
  await pool.ready();
  const { roundTripUs, flopsPerUs, inlineFlops } = await measureThreshold(pool, memory);
  expect(pool.figure('plans')).toBeGreaterThan(0);
  expect(roundTripUs).toBeGreaterThan(0);
  expect(flopsPerUs).toBeGreaterThan(0);
  const product = Math.round(roundTripUs * flopsPerUs);
  expect(inlineFlops).toBe(Math.min(MAX_INLINE_FLOPS, Math.max(MIN_INLINE_FLOPS, product)));
  expect(memory.bytesInUse).toBe(0);
  await pool.close();
});
