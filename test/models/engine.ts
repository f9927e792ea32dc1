// Memory, workers and a registry, as the server has them, without HTTP.

import { Datasets, type DatasetLimits } from '#src/datasets/datasets.js';
import { Registry, type RegistryLimits } from '#src/models/registry.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';

export interface Engine {
  readonly memory: SharedMemory;
  readonly pool: Pool;
  readonly registry: Registry;
  readonly datasets: Datasets;
  stop(): Promise<void>;
}

export interface EngineOptions {
  readonly workers?: number;
  readonly limitBytes?: number;
  readonly timeoutMs?: number;
  /** 0: every plan runs on a worker. */
  readonly inlineFlops?: number;
  readonly limits?: Partial<RegistryLimits & DatasetLimits>;
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
    maxDatasets: 1000,
    datasetsLimitBytes: limitBytes,
    ...options.limits,
  };
  const { inlineFlops } = options;
  const registry = new Registry({ pool, memory, limits, ...(inlineFlops !== undefined && { inlineFlops }) });
  const datasets = new Datasets({ pool, memory, limits });
  return { memory, pool, registry, datasets, stop: () => pool.close() };
}
