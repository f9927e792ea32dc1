// Memory, workers and a registry, as the server has them, without HTTP.

import { Registry, type RegistryLimits } from '#src/models/registry.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';

export interface Engine {
  readonly memory: SharedMemory;
  readonly pool: Pool;
  readonly registry: Registry;
  stop(): Promise<void>;
}

export interface EngineOptions {
  readonly workers?: number;
  readonly limitBytes?: number;
  readonly timeoutMs?: number;
  /** 0: every plan runs on a worker. */
  readonly inlineFlops?: number;
  readonly limits?: Partial<RegistryLimits>;
}

export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { workers = 1, limitBytes = 256 * 2 ** 20, timeoutMs = 30_000 } = options;
  const memory = new SharedMemory({ limitBytes });
  const pool = new Pool({ workers, memory, timeoutMs });
  await pool.ready();
  const limits = {
    maxModels: 20_000,
    maxModules: 10_000,
    logEntries: 1024,
    logBytes: 64 * 2 ** 20,
    maxQueue: 1024,
    maxQueueTotal: 8192,
    maxBatchRows: 256,
    maxDelayUs: 0,
    maxWatchpoints: 64,
    ...options.limits,
  };
  const { inlineFlops } = options;
  const registry = new Registry({ pool, memory, limits, ...(inlineFlops !== undefined && { inlineFlops }) });
  return { memory, pool, registry, stop: () => pool.close() };
}
