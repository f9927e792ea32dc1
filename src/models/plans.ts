// The plans of one model's modules. A module is traced once for inputs that differ in their rows alone (a recipe), where
// each row's output is its own; every number of rows in use has its plan. They belong to a structure: a new tree starts anew.

import { makePlan, type Plan } from '../graph/plan.js';
import { DTypeError } from '../graph/op.js';
import { withRows } from '../graph/rows.js';
import { Tracer, type Graph, type Stored, type Value } from '../graph/tracer.js';
import type { Kernels } from '../graph/kernels.js';
import { traceModule, traceOutputs } from '../nn/trace.js';
import { outputNames } from '../nn/signature.js';
import type { Module, Parameter } from '../nn/module.js';
import type { Pool } from '../runtime/pool.js';
import type { PlanId } from '../runtime/protocol.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';

/** Plans kept for each model: one for each module, row shape and number of rows in use. */
const MAX_PLANS = 64;

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
  readonly recipe: Recipe;
  readonly rows: number;
}

/** A module traced for inputs of one kind. */
export interface Recipe {
  readonly key: string;
  readonly graph: Graph;
  /** Of the input that it was traced for; whatever is not row-wise has this one alone. */
  readonly rows: number;
  readonly rowwise: boolean;
  /** Of the plan for `rows`. */
  readonly cost: number;
  readonly arenaBytes: number;
  /** By number of rows. */
  readonly plans: Map<number, KnownPlan>;
  /** Of a module with several inputs or outputs: not row-wise, and run in a way of its own (forward-named.ts). */
  readonly named?: { readonly outputs: readonly string[] | undefined };
}

/** Ids are words of a ring's entry: they wrap long after a plan of the same number was dropped. 0 is nobody's. */
const IDS = 2 ** 32;
let lastId = 0;

export function nextPlanId(): PlanId {
  lastId = (lastId + 1) % IDS || 1;
  return lastId;
}

export class Plans {
  private readonly pool: Pool;
  private readonly kernels: Kernels;
  private readonly recipes = new Map<string, Recipe>();
  /** In order of use, the latest last. */
  private readonly used = new Set<KnownPlan>();
  private latest: KnownPlan | undefined;

  constructor(pool: Pool, kernels: Kernels) {
    this.pool = pool;
    this.kernels = kernels;
  }

  /** How a module is run on an input. Throws ShapeError or SizeError. */
  find(module: Module, path: string, input: PlannedInput): Recipe {
    const { shape, dtype, integral } = input;
    const rows = shape[0] ?? 0;
    const anyRows = keyOf(path, input, '*');
    const known =
      (rows > 0 ? this.recipes.get(anyRows) : undefined) ?? this.recipes.get(keyOf(path, input, rows));
    if (known) {
      // The module refused float32 when an int64 plan was made for want of a dtype, and says so again.
      if (!dtype && !integral && known.graph.inputs[0]!.dtype !== 'float32') trace(module, input);
      return known;
    }
    const graph = trace(module, input);
    const plan = makePlan(graph, this.kernels);
    const rowwise = plan.rowwise && rows > 0;
    const { cost, arenaBytes } = plan;
    const plans = new Map<number, KnownPlan>();
    const recipe = {
      key: rowwise ? anyRows : keyOf(path, input, rows),
      graph,
      rows,
      rowwise,
      cost,
      arenaBytes,
      plans,
    };
    this.keep(recipe, rows, plan);
    return recipe;
  }

  /** The same for a module of several inputs or outputs: `inputs` in their order. */
  findNamed(module: Module, path: string, inputs: readonly PlannedInput[]): Recipe {
    // No path is JSON: none of these keys is one of those above.
    const key = JSON.stringify([path, inputs]);
    const known = this.recipes.get(key);
    if (known) return known;
    const graph = traceAny(inputs, (tracer, values) => traceOutputs(tracer, module, values));
    const plan = makePlan(graph, this.kernels);
    const { cost, arenaBytes } = plan;
    const plans = new Map<number, KnownPlan>();
    const named = { outputs: outputNames(module) };
    const recipe: Recipe = { key, graph, rows: 1, rowwise: false, cost, arenaBytes, plans, named };
    this.keep(recipe, 1, plan);
    return recipe;
  }

  /** A recipe's plan; `rows` is the recipe's own where it is not row-wise. Throws SizeError. */
  sized(recipe: Recipe, rows: number): KnownPlan {
    const known = recipe.plans.get(rows);
    if (!known) return this.keep(recipe, rows, makePlan(withRows(recipe.graph, rows), this.kernels));
    if (known !== this.latest) {
      this.used.delete(known);
      this.used.add(known);
      this.latest = known;
    }
    return known;
  }

  /** After a run: workers may have learnt the plan for it after it had been dropped. */
  done(known: KnownPlan): void {
    if (!this.used.has(known)) this.pool.forget(known.id);
  }

  clear(): void {
    for (const known of this.used) this.drop(known);
    this.latest = undefined;
  }

  private keep(recipe: Recipe, rows: number, plan: Plan): KnownPlan {
    const { stored } = recipe.graph;
    const packed = plan.packed.map((index) => stored[index] as Parameter);
    const known = { id: nextPlanId(), plan, stored, packed, recipe, rows };
    if (this.used.size >= MAX_PLANS) this.drop(this.used.values().next().value!);
    this.recipes.set(recipe.key, recipe);
    recipe.plans.set(rows, known);
    this.used.add(known);
    this.latest = known;
    return known;
  }

  private drop(known: KnownPlan): void {
    const { recipe, rows, id } = known;
    this.pool.forget(id);
    this.used.delete(known);
    recipe.plans.delete(rows);
    if (recipe.plans.size === 0 && this.recipes.get(recipe.key) === recipe) this.recipes.delete(recipe.key);
  }
}

function keyOf(
  path: string,
  { shape, dtype = '' }: { shape: Shape; dtype: DType | '' | undefined },
  rows: number | '*',
): string {
  let key = `${path}|${dtype}|${shape.length > 0 ? rows : ''}`;
  for (let i = 1; i < shape.length; i++) key += `,${shape[i]!}`;
  return key;
}

function trace(module: Module, input: PlannedInput): Graph {
  return traceAny([input], (tracer, [x]) => [traceModule(tracer, module, x!)]);
}

/**
 * What `trace` makes of inputs in the first dtypes that it takes: those without one are float32 before they are int64.
 * Throws what it throws for the last.
 */
export function traceAny(
  inputs: readonly PlannedInput[],
  trace: (tracer: Tracer, values: readonly Value[]) => readonly Value[],
): Graph {
  let last: unknown;
  for (const dtypes of attempts(inputs)) {
    try {
      const tracer = new Tracer();
      const values = inputs.map(({ shape }, i) => tracer.input({ shape, dtype: dtypes[i]! }));
      return tracer.graph(...trace(tracer, values));
    } catch (error) {
      if (!(error instanceof DTypeError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** More inputs without a dtype than these are of one dtype. */
const MAX_CHOICES = 4;

function attempts(inputs: readonly PlannedInput[]): DType[][] {
  const open = inputs.filter(({ dtype, integral }) => !dtype && integral).length;
  const typed = (choose: (i: number) => DType): DType[] => {
    let i = 0;
    return inputs.map(({ dtype, integral }) => dtype ?? (integral ? choose(i++) : 'float32'));
  };
  if (open > MAX_CHOICES) return [typed(() => 'float32'), typed(() => 'int64')];
  return Array.from({ length: 2 ** open }, (_, bits) =>
    typed((i) => ((bits >> i) & 1 ? 'int64' : 'float32')),
  );
}
