// bench/resnet's network as a Graph of the server, by our plan on one thread. Argument: as WEIGHTROOM_NATIVE.

import type { NativeChoice } from '../../src/runtime/kernel-module.js';
import type { Parameter } from '../../src/nn/module.js';
import { numel } from '../../src/tensor/shape.js';
import { noise, serveJobs } from './clock.js';
import { modulePlans } from './module-plan.js';
import { BLOCKS, CLASSES, FIRST_SEED, IMAGE, STEM, valueAt, type ResnetJob } from './resnet-job.js';

interface Node {
  readonly name: string;
  readonly module?: object;
  readonly op?: string;
  readonly inputs: readonly string[];
}

function architecture() {
  const nodes: Node[] = [];
  const add = (name: string, what: object, ...inputs: string[]): string => {
    nodes.push({ name, ...what, inputs });
    return name;
  };
  const module = (type: string, options: object = {}) => ({ module: { type, ...options } });
  const convolved = (name: string, x: string, { from, to, kernel, stride }: typeof STEM): string => {
    const options = { in_channels: from, out_channels: to, kernel_size: kernel, stride, bias: false };
    const padding = Math.floor(kernel / 2);
    const y = add(`${name}_conv`, module('Conv2d', { ...options, padding }), x);
    return add(`${name}_bn`, module('BatchNorm2d', { num_features: to }), y);
  };
  let x = add('stem', module('ReLU'), convolved('stem', 'image', STEM));
  x = add('pool', module('MaxPool2d', { kernel_size: 3, stride: 2, padding: 1 }), x);
  BLOCKS.forEach(({ first, second, beside }, i) => {
    const a = add(`block${i}_relu`, module('ReLU'), convolved(`block${i}_first`, x, first));
    const b = convolved(`block${i}_second`, a, second);
    const c = beside ? convolved(`block${i}_beside`, x, beside) : x;
    x = add(`block${i}`, module('ReLU'), add(`block${i}_sum`, { op: 'add' }, b, c));
  });
  const pooled = add('average', module('AdaptiveAvgPool2d', { output_size: 1 }), x);
  const flat = add('flat', module('Flatten'), pooled);
  add('classes', module('Linear', { in_features: 512, out_features: CLASSES }), flat);
  return { type: 'Graph', inputs: ['image'], nodes, outputs: ['classes'] };
}

const measure = modulePlans(process.argv[2] as NativeChoice);

function values({ kind, shape }: Parameter, path: string, i: number): Float32Array {
  const count = numel(shape);
  if (kind === 'buffer') return new Float32Array(count).fill(path.endsWith('running_var') ? 1 : 0);
  return noise(count, FIRST_SEED + i).map(valueAt(shape, path));
}

await serveJobs<ResnetJob>(({ batch, seconds }) => {
  const shape = [batch, ...IMAGE];
  return measure({
    architecture: architecture(),
    shape,
    input: noise(numel(shape), 1),
    values,
    seconds,
  });
});
