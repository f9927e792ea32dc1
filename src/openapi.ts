// The text of openapi.yaml, from an app that never gets a request.

import { buildApp } from './app.js';
import { readConfig } from './config.js';
import type { Registry } from './models/registry.js';
import { openapiYaml } from './plugins/openapi.js';

export async function describeRoutes(): Promise<string> {
  const app = await buildApp({
    config: readConfig({}),
    // Nothing asks it: only the routes' schemas are read.
    registry: {} as Registry,
    pool: { size: 0, load: { queued: 0, running: 0 } },
    memory: { bytesInUse: 0, limitBytes: 0 },
    engine: 'webassembly',
    maddFused: true,
  });
  try {
    return openapiYaml(app);
  } finally {
    await app.close();
  }
}
