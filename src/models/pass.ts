// A pass: a module's forward in one mode, and what comes of it besides the output: a loss, gradients, changed buffers.
// Traced and planned for inputs of known shapes; run as often as wanted.

import { sumTo } from '../graph/broadcasting.js';
import { differentiate, GradientError, type Seed } from '../graph/gradient.js';
import { DTypeError, type Operand } from '../graph/op.js';
import { makePlan, type Plan } from '../graph/plan.js';
import { Tracer, type Output, type Stored, type Value } from '../graph/tracer.js';
import type { Kernels } from '../graph/kernels.js';
import type { Mode } from '../nn/layer.js';
import { traceLoss, type Loss } from '../nn/losses/spec.js';
import type { Module, Parameter } from '../nn/module.js';
import { outputNames } from '../nn/signature.js';
import { traceModule, traceOutputs } from '../nn/trace.js';
import type { PlanId } from '../runtime/protocol.js';
import type { DType } from '../tensor/dtype.js';
import { numel, type Shape } from '../tensor/shape.js';
import { gradientOf } from './companion.js';
import { Inside, type Captured, type InsideSpec } from './inside.js';
import { nextPlanId, type PlannedInput } from './plans.js';

/** What is differentiated: a loss of the output and targets, or Σ output · gradient. */
export type Goal = { readonly loss: Loss } | { readonly outputGrad: true };

export interface PassSpec {
  readonly module: Module;
  readonly mode: Mode;
  /** The module's inputs. */
  readonly inputs: readonly PlannedInput[];
  /** What the goal takes besides the output: the loss's targets, or the output's gradient. */
  readonly others: readonly PlannedInput[];
  readonly goal: Goal | null;
  /** Whose gradients are wanted, as far as the goal depends on them. */
  readonly parameters: readonly Parameter[];
  /** Those of them that have gradients already: the new ones are added. */
  readonly accumulated: ReadonlySet<Parameter>;
  readonly inputGrad: boolean;
  /** For training: values change from run to run, and gradients are read where the plan computes them. */
  readonly training?: boolean;
  /** With outputGrad: Σ output · gradient is computed too, as the loss. */
  readonly objective?: boolean;
  /** What is looked at, and what is another, inside of the forward; its values come after `others`. */
  readonly inside?: InsideSpec | undefined;
  readonly values?: readonly PlannedInput[];
}

export interface Pass {
  readonly id: PlanId;
  readonly plan: Plan;
  /** The storages that the plan binds, in order. */
  readonly stored: readonly Stored[];
  /** Storages whose new values the plan writes where it is told to, in the order of its bound outputs. */
  readonly written: readonly (Parameter | { readonly gradientOf: Parameter })[];
  /** Numbers of the plan's outputs; null: there is none. */
  readonly slots: {
    readonly output: number;
    readonly loss: number | null;
    readonly inputGrads: readonly (number | null)[];
    /** In training: of the parameters that the goal depends on. */
    readonly gradients: ReadonlyMap<Parameter, number>;
  };
  /** The names of its outputs, from slots.output on, where there are several. */
  readonly names: readonly string[] | undefined;
  readonly captured: readonly CapturedSlot[];
}

/** What is told of a module's output. */
export interface CapturedSlot extends Pick<Captured, 'path' | 'stats' | 'bins'> {
  readonly slot: number;
  /** Of its gradient; null: the goal does not depend on it, or no gradient is wanted. */
  readonly gradient: number | null;
}

/** Throws ShapeError, DTypeError, SizeError, GradientError, and what the module's trace throws. */
export function makePass(spec: PassSpec, kernels: Kernels): Pass {
  const given = [...spec.inputs, ...spec.others, ...(spec.values ?? [])];
  let first: unknown;
  for (const dtypes of attempts(given)) {
    try {
      const operands = given.map(({ shape }, i) => ({ shape, dtype: dtypes[i]! }));
      return tracePass(spec, operands, kernels);
    } catch (error) {
      if (!(error instanceof DTypeError)) throw error;
      first ??= error;
    }
  }
  throw first;
}

/** The dtypes that inputs without one may have: float32 before int64, which takes whole numbers. */
function attempts(given: readonly PlannedInput[]): DType[][] {
  let all: DType[][] = [[]];
  for (const { dtype, integral } of given) {
    const choices: DType[] = dtype ? [dtype] : integral ? ['float32', 'int64'] : ['float32'];
    all = all.flatMap((before) => choices.map((choice) => [...before, choice]));
  }
  return all;
}

