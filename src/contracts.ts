// The texts of openapi.yaml and docs/asyncapi.yaml, from an app that never gets a request.

import { buildApp } from './app.js';
import { readConfig } from './config.js';
import { Datasets } from './datasets/datasets.js';
import { Registry } from './models/registry.js';
import { asyncapiYaml } from './plugins/asyncapi.js';
import { openapiYaml } from './plugins/openapi.js';
import { SharedMemory } from './runtime/memory.js';
import type { Pool } from './runtime/pool.js';

export interface Contracts {
  readonly openapi: string;
  readonly asyncapi: string;
}

export async function describeContracts(): Promise<Contracts> {
  const config = readConfig({});
  const memory = new SharedMemory({ limitBytes: 0 });
  // Nothing is asked of it: only the routes' schemas are read.
  const pool = { size: 0, load: { queued: 0, running: 0 }, figure: () => 0 } as unknown as Pool;
  const registry = new Registry({ pool, memory, limits: config });
  const datasets = new Datasets({ pool, memory, limits: config });
  const engine = 'webassembly';
  const app = await buildApp({ config, registry, datasets, pool, memory, engine, maddFused: true });
  try {
    return { openapi: openapiYaml(app), asyncapi: asyncapiYaml(app) };
  } finally {
    await app.close();
  }
}
