// bench/lenet's network by onnxruntime-node on one thread.

import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, IMAGE, LAYERS, OUTPUTS, type LenetJob } from './lenet-job.js';
import type { Initializer, Node } from './onnx.js';
import { openSession } from './onnxruntime.js';

const initializers: Record<string, Initializer> = {};
const nodes: Node[] = [];
let value = 'x';
const then = (op: string, inputs: readonly string[], attributes: Node['attributes'] = {}): void => {
  nodes.push({ op, inputs: [value, ...inputs], output: `${nodes.length}`, attributes });
  value = `${nodes.length - 1}`;
};
LAYERS.forEach(({ kind, weight, padding }, i) => {
  const names = [weight, [weight[0]]].map((dims, j) => {
    const count = dims.reduce<number>((a, b) => a * b, 1);
    const name = `parameter ${2 * i + j}`;
    initializers[name] = { dims, values: noise(count, FIRST_SEED + 2 * i + j) };
    return name;
  });
  if (kind === 'conv') {
    const pads = [padding, padding, padding, padding];
    then('Conv', names, { kernel_shape: weight.slice(2), pads });
  } else {
    if (LAYERS[i - 1]!.kind === 'conv') then('Flatten', []);
    then('Gemm', names, { transB: 1 });
  }
  if (i < LAYERS.length - 1) then('Relu', []);
  if (kind === 'conv') then('MaxPool', [], { kernel_shape: [2, 2], strides: [2, 2] });
});

await serveJobs<LenetJob>(async ({ batch, seconds }): Promise<Answer> => {
  const input = { name: 'x', dims: [batch, ...IMAGE] };
  const graph = { input, output: { name: value, dims: [batch, OUTPUTS] }, nodes, initializers };
  const session = await openSession(graph, noise(batch * 784, 1), 1);
  const taken = await clock(session.run, seconds);
  const sample = sampleOf((await session.run()).data);
  await session.close();
  return { seconds: taken, sample, version: session.version };
});
