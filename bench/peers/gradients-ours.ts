// bench/gradients' networks by our plan on one thread, and where its time goes, step by step. Argument: as
// WEIGHTROOM_NATIVE.

import { differentiate } from '../../src/graph/gradient.js';
import { makePlan } from '../../src/graph/plan.js';
import { address, runPart, runPlan } from '../../src/graph/run.js';
import { Tracer, type Value } from '../../src/graph/tracer.js';
import { readTree } from '../../src/models/edit-structure.js';
import { everyName } from '../../src/nn/module.js';
import { traceModule } from '../../src/nn/trace.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import { numel } from '../../src/tensor/shape.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, PARAMETER_SCALE, type GradientsJob } from './gradients-job.js';

export interface GradientsAnswer extends Answer {
  /** Microseconds by step. */
  readonly profile: Readonly<Record<string, number>>;
}

const STEP_SECONDS = 0.01;

const fault = chooseKernels(process.argv[2] as NativeChoice);
if (fault) throw new Error(fault);
const memory = new WebAssembly.Memory({ initial: 8192, maximum: 8192, shared: true });
const kernels = bindKernels(kernelModule(), memory);

/** Forward and the gradients of all parameters, panels of weights made on the way, as in training. */
function trace({ network, shape }: GradientsJob) {
  const { root } = readTree(network, { maxModules: 100, maxDepth: 10 });
  const tracer = new Tracer({ unpacked: true });
  const output = traceModule(tracer, root, tracer.input({ shape, dtype: 'float32' }), { mode: 'train' });
  const parameters = everyName(root).map(({ value }) => tracer.read(value)!);
  const gradient = tracer.input(output);
  const found = differentiate(tracer, [{ value: output, gradient }], parameters) as Value[];
  return { graph: tracer.graph(output, ...found), parameters };
}

await serveJobs<GradientsJob>(async (job): Promise<GradientsAnswer> => {
  const { graph, parameters } = trace(job);
  const plan = makePlan(graph, kernels);
  let next = kernels.heap_base();
  const take = (bytes: number): number => {
    const at = (next + 63) & ~63;
    next = at + bytes;
    return at;
  };
  const place = (values: Float32Array): number => {
    const at = take(values.byteLength);
    new Float32Array(memory.buffer, at, values.length).set(values);
    return at;
  };
  const stored = graph.stored.map(({ shape }, i) =>
    place(noise(numel(shape), FIRST_SEED + i).map((value) => PARAMETER_SCALE * value)),
  );
  const [x, gradient] = graph.inputs as [Value, Value];
  const inputs = [place(noise(numel(x.shape), 1)), place(new Float32Array(numel(gradient.shape)).fill(1))];
  const where = {
    arena: take(plan.arenaBytes),
    bindings: [...stored, ...inputs, ...plan.packed.map(() => 0)],
  };
  const seconds = await clock(() => runPlan(plan, kernels, where), job.seconds);
  const first = address(plan.outputs[1]!.at, where);
  const sample = sampleOf(new Float32Array(memory.buffer, first, numel(parameters[0]!.shape)));
  const profile: Record<string, number> = {};
  for (const [i, step] of plan.steps.entries()) {
    const one = (): void => {
      for (let part = 0; part < step.parts; part++) runPart(plan, kernels, where, { step: i, part });
    };
    profile[`${i + 1} ${step.op}`] = (await clock(one, STEP_SECONDS)) * 1e6;
  }
  return { seconds, sample, version: engineName(kernelModule()), profile };
});
