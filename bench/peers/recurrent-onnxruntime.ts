// bench/recurrent's layers by onnxruntime-node on one thread. Its gates are in another order: i, o, f, c of an LSTM,
// z, r, h of a GRU.

import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { FIRST_SEED, type ModuleJob } from './module-job.js';
import { openSession } from './onnxruntime.js';

/** PyTorch's gates in ONNX's order. */
const ORDERS = { RNN: [0], LSTM: [0, 3, 1, 2], GRU: [1, 0, 2] } as const;

interface RecurrentJob extends ModuleJob {
  readonly architecture: {
    readonly type: keyof typeof ORDERS;
    readonly input_size: number;
    readonly hidden_size: number;
  };
}

await serveJobs<RecurrentJob>(async ({ architecture, shape, scale, seconds }): Promise<Answer> => {
  const { type, input_size: inputs, hidden_size: hidden } = architecture;
  const order = ORDERS[type];
  const numbers = (count: number, seed: number): Float32Array =>
    noise(count, seed).map((value) => value * scale);
  const gates = (columns: number, seed: number): Float32Array => {
    const each = hidden * columns;
    const given = numbers(order.length * each, seed);
    const turned = new Float32Array(given.length);
    order.forEach((from, to) => turned.set(given.subarray(from * each, (from + 1) * each), to * each));
    return turned;
  };
  const rows = order.length * hidden;
  const bias = new Float32Array(2 * rows);
  bias.set(gates(1, FIRST_SEED + 2));
  bias.set(gates(1, FIRST_SEED + 3), rows);
  const initializers = {
    w: { dims: [1, rows, inputs], values: gates(inputs, FIRST_SEED) },
    r: { dims: [1, rows, hidden], values: gates(hidden, FIRST_SEED + 1) },
    b: { dims: [1, 2 * rows], values: bias },
  };
  const attributes = { hidden_size: hidden, ...(type === 'GRU' && { linear_before_reset: 1 }) };
  const nodes = [{ op: type, inputs: ['x', 'w', 'r', 'b'], output: 'y', attributes }];
  const [steps, batch] = shape as [number, number];
  const graph = {
    input: { name: 'x', dims: shape },
    output: { name: 'y', dims: [steps, 1, batch, hidden] },
    nodes,
    initializers,
  };
  const session = await openSession(graph, numbers(steps * batch * inputs, 1), 1);
  const taken = await clock(session.run, seconds);
  const sample = sampleOf((await session.run()).data);
  await session.close();
  return { seconds: taken, sample, version: session.version };
});
