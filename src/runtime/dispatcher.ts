// Runs a plan where it costs least: on a worker, or, where the plan is cheaper than a message, right here.
// Both run the same code on the same memory, so the bits are the same.

import type { Kernels } from '../graph/kernels.js';
import type { Plan } from '../graph/plan.js';
import { runPlan } from '../graph/run.js';
import { bindKernels, kernelModule } from './kernel-module.js';
import type { SharedMemory } from './memory.js';
import type { Pool } from './pool.js';
import type { Calls } from './protocol.js';

/**
 * A worker round trip takes about 35 µs, and the main thread's own part of it 10 µs. A plan of this many
 * floating-point operations takes about as long as that part (bench/http: 4-8-1 over HTTP, with and without).
 */
export const INLINE_FLOPS = 16_384;

/** What such a plan may read and write: a copy of as much takes about as long. */
export const INLINE_BYTES = 65_536;

export class Dispatcher {
  private readonly pool: Pick<Pool, 'call'>;
  private readonly memory: SharedMemory;
  private readonly inlineFlops: number;
  /** By segment. */
  private readonly kernels: Kernels[] = [];

  constructor(pool: Pick<Pool, 'call'>, memory: SharedMemory, inlineFlops = INLINE_FLOPS) {
    this.pool = pool;
    this.memory = memory;
    this.inlineFlops = inlineFlops;
  }

  /** How much a plan is of what may run here; above 1 it goes to a worker. */
  shareOf({ cost, arenaBytes }: Pick<Plan, 'cost' | 'arenaBytes'>): number {
    return Math.max(cost / this.inlineFlops || 0, arenaBytes / INLINE_BYTES);
  }

  /** Rejects with ValueError, WorkerLostError or PoolClosedError. */
  async forward(plan: Plan, call: Omit<Calls['forward']['args'], 'definition'>): Promise<void> {
    if (this.shareOf(plan) <= 1) runPlan(plan, this.kernelsOf(call.segment), call);
    else await this.pool.call('forward', call, plan);
  }

  private kernelsOf(segment: number): Kernels {
    return (this.kernels[segment] ??= bindKernels(kernelModule(), this.memory.memories[segment]!));
  }
}
