// A module with its gradients, run on a memory of its own: forward, backward and what the forward makes of buffers.

import { differentiate } from '#src/graph/gradient.js';
import { makePlan, type Plan } from '#src/graph/plan.js';
import { address, runPlan } from '#src/graph/run.js';
import { GENERATOR, Tracer, type Output, type Stored, type Value } from '#src/graph/tracer.js';
import { readTree } from '#src/models/edit-structure.js';
import type { Mode } from '#src/nn/layer.js';
import { everyName, type Module, type Parameter } from '#src/nn/module.js';
import { traceModule } from '#src/nn/trace.js';
import { Generator } from '#src/random/generator.js';
import { numel } from '#src/tensor/shape.js';
import { kernels, memory, read, Space, type Tensor } from '../space.js';

export type { Tensor };

export interface Results {
  readonly root: Module;
  readonly plan: Plan;
  readonly output: Float32Array;
  readonly shape: readonly number[];
  /** By first name; null where the output does not depend on it. */
  readonly grads: ReadonlyMap<string, Float32Array | null>;
  readonly inputGrads: readonly (Float32Array | null)[];
  /** Buffers that the forward changed. */
  readonly updates: ReadonlyMap<string, Float32Array>;
}

export interface Given {
  readonly architecture: unknown;
  readonly state: Readonly<Record<string, Tensor>>;
  readonly inputs: readonly Tensor[];
  /** Absent: ones. */
  readonly outputGrad?: Tensor;
  readonly mode?: Mode;
  readonly seed?: number;
  /** Panels of weights are made in the run, as in training. */
  readonly unpacked?: boolean;
  /** false: a forward alone. */
  readonly gradients?: boolean;
}

export function run(given: Given): Results {
  const { architecture, state, mode = 'eval', seed = 0, unpacked = true, gradients = true } = given;
  const { root } = readTree(architecture, { maxModules: 1000, maxDepth: 20 });
  const tracer = new Tracer({ unpacked });
  const inputs = given.inputs.map((input) => tracer.input(input));
  const output = traceModule(tracer, root, inputs, { mode });
  const names = new Map<Parameter, string>();
  for (const { path, value } of everyName(root)) if (!names.has(value)) names.set(value, path);
  const parameters = [...names.keys()].filter(({ kind }) => kind === 'parameter');
  const floats = inputs.filter(({ dtype }) => dtype === 'float32');
  const wanted = [...parameters.map((parameter) => readPlain(tracer, parameter)), ...floats];
  const found = gradients
    ? differentiate(tracer, [{ value: output, gradient: tracer.input(output) }], wanted)
    : wanted.map(() => null);
  const outputs: Output[] = [output];
  const slot = (value: Value | null): number | null => (value ? outputs.push(value) - 1 : null);
  const slots = found.map(slot);
  const updated = [...tracer.updates].map(([stored, value]) => ({ stored, slot: slot(value)! }));
  const graph = tracer.graph(...outputs);
  const plan = makePlan(graph, kernels);

  const space = new Space();
  const at = new Map<Stored, number>();
  for (const [parameter, name] of names) at.set(parameter, space.place(state[name]!));
  const generator = space.take(Generator.bytes);
  new Generator(new Uint8Array(memory.buffer, generator, Generator.bytes)).seed(seed);
  at.set(GENERATOR, generator);
  const ones = { ...output, data: Array<number>(numel(output.shape)).fill(1) };
  const placed = [...given.inputs, ...(gradients ? [given.outputGrad ?? ones] : [])].map((tensor) =>
    space.place(tensor),
  );
  const arena = space.take(plan.arenaBytes);
  new Float32Array(memory.buffer, arena, plan.arenaBytes / 4).fill(Number.NaN);
  const bindings = [...graph.stored.map((stored) => at.get(stored)!), ...placed, ...plan.packed.map(() => 0)];
  const place = { arena, bindings };
  runPlan(plan, kernels, place);
  const result = (i: number | null): Float32Array | null =>
    i === null ? null : read(address(plan.outputs[i]!.at, place), plan.outputs[i]!);
  return {
    root,
    plan,
    output: result(0)!,
    shape: output.shape,
    grads: new Map(parameters.map((parameter, i) => [names.get(parameter)!, result(slots[i]!)])),
    inputGrads: floats.map((_, i) => result(slots[parameters.length + i]!)),
    updates: new Map(updated.map(({ stored, slot: i }) => [names.get(stored as Parameter)!, result(i)!])),
  };
}

/** A parameter as it was before the forward. */
function readPlain(tracer: Tracer, parameter: Parameter): Value {
  const update = tracer.updates.get(parameter);
  tracer.updates.delete(parameter);
  const value = tracer.read(parameter)!;
  if (update) tracer.updates.set(parameter, update);
  return value;
}
