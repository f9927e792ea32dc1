// bench/resnet's network by onnxruntime-node on one thread, which joins normalisations and convolutions itself.

import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import type { Initializer, Node } from './onnx.js';
import { openSession } from './onnxruntime.js';
import { BLOCKS, CLASSES, FIRST_SEED, IMAGE, STEM, valueAt, type ResnetJob } from './resnet-job.js';

const initializers: Record<string, Initializer> = {};
const nodes: Node[] = [];
let seed = FIRST_SEED;

function constant(values: Float32Array, dims: readonly number[]): string {
  const name = `constant ${Object.keys(initializers).length}`;
  initializers[name] = { dims, values };
  return name;
}

function parameter(name: string, ...dims: number[]): string {
  const count = dims.reduce((a, b) => a * b, 1);
  return constant(noise(count, seed++).map(valueAt(dims, name)), dims);
}

function op(name: string, inputs: readonly string[], attributes: Node['attributes'] = {}): string {
  const output = `value ${nodes.length}`;
  nodes.push({ op: name, inputs, output, attributes });
  return output;
}

function convolved(x: string, { from, to, kernel, stride }: typeof STEM): string {
  const pads = Array<number>(4).fill(Math.floor(kernel / 2));
  const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads };
  const y = op('Conv', [x, parameter('weight', to, from, kernel, kernel)], attributes);
  const norm = [parameter('weight', to), parameter('bias', to)];
  const statistics = [0, 1].map((value) => constant(new Float32Array(to).fill(value), [to]));
  return op('BatchNormalization', [y, ...norm, ...statistics]);
}

let x = op('Relu', [convolved('x', STEM)]);
x = op('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
for (const { first, second, beside } of BLOCKS) {
  const y = convolved(op('Relu', [convolved(x, first)]), second);
  x = op('Relu', [op('Add', [y, beside ? convolved(x, beside) : x])]);
}
x = op('Flatten', [op('GlobalAveragePool', [x])]);
x = op('Gemm', [x, parameter('weight', CLASSES, 512), parameter('bias', CLASSES)], { transB: 1 });

await serveJobs<ResnetJob>(async ({ batch, seconds }): Promise<Answer> => {
  const dims = [batch, ...IMAGE];
  const input = { name: 'x', dims };
  const graph = { input, output: { name: x, dims: [batch, CLASSES] }, nodes, initializers };
  const session = await openSession(
    graph,
    noise(
      dims.reduce((a, b) => a * b, 1),
      1,
    ),
    1,
  );
  const taken = await clock(session.run, seconds);
  const sample = sampleOf((await session.run()).data);
  await session.close();
  return { seconds: taken, sample, version: session.version };
});
