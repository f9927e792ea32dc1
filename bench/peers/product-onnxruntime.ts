// bench/gemm's products by onnxruntime-node: Gemm with the weights as initializers, which it packs when it loads them.

import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { openSession } from './onnxruntime.js';
import { SEEDS, type ProductJob } from './product-job.js';

function open({ m, k, n, threads }: ProductJob) {
  const graph = {
    input: { name: 'x', dims: [m, k] },
    output: { name: 'y', dims: [m, n] },
    nodes: [{ op: 'Gemm', inputs: ['x', 'w', 'bias'], output: 'y', attributes: { transB: 1 } }],
    initializers: {
      w: { dims: [n, k], values: noise(n * k, SEEDS.w) },
      bias: { dims: [n], values: noise(n, SEEDS.bias) },
    },
  };
  return openSession(graph, noise(m * k, SEEDS.x), threads);
}

let opened: { readonly of: string; readonly session: Awaited<ReturnType<typeof open>> } | undefined;

await serveJobs<ProductJob>(async (job): Promise<Answer> => {
  const of = [job.m, job.k, job.n, job.threads].join();
  if (opened?.of !== of) {
    await opened?.session.close();
    opened = { of, session: await open(job) };
  }
  const { session } = opened;
  const seconds = await clock(session.run, job.seconds);
  return { seconds, sample: sampleOf((await session.run()).data), version: session.version };
});
