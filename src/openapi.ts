// The text of openapi.yaml, from an app that never gets a request.

import { buildApp } from './app.js';
import { readConfig } from './config.js';
import { Datasets } from './datasets/datasets.js';
import { Registry } from './models/registry.js';
import { openapiYaml } from './plugins/openapi.js';
import { SharedMemory } from './runtime/memory.js';
import type { Pool } from './runtime/pool.js';

export async function describeRoutes(): Promise<string> {
  const config = readConfig({});
  const memory = new SharedMemory({ limitBytes: 0 });
  // Nothing is asked of it: only the routes' schemas are read.
  const pool = { size: 0, load: { queued: 0, running: 0 }, figure: () => 0 } as unknown as Pool;
  const registry = new Registry({ pool, memory, limits: config });
  const datasets = new Datasets({ pool, memory, limits: config });
  const engine = 'webassembly';
  const app = await buildApp({ config, registry, datasets, pool, memory, engine, maddFused: true });
  try {
    return openapiYaml(app);
  } finally {
    await app.close();
  }
}
