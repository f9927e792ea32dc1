// What does it cost to run something on another thread? A plan of no steps through the pool's ring, beside a worker
// that is sent the same call as a message: one at a time, and eight ahead. Then what the second worker brings to one
// product, whose step falls into parts that both take. All sides take turns in one process.

import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { makePlan, type Plan } from '../src/graph/plan.js';
import { packedBytes } from '../src/graph/panels.js';
import { Tracer } from '../src/graph/tracer.js';
import { unplacedKernels } from '../src/runtime/kernel-module.js';
import { SharedMemory } from '../src/runtime/memory.js';
import { Pool } from '../src/runtime/pool.js';
import type { EditStep } from '../src/runtime/protocol.js';
import { median, report } from './measure.js';

const CALLS = 2000;
const AHEAD = 8;
const ROUNDS = 15;
const SHAPES = [
  [1, 1024, 1024],
  [1, 4096, 4096],
  [32, 1024, 1024],
  [256, 1024, 1024],
] as const;
const PRODUCT_MS = 40;

const EMPTY: Plan = {
  inputs: [],
  outputs: [],
  steps: [],
  inputBinding: 0,
  packed: [],
  arenaBytes: 64,
  cost: 0,
  rowwise: false,
};

const memory = new SharedMemory({ limitBytes: 2 ** 30 });
const pools = [1, 2].map((workers) => new Pool({ workers, memory, timeoutMs: 30_000 }));
await Promise.all(pools.map((pool) => pool.ready()));

type Call = () => Promise<unknown>;

/** The same call to a worker that is sent messages. */
function messages(): { call: Call; stop(): Promise<number> } {
  const worker = new Worker(new URL('./peers/message-worker.js', import.meta.url));
  const waiting = new Map<number, (result: unknown) => void>();
  let lastId = 0;
  worker.on('message', ({ id, result }: { id: number; result: unknown }) => {
    waiting.get(id)!(result);
    waiting.delete(id);
  });
  const args = { plan: 1, segment: 0, arena: 65536, bindings: [65536] };
  const call = () =>
    new Promise((resolve) => {
      const id = ++lastId;
      waiting.set(id, resolve);
      worker.postMessage({ id, call: 'forward', args });
    });
  return { call, stop: () => worker.terminate() };
}

/** Processor time of this thread: the main thread is what a server has one of. */
function cpuUs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e3;
}

/** Wall and main-thread time of one call, µs, with so many under way at once. */
async function cost(call: Call, ahead: number): Promise<{ wall: number; cpu: number }> {
  const start = performance.now();
  const startCpu = cpuUs();
  let left = CALLS;
  const lane = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: ahead }, lane));
  return { wall: ((performance.now() - start) * 1e3) / CALLS, cpu: (cpuUs() - startCpu) / CALLS };
}

const peer = messages();
const sides: Record<string, Call> = {
  message: peer.call,
  ring: () => pools[0]!.call('forward', { plan: 1, segment: 0, arena: 65536, bindings: [65536] }, EMPTY),
};
const results: Record<string, number> = {};
const measured = new Map<string, number[]>();
const keep = (label: string, value: number): void => {
  measured.set(label, [...(measured.get(label) ?? []), value]);
  results[label] = median(measured.get(label)!);
};

memory.allocate(64);
for (const call of Object.values(sides)) await cost(call, 1);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of Object.entries(sides)) {
    const alone = await cost(call, 1);
    const ahead = await cost(call, AHEAD);
    keep(`${name}: there and back, us`, alone.wall);
    keep(`${name}: there and back, us of the main thread`, alone.cpu);
    keep(`${name}: ${AHEAD} ahead, us each`, ahead.wall);
    keep(`${name}: ${AHEAD} ahead, us of the main thread each`, ahead.cpu);
  }
}
await peer.stop();
for (const what of ['there and back, us', `${AHEAD} ahead, us each`])
  results[`${what}: ring beside message, times as fast`] =
    results[`message: ${what}`]! / results[`ring: ${what}`]!;

/** A product with its weight's panels, as a model runs it. */
async function product([m, k, n]: readonly [number, number, number]): Promise<{ plan: Plan; args: Args }> {
  const tracer = new Tracer();
  const input = tracer.input({ shape: [m, k], dtype: 'float32' });
  const weight = tracer.read({ shape: [n, k], dtype: 'float32' });
  const output = tracer.apply('linear', [input, weight, null], {});
  const plan = makePlan(tracer.graph(output), unplacedKernels());
  const [w, x, panels, arena] = [n * k * 4, m * k * 4, packedBytes(n, k), plan.arenaBytes].map(
    (bytes) => memory.allocate(bytes).address,
  ) as [number, number, number, number];
  const steps: EditStep[] = [
    { kind: 'zero', to: x, bytes: m * k * 4 },
    { kind: 'zero', to: w, bytes: n * k * 4 },
    { kind: 'pack', from: w, to: panels, n, k },
  ];
  await pools[0]!.call('edit', { segment: 0, steps });
  return { plan, args: { segment: 0, arena, bindings: [w, x, panels] } };
}

interface Args {
  readonly segment: number;
  readonly arena: number;
  readonly bindings: readonly number[];
}

let lastPlan = 1;
for (const shape of SHAPES) {
  const { plan, args } = await product(shape);
  const id = ++lastPlan;
  const label = `linear ${shape.join('x')}`;
  keep(`${label}: parts`, plan.steps[0]!.parts);
  for (let round = 0; round < ROUNDS; round++) {
    for (const pool of pools) {
      const call = () => pool.call('forward', { ...args, plan: id }, plan);
      if (round === 0) for (let i = 0; i < 50; i++) await call();
      const planSeconds = pool.figure('planSeconds');
      let calls = 0;
      for (const start = performance.now(); performance.now() - start < PRODUCT_MS; calls++) await call();
      const us = ((pool.figure('planSeconds') - planSeconds) * 1e6) / calls;
      keep(`${label}: us on ${pool.size === 1 ? 'one worker' : 'two workers'}`, us);
    }
  }
  results[`${label}: two workers, times as fast`] =
    results[`${label}: us on one worker`]! / results[`${label}: us on two workers`]!;
}
await Promise.all(pools.map((pool) => pool.close()));
report('dispatch', results);
