import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { ValueError } from '#src/graph/op.js';
import { makePlan } from '#src/graph/plan.js';
import { Tracer } from '#src/graph/tracer.js';
import { unplacedKernels } from '#src/runtime/kernel-module.js';
import type { Member } from '#src/runtime/member.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool, WorkerLostError, type PoolOptions } from '#src/runtime/pool.js';
import type { EditStep } from '#src/runtime/protocol.js';
import { MAX_BINDINGS } from '#src/runtime/ring.js';
import { wholeView } from '#src/tensor/view.js';
import { product, type Product } from './product.js';

const MIB = 2 ** 20;
/** Parts of half a million operations each. */
const IN_PARTS = [4, 512, 1024] as const;

let pool: Pool;
afterEach(() => pool.close());

async function start(options: Partial<PoolOptions> = {}) {
  const memory = new SharedMemory({ limitBytes: 1024 * MIB });
  pool = new Pool({ workers: 1, timeoutMs: 30_000, ...options, memory });
  await pool.ready();
  memory.allocate(64);
  return { memory, pool };
}

const run = ({ call, plan }: Product) => pool.call('forward', call, plan);

function check({ plan, y, expected }: Product): void {
  const [m, n] = plan.outputs[0]!.shape as [number, number];
  const output = y();
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      if (output[i * n + j] !== expected(i, j))
        throw new Error(`y[${i}, ${j}] is ${output[i * n + j]}, not ${expected(i, j)}`);
}

/** A plan that refuses an index of its table of four rows. */
function lookup(memory: SharedMemory, index: bigint) {
  const tracer = new Tracer();
  const input = tracer.input({ shape: [1], dtype: 'int64' });
  const table = tracer.read({ shape: [4, 2], dtype: 'float32' });
  const output = tracer.apply('embedding', [input, table], {});
  const plan = makePlan(tracer.graph(output), unplacedKernels());
  const [x, w, arena] = [8, 32, plan.arenaBytes].map((bytes) => memory.allocate(bytes, 0)) as [
    ReturnType<SharedMemory['allocate']>,
    ReturnType<SharedMemory['allocate']>,
    ReturnType<SharedMemory['allocate']>,
  ];
  (memory.tensor(x, [1], 'int64').data as BigInt64Array)[0] = index;
  return { plan, call: { segment: 0, arena: arena.address, bindings: [w.address, x.address] } };
}

it('answers thousands of forwards over three workers, each with its own output', async () => {
  const made = await start({ workers: 3 });
  const products = await Promise.all(
    Array.from({ length: 40 }, (_, i) => product(made, [1 + (i % 3), 16 + i, 9 + i], { first: i })),
  );
  for (let round = 0; round < 100; round++) {
    for (const { y } of products) y().fill(-1);
    await Promise.all(products.map(run));
    products.forEach(check);
  }
  expect(pool.figure('plans')).toBe(4000);
});

it('keeps the order and the kinds of answers, whether they come by ring or by message', async () => {
  const { memory } = await start();
  const good = lookup(memory, 3n);
  const bad = lookup(memory, 9n);
  const tensor = { address: good.call.bindings[0]!, shape: [8], dtype: 'float32' as const };
  const stretch = { view: wholeView([8]), from: 0, to: 8 };
  const answered: number[] = [];
  const kinds: string[] = [];
  const calls = Array.from({ length: 300 }, (_, i) => {
    const call =
      i % 3 === 0
        ? pool.call('forward', { ...good.call, plan: 1 }, good.plan)
        : i % 3 === 1
          ? pool.call('forward', { ...bad.call, plan: 2 }, bad.plan)
          : pool.call('moments', { segment: 0, tensor, stretch });
    const keep = (kind: string): void => {
      answered.push(i);
      kinds.push(kind);
    };
    return call.then(
      (result) => keep(result === null ? 'null' : `count ${result.count}`),
      (error: Error) => keep(`${error instanceof ValueError} ${error.message}`),
    );
  });
  await Promise.all(calls);
  expect(answered).toEqual(Array.from({ length: 300 }, (_, i) => i));
  const refusal = kinds[1]!;
  expect(refusal).toMatch(/^true .*index/);
  expect(kinds).toEqual(Array.from({ length: 100 }, () => ['null', refusal, 'count 8']).flat());
});

it('runs a forward whose bindings do not fit into an entry', async () => {
  const made = await start({ workers: 2 });
  const small = await product(made, IN_PARTS);
  const bindings = [...small.call.bindings, ...Array<number>(MAX_BINDINGS).fill(0)];
  await pool.call('forward', { ...small.call, bindings }, small.plan);
  check(small);
});

it('runs a plan that is forgotten while it waits, and learns it again', async () => {
  const made = await start({ workers: 2 });
  const some = await product(made, [2, 40, 40]);
  for (let i = 0; i < 50; i++) {
    const calls = [run(some), run(some), run(some)];
    pool.forget(some.call.plan);
    calls.push(run(some));
    await Promise.all(calls);
  }
  check(some);
});

