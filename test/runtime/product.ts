// A product y = x · wᵀ of small whole numbers, placed in memory as a pool's forward wants it: every sum is exact.

import { packedBytes } from '#src/graph/panels.js';
import { makePlan, type Plan } from '#src/graph/plan.js';
import { Tracer, type Value } from '#src/graph/tracer.js';
import { unplacedKernels } from '#src/runtime/kernel-module.js';
import type { SharedMemory } from '#src/runtime/memory.js';
import type { Pool } from '#src/runtime/pool.js';
import type { Calls } from '#src/runtime/protocol.js';

export interface Product {
  readonly plan: Plan;
  readonly call: Calls['forward']['args'];
  readonly y: () => Float32Array;
  /** All that a run writes to. */
  readonly arena: () => Float32Array;
  readonly expected: (row: number, column: number) => number;
}

let lastPlan = 0;

/**
 * w[j, l] = (j + l) mod 5, x[i, l] = (first + i + l) mod 7. More than one time: the product of its output, for work
 * without end whose numbers do not matter.
 */
export async function product(
  { memory, pool }: { readonly memory: SharedMemory; readonly pool: Pool },
  [m, k, n]: readonly [number, number, number],
  { first = 0, times = 1 }: { readonly first?: number; readonly times?: number } = {},
): Promise<Product> {
  const tracer = new Tracer();
  const weight = tracer.read({ shape: [n, k], dtype: 'float32' });
  let output: Value = tracer.input({ shape: [m, k], dtype: 'float32' });
  for (let i = 0; i < times; i++) output = tracer.apply('linear', [output, weight, null], {});
  const plan = makePlan(tracer.graph(output), unplacedKernels());
  const floats = (count: number, value: (i: number) => number) => {
    const region = memory.allocate(count * 4, 0);
    (memory.tensor(region, [count], 'float32').data as Float32Array).forEach((_, i, all) => {
      all[i] = value(i);
    });
    return region.address;
  };
  const w = floats(n * k, (i) => (Math.floor(i / k) + (i % k)) % 5);
  const x = floats(m * k, (i) => (first + Math.floor(i / k) + (i % k)) % 7);
  const panels = memory.allocate(packedBytes(n, k), 0).address;
  await pool.call('edit', { segment: 0, steps: [{ kind: 'pack', from: w, to: panels, n, k }] });
  const arena = memory.allocate(plan.arenaBytes, 0);
  return {
    plan,
    call: { plan: ++lastPlan, segment: 0, arena: arena.address, bindings: [w, x, panels] },
    y: () => memory.tensor(arena, [m * n], 'float32').data as Float32Array,
    arena: () => memory.tensor(arena, [plan.arenaBytes / 4], 'float32').data as Float32Array,
    expected: (i, j) => {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += ((first + i + l) % 7) * ((j + l) % 5);
      return sum;
    },
  };
}
