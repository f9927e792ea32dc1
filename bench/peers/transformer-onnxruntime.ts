// bench/transformer's encoder by onnxruntime-node on one thread, as PyTorch's exporter writes it.

import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, type ModuleJob } from './module-job.js';
import type { Initializer, Node } from './onnx.js';
import { openSession } from './onnxruntime.js';

interface EncoderJob extends ModuleJob {
  readonly architecture: {
    readonly num_layers: number;
    readonly encoder_layer: {
      readonly d_model: number;
      readonly nhead: number;
      readonly dim_feedforward: number;
    };
  };
}

await serveJobs<EncoderJob>(async ({ architecture, shape, scale, seconds }): Promise<Answer> => {
  const { d_model: d, nhead: heads, dim_feedforward: wide } = architecture.encoder_layer;
  const [batch, steps] = shape as [number, number];
  const initializers: Record<string, Initializer> = {};
  const nodes: Node[] = [];
  const constant = (initializer: Initializer): string => {
    const name = `constant ${Object.keys(initializers).length}`;
    initializers[name] = initializer;
    return name;
  };
  const op = (name: string, inputs: readonly string[], attributes: Node['attributes'] = {}): string => {
    const output = `value ${nodes.length}`;
    nodes.push({ op: name, inputs, output, attributes });
    return output;
  };
  const numbers = (count: number, seed: number): Float32Array =>
    noise(count, seed).map((value) => value * scale);
  let seed = FIRST_SEED;
  const vector = (n: number): string => constant({ dims: [n], values: numbers(n, seed++) });
  /** Columns of w[out, in]ᵀ, from a row of w on. */
  const turned = (w: Float32Array, first: number, out: number, of: number): string => {
    const values = new Float32Array(out * of);
    for (let i = 0; i < of; i++) for (let j = 0; j < out; j++) values[i * out + j] = w[(first + j) * of + i]!;
    return constant({ dims: [of, out], values });
  };
  const linear = (x: string, of: number, out: number): string => {
    const weight = turned(numbers(out * of, seed++), 0, out, of);
    return op('Add', [op('MatMul', [x, weight]), vector(out)]);
  };
  const norm = (x: string, inputs: readonly string[]): string => op('LayerNormalization', [x, ...inputs]);
  const split = constant({ dims: [4], values: BigInt64Array.from([batch, steps, heads, d / heads], BigInt) });
  const joined = constant({ dims: [3], values: BigInt64Array.from([batch, steps, d], BigInt) });
  const factor = constant({ dims: [1], values: Float32Array.of(Math.sqrt(d / heads)) });

  let x = 'x';
  for (let layer = 0; layer < architecture.num_layers; layer++) {
    const weights = numbers(3 * d * d, seed++);
    const biases = numbers(3 * d, seed++);
    const [q, k, v] = [0, 1, 2].map((i) => {
      const bias = constant({ dims: [d], values: biases.slice(i * d, (i + 1) * d) });
      const projected = op('Add', [op('MatMul', [x, turned(weights, i * d, d, d)]), bias]);
      const perm = i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3];
      return op('Transpose', [op('Reshape', [projected, split])], { perm });
    }) as [string, string, string];
    const scores = op('Softmax', [op('Div', [op('MatMul', [q, k]), factor])], { axis: 3 });
    const attended = op('Transpose', [op('MatMul', [scores, v])], { perm: [0, 2, 1, 3] });
    const output = linear(op('Reshape', [attended, joined]), d, d);
    // The norms' parameters come after those of both products.
    const inner = { weight: turned(numbers(wide * d, seed++), 0, wide, d), bias: vector(wide) };
    const outer = { weight: turned(numbers(wide * d, seed++), 0, d, wide), bias: vector(d) };
    const norms = [
      [vector(d), vector(d)],
      [vector(d), vector(d)],
    ] as const;
    const middle = norm(op('Add', [x, output]), norms[0]);
    const hidden = op('Relu', [op('Add', [op('MatMul', [middle, inner.weight]), inner.bias])]);
    const fed = op('Add', [op('MatMul', [hidden, outer.weight]), outer.bias]);
    x = norm(op('Add', [middle, fed]), norms[1]);
  }
  const graph = { input: { name: 'x', dims: shape }, output: { name: x, dims: shape }, nodes, initializers };
  const session = await openSession(graph, numbers(batch * steps * d, 1), 1);
  const taken = await clock(session.run, seconds);
  const sample = sampleOf((await session.run()).data);
  await session.close();
  return { seconds: taken, sample, version: session.version };
});
