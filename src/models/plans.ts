// The plans of one model's modules, by input. A plan belongs to a structure: a new tree starts anew.

import { makePlan, type Plan } from '../graph/plan.js';
import { DTypeError } from '../graph/op.js';
import { Tracer, type Graph, type Stored } from '../graph/tracer.js';
import type { Kernels } from '../graph/kernels.js';
import { traceModule } from '../nn/trace.js';
import type { Module, Parameter } from '../nn/module.js';
import type { Pool } from '../runtime/pool.js';
import type { PlanId } from '../runtime/protocol.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';

/** Plans kept for each model: one for each module and input shape in use. */
const MAX_PLANS = 32;

/** What is known of an input before it is decoded. */
export interface PlannedInput {
  readonly shape: Shape;
  /** undefined: as the module wants it, float32 before int64. */
  readonly dtype: DType | undefined;
  /** Every number is whole: an input without dtype where one is not is float32. */
  readonly integral: boolean;
}

export interface KnownPlan {
  readonly id: PlanId;
  readonly plan: Plan;
  /** The storages that the plan binds, in order. */
  readonly stored: readonly Stored[];
  /** Those whose panels it binds, in order. */
  readonly packed: readonly Parameter[];
}

let lastId = 0;

export class Plans {
  private readonly pool: Pool;
  private readonly kernels: Kernels;
  private readonly known = new Map<string, KnownPlan>();
  private latest: string | undefined;

  constructor(pool: Pool, kernels: Kernels) {
    this.pool = pool;
    this.kernels = kernels;
  }

  /** The plan of a module for an input. Throws ShapeError or SizeError. */
  find(module: Module, path: string, input: PlannedInput): KnownPlan {
    const key = `${path}|${input.dtype ?? ''}|${input.shape.join(',')}`;
    let known = this.known.get(key);
    if (known) {
      // The module refused float32 when an int64 plan was made for want of a dtype, and says so again.
      if (!input.dtype && !input.integral && known.plan.input.dtype !== 'float32') trace(module, input);
      if (key === this.latest) return known;
      this.known.delete(key);
    } else {
      const graph = trace(module, input);
      const plan = makePlan(graph, this.kernels);
      const { stored } = graph;
      known = { id: ++lastId, plan, stored, packed: plan.packed.map((index) => stored[index] as Parameter) };
      if (this.known.size >= MAX_PLANS) this.drop(this.known.keys().next().value!);
    }
    // The order of the map is that of use, the latest last.
    this.known.set(key, known);
    this.latest = key;
    return known;
  }

  clear(): void {
    for (const key of [...this.known.keys()]) this.drop(key);
  }

  private drop(key: string): void {
    this.pool.forget(this.known.get(key)!.id);
    this.known.delete(key);
    if (key === this.latest) this.latest = undefined;
  }
}

function trace(module: Module, input: PlannedInput): Graph {
  const attempt = (dtype: DType): Graph => {
    const tracer = new Tracer();
    const operand = { shape: input.shape, dtype };
    return tracer.graph(operand, traceModule(tracer, module, { ...operand, source: { from: 'input' } }));
  };
  if (input.dtype) return attempt(input.dtype);
  try {
    return attempt('float32');
  } catch (error) {
    if (!(error instanceof DTypeError) || !input.integral) throw error;
    return attempt('int64');
  }
}
