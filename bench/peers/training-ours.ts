// bench/training's steps by training jobs of a server with so many workers; and where the time of one goes, measured with the
// plan of its job on one thread.

import { differentiate } from '../../src/graph/gradient.js';
import { makePlan } from '../../src/graph/plan.js';
import { runPart, runPlan } from '../../src/graph/run.js';
import { Tracer, type Value } from '../../src/graph/tracer.js';
import { readTree } from '../../src/models/edit-structure.js';
import { traceLoss } from '../../src/nn/losses/spec.js';
import { everyName } from '../../src/nn/module.js';
import { traceModule } from '../../src/nn/trace.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import { byteLength, numel } from '../../src/tensor/shape.js';
import { startServer } from '../server.js';
import type { Answer } from '../sides.js';
import { clock, noise, serveJobs } from './clock.js';
import { BATCHES, CLASSES, type TrainingJob } from './training-job.js';

export interface TrainingAnswer extends Answer {
  /** Microseconds by kind of step; `plan`: all of them. */
  readonly profile: Readonly<Record<string, number>>;
}

const STEP_SECONDS = 0.005;
const PLAN_SECONDS = 0.05;
const COMPARED_LOSSES = 4;

const classOf = (i: number): number => (7 * i) % CLASSES;

const servers = new Map<number, Promise<{ url: string; stop(): Promise<void> }>>();
function serverWith(threads: number) {
  let server = servers.get(threads);
  if (!server) servers.set(threads, (server = startServer({ env: { WEIGHTROOM_WORKERS: String(threads) } })));
  return server;
}

async function request(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(url + path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text === '' ? undefined : JSON.parse(text);
}

/** Seconds of a step, and the first losses. */
async function train({ network, shape, batch, optimizer, threads, steps }: TrainingJob) {
  const { url } = await serverWith(threads);
  const rows = BATCHES * batch;
  const data = [...noise(rows * numel(shape), 1)];
  const y = Array.from({ length: rows }, (_, i) => classOf(i));
  const columns = {
    x: { shape: [rows, ...shape], data },
    y: { dtype: 'int64', shape: [rows], data: y },
  };
  await request(url, 'PUT', '/v1/datasets/noise', { columns });
  await request(url, 'POST', '/v1/models', { name: 'net', seed: 0, architecture: network });
  const job = (await request(url, 'POST', '/v1/models/net/train?wait=true', {
    ...{ dataset: 'noise', inputs: 'x', targets: 'y', loss: 'cross_entropy', optimizer, batch_size: batch },
    ...{ epochs: Math.ceil(steps / BATCHES), commit_every: steps },
  })) as { seconds: number; step: number; losses: number[] };
  await request(url, 'DELETE', '/v1/models/net');
  return { seconds: job.seconds / job.step, sample: job.losses.slice(0, COMPARED_LOSSES) };
}

const fault = chooseKernels('auto');
if (fault) throw new Error(fault);
const memory = new WebAssembly.Memory({ initial: 4096, maximum: 4096, shared: true });
const kernels = bindKernels(kernelModule(), memory);

/** Microseconds of the plan that a step runs, and of its kinds of steps. */
async function profile({ network, shape, batch }: TrainingJob): Promise<Record<string, number>> {
  const { root } = readTree(network, { maxModules: 100, maxDepth: 10 });
  const tracer = new Tracer({ unpacked: true });
  const x = tracer.input({ shape: [batch, ...shape], dtype: 'float32' });
  const target = tracer.input({ shape: [batch], dtype: 'int64' });
  const output = traceModule(tracer, root, x, { mode: 'train' });
  const options = { reduction: 'mean', ignore_index: -100, label_smoothing: 0 };
  const value = traceLoss(
    tracer,
    { name: 'cross_entropy', options, tensors: {} },
    { output, targets: [target] },
  );
  const one = tracer.apply('fill', [], { shape: [], value: 1 });
  const parameters = everyName(root).map(({ value: parameter }) => tracer.read(parameter)!);
  const found = differentiate(tracer, [{ value, gradient: one }], parameters) as Value[];
  const graph = tracer.graph(value, ...found);
  const plan = makePlan(graph, kernels);
  let next = kernels.heap_base();
  const take = (bytes: number): number => {
    const at = (next + 63) & ~63;
    next = at + bytes;
    return at;
  };
  const place = (values: Float32Array): number => {
    const at = take(values.byteLength);
    new Float32Array(memory.buffer, at, values.length).set(values);
    return at;
  };
  const stored = graph.stored.map((tensor, i) =>
    place(noise(numel(tensor.shape), 2 + i).map((number) => 0.05 * number)),
  );
  const classes = take(byteLength([batch], 'int64'));
  new BigInt64Array(memory.buffer, classes, batch).set(
    Array.from({ length: batch }, (_, i) => BigInt(classOf(i))),
  );
  const inputs = [place(noise(batch * numel(shape), 1)), classes];
  const where = {
    arena: take(plan.arenaBytes),
    bindings: [...stored, ...inputs, ...plan.packed.map(() => 0)],
  };
  const times: Record<string, number> = {
    plan: (await clock(() => runPlan(plan, kernels, where), PLAN_SECONDS)) * 1e6,
  };
  for (const [i, { op, parts }] of plan.steps.entries()) {
    const run = (): void => {
      for (let part = 0; part < parts; part++) runPart(plan, kernels, where, { step: i, part });
    };
    times[op] = (times[op] ?? 0) + (await clock(run, STEP_SECONDS)) * 1e6;
  }
  return times;
}

await serveJobs<TrainingJob>(async (job): Promise<TrainingAnswer> => {
  const trained = await train(job);
  return { ...trained, version: engineName(kernelModule()), profile: await profile(job) };
});
for (const server of servers.values()) await (await server).stop();