function tracePass(spec: PassSpec, operands: readonly Operand[], kernels: Kernels): Pass {
  const { module, mode, goal, parameters, accumulated, training = false } = spec;
  const tracer = new Tracer({ unpacked: training });
  // Before the trace, which may put other values in the place of buffers.
  const wanted = parameters.map((parameter) => tracer.read(parameter)!);
  const values = operands.map((operand) => tracer.input(operand));
  const inputs = values.splice(0, spec.inputs.length);
  const others = values.splice(0, spec.others.length);
  const inside = spec.inside && new Inside({ tracer, root: module, spec: spec.inside, values });
  inside?.substitute();
  const options = { mode, ...(inside && { observe: inside.observe }) };
  // A goal is one of one tensor.
  const results = goal
    ? [traceModule(tracer, module, inputs, options)]
    : traceOutputs(tracer, module, inputs, options);
  inside?.finish();
  const output = results[0]!;
  const updates = [...tracer.updates] as [Parameter, Value][];
  const outputs: Output[] = [...results];
  const keep = (value: Value | null): number | null => (value ? outputs.push(value) - 1 : null);
  let loss: number | null = null;
  const written: Pass['written'][number][] = [];
  const inputGrads: (number | null)[] = [];
  const inArena = new Map<Parameter, number>();
  const captured = inside?.captured ?? [];
  const shown = captured.map((one) => keep(one.shown)!);
  const capturedGrads: (number | null)[] = [];
  if (goal) {
    const { seed, value } = seedOf(tracer, goal, output, others);
    loss = keep(value ?? (spec.objective ? objectiveOf(tracer, seed) : null));
    const floats = spec.inputGrad ? inputs.map((input) => (input.dtype === 'float32' ? input : null)) : [];
    const looked = spec.inside?.gradients ? captured.map(({ whole }) => whole) : [];
    const all = [...wanted, ...floats.filter((input) => input !== null), ...looked];
    const gradients = differentiate(tracer, [seed], all);
    parameters.forEach((parameter, i) => {
      const gradient = gradients[i];
      if (!gradient) return;
      if (training) {
        inArena.set(parameter, keep(gradient)!);
        return;
      }
      const before = accumulated.has(parameter) ? tracer.read(gradientOf(parameter)) : null;
      const sum = before ? tracer.apply('add', [before, gradient], {}) : gradient;
      outputs.push({ ...sum, bound: true });
      written.push({ gradientOf: parameter });
    });
    let next = parameters.length;
    for (const input of floats) inputGrads.push(input ? keep(gradients[next++]!) : null);
    captured.forEach(({ part }, i) => {
      const gradient = looked.length > 0 ? gradients[next + i] : null;
      capturedGrads.push(gradient ? keep(part(gradient)) : null);
    });
  }
  for (const [parameter, value] of updates) {
    outputs.push({ ...value, bound: true });
    written.push(parameter);
  }
  const graph = tracer.graph(...outputs);
  const plan = makePlan(graph, kernels);
  const slots = { output: 0, loss, inputGrads, gradients: inArena };
  return {
    id: nextPlanId(),
    plan,
    stored: graph.stored,
    written,
    slots,
    names: goal ? undefined : outputNames(module),
    captured: captured.map(({ path, stats, bins }, i) => ({
      ...{ path, stats, bins },
      slot: shown[i]!,
      gradient: capturedGrads[i] ?? null,
    })),
  };
}

function seedOf(
  tracer: Tracer,
  goal: Goal,
  output: Value,
  others: readonly Value[],
): { seed: Seed; value: Value | null } {
  if (output.dtype !== 'float32') throw new GradientError('only float32 outputs have gradients');
  if ('outputGrad' in goal) {
    const gradient = others[0]!;
    if (!sameExtents(gradient.shape, output.shape)) {
      throw new GradientError(
        `output_grad has shape [${gradient.shape.join(', ')}], the output [${output.shape.join(', ')}]`,
      );
    }
    return { seed: { value: output, gradient }, value: null };
  }
  const value = traceLoss(tracer, goal.loss, { output, targets: others });
  if (numel(value.shape) !== 1) {
    throw new GradientError(
      'grad can be implicitly created only for scalar outputs: the loss is not reduced',
    );
  }
  return { seed: { value, gradient: tracer.apply('fill', [], { shape: value.shape, value: 1 }) }, value };
}

function objectiveOf({ apply }: Tracer, { value, gradient }: Seed): Value {
  return sumTo(apply, apply('mul', [value, gradient], {}), []);
}

function sameExtents(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}
