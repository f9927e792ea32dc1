// What batches gain: microseconds for each forward when several callers ask at once, with batches and without
// (WEIGHTROOM_MAX_BATCH_ROWS=1), in one process and in turns, the best of 40; no HTTP. One caller alone shows what batching costs.

import { readConfig } from '../src/config.js';
import type { Model } from '../src/models/model.js';
import { Registry } from '../src/models/registry.js';
import { HeldTensor } from '../src/runtime/held-tensor.js';
import { SharedMemory } from '../src/runtime/memory.js';
import { Pool } from '../src/runtime/pool.js';
import { report } from './measure.js';

const ROUNDS = 40;
const CALLS = 512;
const CALLERS = [1, 8, 64];

const NETWORKS: Readonly<Record<string, { architecture: string; features: number }>> = {
  '4-8-1': { architecture: 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))', features: 4 },
  '64-256-10': {
    architecture: 'nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))',
    features: 64,
  },
  '256-1024-1024-10': {
    architecture:
      'nn.Sequential(nn.Linear(256, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))',
    features: 256,
  },
};

const memory = new SharedMemory({ limitBytes: 2 ** 29 });
const pool = new Pool({ workers: 2, memory, timeoutMs: 30_000 });
await pool.ready();
const registryOf = (maxBatchRows: number): Registry =>
  new Registry({ pool, memory, limits: { ...readConfig({}), maxBatchRows } });
const sides = { batches: registryOf(256), alone: registryOf(1) };

async function microseconds(model: Model, inputs: unknown, callers: number): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < CALLS / callers; i++) {
        const { outputs } = await model.forward({ inputs, module: '' });
        if (outputs instanceof HeldTensor) outputs.release();
      }
    }),
  );
  return ((performance.now() - start) * 1000) / CALLS;
}

const results: Record<string, number> = {};
for (const [name, { architecture, features }] of Object.entries(NETWORKS)) {
  const inputs = [Array.from({ length: features }, (_, i) => (i % 16) / 16)];
  const models: Model[] = [];
  for (const registry of Object.values(sides)) {
    await registry.build({ name, seed: 0, architecture });
    models.push(registry.get(name));
  }
  for (const callers of CALLERS) {
    const taken: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++)
      for (const [side, model] of models.entries())
        taken[side]!.push(await microseconds(model, inputs, callers));
    const [together, apart] = taken.map((values) => Math.min(...values)) as [number, number];
    results[`${name}, ${callers} at once: in batches, µs`] = together;
    results[`${name}, ${callers} at once: one by one, µs`] = apart;
    results[`${name}, ${callers} at once: ratio`] = apart / together;
  }
}
await pool.close();
report('batching', results);
