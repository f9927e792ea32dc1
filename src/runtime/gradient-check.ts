// Central differences on a worker: a plan's loss with single elements of its parameters a little larger and smaller.

import type { Kernels } from '../graph/kernels.js';
import type { Plan } from '../graph/plan.js';
import { runPlan, type Crew } from '../graph/run.js';
import type { PlanId } from './protocol.js';

export interface DifferencesOrder {
  readonly plan: PlanId;
  readonly segment: number;
  readonly arena: number;
  readonly bindings: readonly number[];
  /** Address of the loss, a float32. */
  readonly loss: number;
  /** float32 elements that may be written to; they are put back. */
  readonly elements: readonly number[];
  readonly epsilon: number;
  /** The generator's state, as each run finds it: `from` is kept, `to` is what the plan draws from. */
  readonly generator: { readonly from: number; readonly to: number; readonly bytes: number };
  /** No element is begun later. */
  readonly budgetMs: number;
}

interface Bench {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly plan: Plan;
  readonly crew: Crew;
}

/** (loss(x + ε) - loss(x - ε)) / 2ε of the first elements, at least one, as far as time allows. */
export function differences(order: DifferencesOrder, { memory, kernels, plan, crew }: Bench): number[] {
  const { elements, epsilon, generator } = order;
  const floats = new Float32Array(memory.buffer);
  const lossAt = (): number => {
    kernels.copy(generator.from, generator.to, generator.bytes);
    runPlan(plan, kernels, order, crew);
    return floats[order.loss / 4]!;
  };
  const end = performance.now() + order.budgetMs;
  const found: number[] = [];
  for (const element of elements) {
    if (found.length > 0 && performance.now() > end) break;
    const at = element / 4;
    const value = floats[at]!;
    // What float32 makes of the two points is what lies between them.
    const [above, below] = [Math.fround(value + epsilon), Math.fround(value - epsilon)];
    floats[at] = above;
    const high = lossAt();
    floats[at] = below;
    const low = lossAt();
    floats[at] = value;
    found.push((high - low) / (above - below));
  }
  return found;
}
