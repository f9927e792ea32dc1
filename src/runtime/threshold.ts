// Which plans are cheaper than the way to a worker and back: measured on this machine, once, when the workers have
// started. A plan below it holds this thread no longer than the way itself would take.

import { packedBytes } from '../graph/panels.js';
import { makePlan, type Plan } from '../graph/plan.js';
import { runPlan } from '../graph/run.js';
import { Tracer } from '../graph/tracer.js';
import { bindKernels, kernelModule, unplacedKernels } from './kernel-module.js';
import type { SharedMemory } from './memory.js';
import type { Pool } from './pool.js';

/** Whatever is measured: such a plan takes a microsecond, and one of as many operations some ten. */
export const MIN_INLINE_FLOPS = 16_384;
export const MAX_INLINE_FLOPS = 262_144;

/** Rounds until code is compiled and threads are awake, and rounds that count. */
const WARM_ROUNDS = 200;
const ROUNDS = 101;
/** Where the machine is busy, what was measured by then has to do. */
const MAX_MS = 100;

/** No model's plan has this id. */
const PLAN_ID = 0;
/** A layer of this width is what plans near the threshold are made of. */
const WIDTH = 128;

export interface Threshold {
  readonly roundTripUs: number;
  readonly flopsPerUs: number;
  /** Their product, within bounds. */
  readonly inlineFlops: number;
}

/** Takes some milliseconds, for most of which this thread is free. */
export async function measureThreshold(pool: Pool, memory: SharedMemory): Promise<Threshold> {
  const plan = smallPlan();
  const sizes = [WIDTH * WIDTH * 4, WIDTH * 4, packedBytes(WIDTH, WIDTH), plan.arenaBytes];
  const first = memory.allocate(sizes[0]!);
  const regions = [first, ...sizes.slice(1).map((bytes) => memory.allocate(bytes, first.segment))];
  try {
    const [weight, input, panels, arena] = regions.map(({ address }) => address) as Four;
    const steps = regions.map(({ address: to, bytes }) => ({ kind: 'zero' as const, to, bytes }));
    await pool.call('edit', { segment: first.segment, steps });
    const place = { segment: first.segment, arena, bindings: [weight, input, panels] };
    const empty = { ...plan, steps: [] };
    const roundTripUs = await medianUs(() => pool.call('forward', { ...place, plan: PLAN_ID }, empty));
    const kernels = bindKernels(kernelModule(), memory.memories[first.segment]!);
    const flopsPerUs = plan.cost / (await medianUs(() => runPlan(plan, kernels, place)));
    const flops = Math.round(roundTripUs * flopsPerUs);
    const inlineFlops = Math.min(MAX_INLINE_FLOPS, Math.max(MIN_INLINE_FLOPS, flops));
    return { roundTripUs, flopsPerUs, inlineFlops };
  } finally {
    pool.forget(PLAN_ID);
    for (const region of regions) memory.release(region);
  }
}

type Four = [number, number, number, number];

function smallPlan(): Plan {
  const tracer = new Tracer();
  const input = tracer.input({ shape: [1, WIDTH], dtype: 'float32' });
  const weight = tracer.read({ shape: [WIDTH, WIDTH], dtype: 'float32' });
  const output = tracer.apply('linear', [input, weight, null], {});
  return makePlan(tracer.graph(output), unplacedKernels());
}

/** The median time of one round. */
async function medianUs(round: () => unknown): Promise<number> {
  const start = performance.now();
  const taken: number[] = [];
  for (let i = 0; i < WARM_ROUNDS + ROUNDS; i++) {
    const before = performance.now();
    await round();
    const after = performance.now();
    if (after - start > MAX_MS) break;
    taken.push((after - before) * 1000);
  }
  const counted = taken.slice(-ROUNDS).sort((a, b) => a - b);
  return counted[Math.floor(counted.length / 2)] ?? MAX_MS * 1000;
}