it('has the same numbers of a product in parts whoever does them, and several workers do', async () => {
  const made = await start({ workers: 3 });
  const parted = await product(made, IN_PARTS);
  expect(parted.plan.steps[0]!.parts).toBeGreaterThan(1);
  let rounds = 0;
  do {
    parted.y().fill(-1);
    await run(parted);
    check(parted);
  } while (pool.figure('parts') < 3 && ++rounds < 3000);
  expect(pool.figure('parts')).toBeGreaterThanOrEqual(3);
});

it('runs what stands behind a lost forward on another worker, with nothing of it lost', async () => {
  const lost: Error[] = [];
  const made = await start({ timeoutMs: 1000, onLost: (error) => lost.push(error) });
  const long = await product(made, [2048, 2048, 2048]);
  const behind = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => product(made, [2, 32, 32], { first: i })));
  const target = { address: long.call.arena, shape: [2048, 2048], dtype: 'float32' as const };
  const generator = made.memory.allocate(8192, 0).address;
  const draw: EditStep = { kind: 'init', target, generator, spec: { name: 'normal' } };
  const steps: EditStep[] = [{ kind: 'seed', generator, seed: 0 }, ...Array<EditStep>(300).fill(draw)];
  const hung = pool.call('edit', { segment: 0, steps });
  const answers = behind.map(run);
  await expect(hung).rejects.toThrow(WorkerLostError);
  await Promise.all(answers);
  behind.forEach(check);
  expect(lost).toHaveLength(1);
});

it('loses with a hung leader whoever is at the same step: nobody writes once the call is answered', async () => {
  const lost: Error[] = [];
  const made = await start({ workers: 2, timeoutMs: 1000, onLost: (error) => lost.push(error) });
  const long = await product(made, [8192, 2048, 2048], { times: 100 });
  await expect(run(long)).rejects.toThrow(WorkerLostError);
  const parts = pool.figure('parts');
  const arena = long.arena();
  arena.fill(-1);
  await pool.ready();
  const next = await product(made, [2, 32, 32]);
  await Promise.all([run(next), run(next), run(next)]);
  check(next);
  expect(pool.figure('parts')).toBe(parts);
  expect(arena.every((value) => value === -1)).toBe(true);
  // The helper is lost too unless it had done its last part when the leader had ended.
  expect([1, 2]).toContain(lost.length);
});

it('ends at once with a helper that dies at a part: the call is lost long before it would count as hung', async () => {
  const lost: Error[] = [];
  const made = await start({ workers: 2, onLost: (error) => lost.push(error) });
  const long = await product(made, [8192, 2048, 2048], { times: 1000 });
  let error: unknown;
  void run(long).catch((reason: unknown) => (error = reason));
  // Nothing else kills a thread at a chosen moment. Should it end its part just before, another one is killed.
  const { members } = pool as unknown as { readonly members: ReadonlySet<Member> };
  while (error === undefined) {
    await [...members].find(({ ring }) => ring.helping !== undefined)?.terminate();
    await delay(1);
  }
  expect(error).toBeInstanceOf(WorkerLostError);
  await pool.ready();
  const next = await product(made, [2, 32, 32]);
  await run(next);
  check(next);
  expect(lost.length).toBeGreaterThanOrEqual(2);
});

it('does nothing while nothing is asked: no worker looks or wakes', async () => {
  const made = await start({ workers: 2 });
  const some = await product(made, [2, 40, 40]);
  await Promise.all(Array.from({ length: 50 }, () => run(some)));
  const counts = () => ({ spins: pool.figure('spins'), sleeps: pool.figure('sleeps') });
  // Each worker goes to sleep in its own time after its last call: a change is what tells that it has not yet.
  let before;
  do {
    before = counts();
    await delay(100);
  } while (counts().sleeps !== before.sleeps || counts().spins !== before.spins);
  const settled = counts();
  await delay(300);
  expect(counts()).toEqual(settled);
  // Each call and each message wakes a worker at most once, and it rests at most once after each.
  const { spins, sleeps } = settled;
  expect(spins).toBeLessThanOrEqual(2 * (pool.figure('calls') + 10));
  expect(sleeps).toBeLessThanOrEqual(2 * (pool.figure('calls') + 10));
});

it('runs in a segment that grew while it was on its way to the workers', async () => {
  const tracer = new Tracer();
  const x = tracer.input({ shape: [MIB], dtype: 'float32' });
  const plan = makePlan(tracer.graph(tracer.apply('copy', [x], {})), unplacedKernels());
  // Growth and arrival meet once in a while only.
  for (let round = 1; round <= 20; round++) {
    const memory = new SharedMemory({ limitBytes: 64 * MIB });
    pool = new Pool({ workers: 2, timeoutMs: 30_000, memory });
    await pool.ready();
    // The first makes the segment, of which workers are told; the second lets it grow.
    memory.allocate(64);
    for (const until = performance.now() + round / 50; performance.now() < until;);
    const [from, arena] = [memory.allocate(4 * MIB, 0), memory.allocate(plan.arenaBytes, 0)];
    const call = { plan: round, segment: 0, arena: arena.address, bindings: [from.address] };
    await Promise.all([pool.call('forward', call, plan), pool.call('forward', call, plan)]);
    await pool.close();
  }
});
