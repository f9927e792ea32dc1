// A module of the server by our plan on one thread, and where its time goes.

import { matrixOf, packedBytes } from '../../src/graph/panels.js';
import { makePlan } from '../../src/graph/plan.js';
import { address, runPart, runPlan } from '../../src/graph/run.js';
import { Tracer } from '../../src/graph/tracer.js';
import { readArchitecture } from '../../src/nn/architecture.js';
import { namedParameters, type Parameter } from '../../src/nn/module.js';
import { traceModule } from '../../src/nn/trace.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import { numel } from '../../src/tensor/shape.js';
import type { Answer } from '../sides.js';
import { clock, sampleOf } from './clock.js';

export interface ModuleAnswer extends Answer {
  /** Microseconds by kind of step. */
  readonly profile: Readonly<Record<string, number>>;
}

const STEP_SECONDS = 0.01;
const LIMITS = { maxModules: 1000, maxDepth: 20 };

export interface Measured {
  readonly architecture: unknown;
  readonly shape: readonly number[];
  readonly input: Float32Array;
  /** A parameter's or buffer's values; `i` counts parameters. */
  readonly values: (parameter: Parameter, path: string, i: number) => Float32Array;
  readonly seconds: number;
}

/** `native`: as WEIGHTROOM_NATIVE. */
export function modulePlans(native: NativeChoice): (measured: Measured) => Promise<ModuleAnswer> {
  const fault = chooseKernels(native);
  if (fault) throw new Error(fault);
  const memory = new WebAssembly.Memory({ initial: 4096, maximum: 4096, shared: true });
  const kernels = bindKernels(kernelModule(), memory);
  return async ({ architecture, shape, input, values, seconds }) => {
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
    const place = (numbers: Float32Array): number => {
      const at = take(numbers.byteLength);
      new Float32Array(memory.buffer, at, numbers.length).set(numbers);
      return at;
    };
    const arena = take(plan.arenaBytes);
    let i = 0;
    const places = new Map(
      namedParameters(read.root).map(({ path, value }) => {
        const numbers = values(value, path, i);
        if (value.kind === 'parameter') i++;
        return [value, place(numbers)];
      }),
    );
    const weights = graph.stored.map((stored) => places.get(stored as Parameter)!);
    const inputs = place(input);
    const panels = plan.packed.map((index) => {
      const { n, k } = matrixOf(graph.stored[index]!.shape);
      const at = take(packedBytes(n, k));
      kernels.pack(weights[index]!, at, n, k);
      return at;
    });
    const where = { arena, bindings: [...weights, inputs, ...panels] };
    const taken = await clock(() => runPlan(plan, kernels, where), seconds);
    const at = address(plan.outputs[0]!.at, where);
    const sample = sampleOf(new Float32Array(memory.buffer, at, numel(output.shape)));
    const profile: Record<string, number> = {};
    for (const [index, step] of plan.steps.entries()) {
      const one = (): void => {
        for (let part = 0; part < step.parts; part++) runPart(plan, kernels, where, { step: index, part });
      };
      const label = `${step.op}${step.activation ? ` + ${step.activation.name}` : ''}`;
      profile[label] = (profile[label] ?? 0) + (await clock(one, STEP_SECONDS)) * 1e6;
    }
    return { seconds: taken, sample, version: engineName(kernelModule()), profile };
  };
}
