// bench/lenet's network by our plan on one thread, and where its time goes, step by step. Argument: as WEIGHTROOM_NATIVE.

import { Tracer, type Value } from '../../src/graph/tracer.js';
import { makePlan } from '../../src/graph/plan.js';
import { packedBytes } from '../../src/graph/panels.js';
import { address, runPart, runPlan } from '../../src/graph/run.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import { numel } from '../../src/tensor/shape.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, IMAGE, LAYERS, OUTPUTS, type LenetJob } from './lenet-job.js';

export interface LenetAnswer extends Answer {
  /** Microseconds by step. */
  readonly profile: Readonly<Record<string, number>>;
  /** The most that a run takes besides the input and the weights. */
  readonly peakBytes: number;
}

const STEP_SECONDS = 0.01;
const PAIR_OF_ONES = [1, 1] as const;

const fault = chooseKernels(process.argv[2] as NativeChoice);
if (fault) throw new Error(fault);
const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true });
const kernels = bindKernels(kernelModule(), memory);

function trace(batch: number) {
  const tracer = new Tracer();
  let value: Value = tracer.input({ shape: [batch, ...IMAGE], dtype: 'float32' });
  LAYERS.forEach(({ kind, weight, padding }, i) => {
    const [w, bias] = [weight, [weight[0]]].map((shape) => tracer.read({ shape, dtype: 'float32' }));
    if (kind === 'conv') {
      const [stride, dilation, pad] = [PAIR_OF_ONES, PAIR_OF_ONES, [padding, padding] as const];
      value = tracer.apply('conv', [value, w!, bias!], {
        dims: 2,
        stride,
        padding: pad,
        dilation,
        groups: 1,
      });
    } else {
      if (LAYERS[i - 1]!.kind === 'conv')
        value = tracer.apply('flatten', [value], { startDim: 1, endDim: -1 });
      value = tracer.apply('linear', [value, w!, bias!], {});
    }
    if (i < LAYERS.length - 1) value = tracer.apply('relu', [value], {});
    if (kind === 'conv') {
      const [kernel, none] = [[2, 2] as const, [0, 0] as const];
      const window = { kernel, stride: kernel, padding: none, dilation: PAIR_OF_ONES, ceilMode: false };
      value = tracer.apply('max_pool', [value], { dims: 2, ...window });
    }
  });
  return tracer.graph(value);
}

await serveJobs<LenetJob>(async ({ batch, seconds }): Promise<LenetAnswer> => {
  const graph = trace(batch);
  const plan = makePlan(graph, kernels);
  let next = kernels.heap_base();
  const take = (bytes: number): number => {
    const at = next;
    next += (bytes + 63) & ~63;
    return at;
  };
  const place = (count: number, seed: number): number => {
    const at = take(4 * count);
    new Float32Array(memory.buffer, at, count).set(noise(count, seed));
    return at;
  };
  const arena = take(plan.arenaBytes);
  const weights = graph.stored.map(({ shape }, i) => place(numel(shape), FIRST_SEED + i));
  const input = place(numel(graph.inputs[0]!.shape), 1);
  const panels = plan.packed.map((index) => {
    const [n, k] = graph.stored[index]!.shape as [number, number];
    const at = take(packedBytes(n, k));
    kernels.pack(weights[index]!, at, n, k);
    return at;
  });
  const where = { arena, bindings: [...weights, input, ...panels] };
  const taken = await clock(() => runPlan(plan, kernels, where), seconds);
  const outputs = new Float32Array(memory.buffer, address(plan.outputs[0]!.at, where), batch * OUTPUTS);
  const profile: Record<string, number> = {};
  for (const [i, step] of plan.steps.entries()) {
    const one = (): void => {
      for (let part = 0; part < step.parts; part++) runPart(plan, kernels, where, { step: i, part });
    };
    const label = `${i + 1} ${step.op}${step.activation ? ` + ${step.activation.name}` : ''}`;
    profile[label] = (await clock(one, STEP_SECONDS)) * 1e6;
  }
  return {
    seconds: taken,
    sample: sampleOf(outputs),
    version: engineName(kernelModule()),
    profile,
    peakBytes: plan.arenaBytes,
  };
});
