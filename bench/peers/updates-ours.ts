// bench/updates' steps by our kernels, on one thread.

import { ELEMENTWISE, type ElementwiseName } from '../../src/nn/optim/table.js';
import { parseOptimizer } from '../../src/nn/optim/spec.js';
import { ParameterUpdate, type Place } from '../../src/nn/optim/update.js';
import { compileKernels, instantiateKernels } from '../../src/runtime/webassembly.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { COMPARED_STEPS, SEEDS, type UpdatesJob } from './updates-job.js';

const MEMORY_PAGES = 4096;
const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
const kernels = instantiateKernels(compileKernels(), memory);
const floats = new Float32Array(memory.buffer);

await serveJobs<UpdatesJob>(async ({ name, options, numel, seconds }): Promise<Answer> => {
  const spec = parseOptimizer({ name, ...options }, 'optimizer');
  if ('faults' in spec) throw new Error(JSON.stringify(spec.faults));
  const { settings } = spec.value;
  let next = kernels.heap_base();
  const take = (n: number): number => {
    const address = (next + 63) & ~63;
    next = address + 4 * n;
    return address;
  };
  const state = ELEMENTWISE[name as ElementwiseName]
    .state(settings)
    .map(({ name: tensor, shape }) => [tensor, take(shape === 'scalar' ? 1 : numel)] as const);
  const place: Place = {
    parameter: take(numel),
    gradient: take(numel),
    state: Object.fromEntries(state),
    numel,
  };
  floats.set(noise(numel, SEEDS.parameter), place.parameter / 4);
  floats.set(noise(numel, SEEDS.gradient), place.gradient / 4);
  const update = new ParameterUpdate(name as ElementwiseName, place, { memory: floats, first: true });
  const step = (): void => {
    update.begin(settings);
    update.update(kernels);
  };
  for (let i = 0; i < COMPARED_STEPS; i++) step();
  const sample = sampleOf(floats.slice(place.parameter / 4, place.parameter / 4 + numel));
  return { seconds: await clock(step, seconds), sample, version: 'WebAssembly' };
});
