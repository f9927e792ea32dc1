import { afterEach, describe, expect, it } from 'vitest';
import { SharedMemory, type Region } from '#src/runtime/memory.js';
import { Pool, WorkerLostError } from '#src/runtime/pool.js';
import type { CallName, Calls } from '#src/runtime/protocol.js';
import { PART, Surveys } from '#src/runtime/surveys.js';
import { parseIndex, resolveIndex } from '#src/tensor/index-grammar.js';
import { numel, type Shape } from '#src/tensor/shape.js';
import { noise } from '../kernels/instance.js';

const pools: Pool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

/** A pool whose calls are counted, and how many of them were on their way at once. */
class CountedPool {
  calls = 0;
  most = 0;
  failures = 0;
  private running = 0;
  private readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  get size(): number {
    return this.pool.size;
  }

  async call<C extends CallName>(call: C, args: Calls[C]['args']): Promise<Calls[C]['result']> {
    this.calls++;
    this.most = Math.max(this.most, ++this.running);
    try {
      if (this.failures-- > 0) throw new WorkerLostError('lost');
      return await this.pool.call(call, args);
    } finally {
      this.running--;
    }
  }
}

async function start(workers: number, data: Float32Array, shape: Shape = [data.length]) {
  const memory = new SharedMemory({ limitBytes: 64 * 2 ** 20 });
  const pool = new Pool({ workers, memory, timeoutMs: 30_000 });
  pools.push(pool);
  await pool.ready();
  const counted = new CountedPool(pool);
  const region: Region = memory.allocate(data.byteLength);
  (memory.tensor(region, shape, 'float32').data as Float32Array).set(data);
  const tensor = { shape, dtype: 'float32' } as const;
  return { memory, counted, region, tensor, surveys: new Surveys(counted, memory) };
}

describe('statistics on workers', () => {
  it('are the same numbers by one worker and by three, of many parts and a rest', async () => {
    const data = noise(3 * PART + 77);
    const told = [];
    for (const workers of [1, 3]) {
      const { surveys, region, tensor } = await start(workers, data);
      told.push(await surveys.statistics(region, tensor, { bins: 50 }));
    }
    expect(told[1]).toEqual(told[0]);
    const { counts } = told[0]!.histogram!;
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(data.length);
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    expect(told[0]!.mean).toBeCloseTo(mean, 6);
  });

  it('have no more parts on their way than there are workers, however many ask', async () => {
    const { surveys, counted, region, tensor } = await start(2, noise(9 * PART));
    const view = resolveIndex(parseIndex(`1:${8 * PART}`), tensor.shape);
    await Promise.all([surveys.statistics(region, tensor), surveys.statistics(region, tensor, { view })]);
    expect(counted.calls).toBe(9 + 8);
    expect(counted.most).toBe(2);
  });

  it('are computed once for all who ask, with their histogram once for each kind of bins', async () => {
    const { surveys, counted, region, tensor } = await start(1, noise(PART));
    await Promise.all([surveys.statistics(region, tensor), surveys.statistics(region, tensor)]);
    expect(counted.calls).toBe(1);
    await surveys.statistics(region, tensor, { bins: 5 });
    await surveys.statistics(region, tensor, { bins: 5 });
    await surveys.statistics(region, tensor, { bins: [0, 1] });
    expect(counted.calls).toBe(3);
  });

  it('of a slice are those of its elements, and nothing else', async () => {
    const shape = [600, 50];
    const { surveys, region, tensor } = await start(2, noise(numel(shape)), shape);
    const view = resolveIndex(parseIndex(':,7'), shape);
    const values = [...noise(numel(shape))].filter((_, i) => i % 50 === 7);
    const told = await surveys.statistics(region, tensor, { view, bins: [-1, 0, 1] });
    expect(told).toMatchObject({ shape: [600], numel: 600, min: expect.any(Number) as number });
    expect(Math.fround(told.max as number)).toBe(Math.max(...values));
    const below = values.filter((x) => x < 0).length;
    expect(told.histogram).toEqual({ edges: [-1, 0, 1], counts: [below, 600 - below] });
  });

  it('of few numbers ask no worker', async () => {
    const { surveys, counted, region, tensor } = await start(1, Float32Array.of(1, 2, 3, 4));
    expect(await surveys.statistics(region, tensor, { bins: 2 })).toMatchObject({
      mean: 2.5,
      histogram: { edges: [1, 2.5, 4], counts: [2, 2] },
    });
    expect(counted.calls).toBe(0);
  });

  it('hold the tensor until it was looked at, and let go of it', async () => {
    const { surveys, memory, region, tensor } = await start(1, noise(2 * PART));
    const made = surveys.statistics(region, tensor);
    memory.release(region);
    expect(memory.bytesInUse).toBeGreaterThan(0);
    await made;
    expect(memory.bytesInUse).toBe(0);
  });

  it('need no shared memory: a full one is looked at', async () => {
    const { surveys, memory, region, tensor } = await start(1, noise(PART));
    while (memory.attempt(2 ** 20));
    while (memory.attempt(64));
    expect(await surveys.statistics(region, tensor, { bins: 1024 })).toMatchObject({ numel: PART });
  });

  it('that a lost worker did not compute fail, let go of the tensor, and are computed when asked again', async () => {
    const { surveys, counted, memory, region, tensor } = await start(2, noise(3 * PART));
    counted.failures = 1;
    await expect(surveys.statistics(region, tensor)).rejects.toThrow(WorkerLostError);
    expect(await surveys.statistics(region, tensor)).toMatchObject({ numel: 3 * PART });
    memory.release(region);
    expect(memory.bytesInUse).toBe(0);
  });
});
