// Runs a plan where it costs least: on a worker, or, where the plan is cheaper than the way there, right here.
// Both run the same code on the same memory, so the bits are the same.

import type { Kernels } from '../graph/kernels.js';
import type { Plan } from '../graph/plan.js';
import { runPlan } from '../graph/run.js';
import { bindKernels, kernelModule } from './kernel-module.js';
import type { SharedMemory } from './memory.js';
import type { Pool } from './pool.js';
import type { Calls } from './protocol.js';
import { MIN_INLINE_FLOPS, type Threshold } from './threshold.js';

/** What such a plan may read and write: a copy of as much takes about as long. */
export const INLINE_BYTES = 65_536;

export class Dispatcher {
  /** Plans that ran on this thread, and the seconds that they took. */
  readonly here = { plans: 0, planSeconds: 0 };
  private readonly pool: Pick<Pool, 'call'>;
  private readonly memory: SharedMemory;
  private flops: number;
  /** By segment. */
  private readonly kernels: Kernels[] = [];

  /** Plans of more than `inlineFlops` floating-point operations go to a worker. */
  constructor(pool: Pick<Pool, 'call'>, memory: SharedMemory, inlineFlops = MIN_INLINE_FLOPS) {
    this.pool = pool;
    this.memory = memory;
    this.flops = inlineFlops;
  }

  get inlineFlops(): number {
    return this.flops;
  }

  /** For plans that are made from now on. */
  adopt({ inlineFlops }: Threshold): void {
    this.flops = inlineFlops;
  }

  /** How much a plan is of what may run here; above 1 it goes to a worker. */
  shareOf({ cost, arenaBytes }: Pick<Plan, 'cost' | 'arenaBytes'>): number {
    return Math.max(cost / this.flops || 0, arenaBytes / INLINE_BYTES);
  }

  /** Rejects with ValueError, WorkerLostError or PoolClosedError. */
  async forward(plan: Plan, call: Calls['forward']['args']): Promise<void> {
    if (this.shareOf(plan) <= 1) this.run(plan, call);
    else await this.pool.call('forward', call, plan);
  }

  private run(plan: Plan, call: Calls['forward']['args']): void {
    const start = performance.now();
    runPlan(plan, this.kernelsOf(call.segment), call);
    this.here.plans++;
    this.here.planSeconds += (performance.now() - start) / 1000;
  }

  private kernelsOf(segment: number): Kernels {
    return (this.kernels[segment] ??= bindKernels(kernelModule(), this.memory.memories[segment]!));
  }
}
