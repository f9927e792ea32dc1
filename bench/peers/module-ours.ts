// A module of the server by our plan on one thread, and where its time goes. Argument: as WEIGHTROOM_NATIVE.

import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import { numel } from '../../src/tensor/shape.js';
import { noise, serveJobs } from './clock.js';
import { FIRST_SEED, type ModuleJob } from './module-job.js';
import { modulePlans } from './module-plan.js';

const measure = modulePlans(process.argv[2] as NativeChoice);

await serveJobs<ModuleJob>(({ architecture, shape, scale, seconds }) => {
  const numbers = (count: number, seed: number): Float32Array =>
    noise(count, seed).map((value) => value * scale);
  const values = (parameter: { shape: readonly number[] }, _path: string, i: number): Float32Array =>
    numbers(numel(parameter.shape), FIRST_SEED + i);
  return measure({ architecture, shape, input: numbers(numel(shape), 1), values, seconds });
});
