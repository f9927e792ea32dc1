// bench/gemm's products by onnxruntime-node: Gemm with the weights as initializers, which it packs when it loads them.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { clock, noise, serveJobs } from './clock.js';
import { encodeModel } from './onnx.js';
import { sampleOf, SEEDS, type ProductAnswer, type ProductJob } from './product-job.js';

interface Tensor {
  readonly data: Float32Array;
}
interface Session {
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
interface Onnxruntime {
  readonly env: { readonly versions: { readonly node?: string } };
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}
const ort = createRequire(resolve('bench/package.json'))('onnxruntime-node') as Onnxruntime;

async function load({ m, k, n, threads }: ProductJob) {
  const model = encodeModel({
    input: { name: 'x', dims: [m, k] },
    output: { name: 'y', dims: [m, n] },
    nodes: [{ op: 'Gemm', inputs: ['x', 'w', 'bias'], output: 'y', attributes: { transB: 1 } }],
    initializers: {
      w: { dims: [n, k], values: noise(n * k, SEEDS.w) },
      bias: { dims: [n], values: noise(n, SEEDS.bias) },
    },
  });
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  return { session, feeds: { x: new ort.Tensor('float32', noise(m * k, SEEDS.x), [m, k]) } };
}

let loaded: { readonly of: string; readonly work: Awaited<ReturnType<typeof load>> } | undefined;

await serveJobs<ProductJob>(async (job): Promise<ProductAnswer> => {
  const of = [job.m, job.k, job.n, job.threads].join();
  if (loaded?.of !== of) {
    await loaded?.work.session.release();
    loaded = { of, work: await load(job) };
  }
  const { session, feeds } = loaded.work;
  const seconds = await clock(() => session.run(feeds), job.seconds);
  const { y } = await session.run(feeds);
  return { seconds, sample: sampleOf(y!.data), version: ort.env.versions.node ?? 'unknown' };
});
