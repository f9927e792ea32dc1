// A module of the server by our plan on one thread, and where its time goes. Argument: as WEIGHTROOM_NATIVE.

import { packedBytes } from '../../src/graph/panels.js';
import { makePlan } from '../../src/graph/plan.js';
import { address, runPart, runPlan } from '../../src/graph/run.js';
import { Tracer } from '../../src/graph/tracer.js';
import { readArchitecture } from '../../src/nn/architecture.js';
import { namedParameters } from '../../src/nn/module.js';
import { traceModule } from '../../src/nn/trace.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import { numel } from '../../src/tensor/shape.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, type ModuleJob } from './module-job.js';

export interface ModuleAnswer extends Answer {
  /** Microseconds by kind of step. */
  readonly profile: Readonly<Record<string, number>>;
}

const STEP_SECONDS = 0.01;
const LIMITS = { maxModules: 1000, maxDepth: 20 };

const fault = chooseKernels(process.argv[2] as NativeChoice);
if (fault) throw new Error(fault);
const memory = new WebAssembly.Memory({ initial: 4096, maximum: 4096, shared: true });
const kernels = bindKernels(kernelModule(), memory);

await serveJobs<ModuleJob>(async ({ architecture, shape, scale, seconds }): Promise<ModuleAnswer> => {
  const read = readArchitecture(architecture, LIMITS);
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  const tracer = new Tracer();
  const output = traceModule(tracer, read.root, tracer.input({ shape, dtype: 'float32' }));
  const graph = tracer.graph(output);
  const plan = makePlan(graph, kernels);
  let next = (kernels.heap_base() + 63) & ~63;
  const take = (bytes: number): number => {
    const at = next;
    next += (bytes + 63) & ~63;
    return at;
  };
  const place = (count: number, seed: number): number => {
    const at = take(4 * count);
    new Float32Array(memory.buffer, at, count).set(noise(count, seed).map((value) => value * scale));
    return at;
  };
  const arena = take(plan.arenaBytes);
  const parameters = namedParameters(read.root).map(({ value }) => value);
  const places = new Map(parameters.map((value, i) => [value, place(numel(value.shape), FIRST_SEED + i)]));
  const weights = graph.stored.map((stored) => places.get(stored as (typeof parameters)[number])!);
  const input = place(numel(shape), 1);
  const panels = plan.packed.map((index) => {
    const [n, k] = graph.stored[index]!.shape as [number, number];
    const at = take(packedBytes(n, k));
    kernels.pack(weights[index]!, at, n, k);
    return at;
  });
  const where = { arena, bindings: [...weights, input, ...panels] };
  const taken = await clock(() => runPlan(plan, kernels, where), seconds);
  const at = address(plan.outputs[0]!.at, where);
  const sample = sampleOf(new Float32Array(memory.buffer, at, numel(output.shape)));
  const profile: Record<string, number> = {};
  for (const [i, step] of plan.steps.entries()) {
    const one = (): void => {
      for (let part = 0; part < step.parts; part++) runPart(plan, kernels, where, { step: i, part });
    };
    const label = `${step.op}${step.activation ? ` + ${step.activation.name}` : ''}`;
    profile[label] = (profile[label] ?? 0) + (await clock(one, STEP_SECONDS)) * 1e6;
  }
  return { seconds: taken, sample, version: engineName(kernelModule()), profile };
});
