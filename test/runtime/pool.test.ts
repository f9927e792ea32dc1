import { afterEach, describe, expect, it } from 'vitest';
import type { Member } from '#src/runtime/member.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool, PoolClosedError, WorkerLostError, type PoolOptions } from '#src/runtime/pool.js';
import type { EditStep } from '#src/runtime/protocol.js';

const MIB = 2 ** 20;
const LARGE = [64 * MIB];

let pool: Pool;
afterEach(() => pool.close());

async function start(options: Partial<PoolOptions> = {}) {
  const memory = options.memory ?? new SharedMemory({ limitBytes: 512 * MIB });
  pool = new Pool({ workers: 1, timeoutMs: 30_000, ...options, memory });
  await pool.ready();
  return { memory, pool };
}

/** A call that takes a second or more: a hundred million draws. */
function slow(memory: SharedMemory) {
  const data = memory.allocate(LARGE[0]! * 4);
  const generator = memory.allocate(8192);
  const target = { address: data.address, shape: LARGE, dtype: 'float32' as const };
  const init: EditStep = { kind: 'init', target, generator: generator.address, spec: { name: 'normal' } };
  const seed: EditStep = { kind: 'seed', generator: generator.address, seed: 0 };
  return { segment: data.segment, steps: [seed, init, init, init] };
}

function quick(memory: SharedMemory) {
  const region = memory.allocate(64);
  const steps: EditStep[] = [{ kind: 'zero', to: region.address, bytes: 64 }];
  return {
    call: { segment: region.segment, steps },
    bytes: () => [...(memory.tensor(region, [64], 'bool').data as Uint8Array)],
  };
}

describe('the worker pool', () => {
  it('replaces a hung worker: its call is lost, those behind it and those of other workers are answered', async () => {
    const lost: Error[] = [];
    const { memory } = await start({ workers: 1, timeoutMs: 100, onLost: (error) => lost.push(error) });
    const hung = pool.call('edit', slow(memory));
    const behind = quick(memory);
    const answers = [hung, pool.call('edit', behind.call), pool.call('edit', behind.call)];
    await expect(hung).rejects.toThrow(WorkerLostError);
    expect(await Promise.all(answers.slice(1))).toEqual([null, null]);
    expect(behind.bytes()).toEqual(Array(64).fill(0));
    expect(lost).toHaveLength(1);
  });

  it('answers other calls while one worker is hung', async () => {
    const { memory } = await start({ workers: 2, timeoutMs: 1000 });
    const hung = pool.call('edit', slow(memory));
    const refused = expect(hung).rejects.toThrow(WorkerLostError);
    const { call } = quick(memory);
    for (let i = 0; i < 20; i++) await pool.call('edit', call);
    expect(pool.load.running).toBeGreaterThan(0);
    await refused;
    await pool.ready();
  });

  it('lets a call that is running end when it is closed with grace, and refuses new ones', async () => {
    const { memory } = await start();
    const running = pool.call('edit', quick(memory).call);
    const closing = pool.close(10_000);
    await expect(pool.call('edit', quick(memory).call)).rejects.toThrow(PoolClosedError);
    expect(await running).toBeNull();
    await closing;
  });

  it('settles every waiter when it is closed without grace', async () => {
    const { memory } = await start();
    const calls = [pool.call('edit', slow(memory)), pool.call('edit', quick(memory).call)];
    const settled = Promise.allSettled(calls);
    await pool.close();
    for (const result of await settled) expect(result).toMatchObject({ status: 'rejected' });
  });

  it('sees segments and growth that come after its workers started', async () => {
    const { memory } = await start();
    const first = quick(memory);
    await pool.call('edit', first.call);
    memory.allocate(128 * MIB);
    const last = quick(memory);
    await pool.call('edit', last.call);
    expect(last.bytes()).toEqual(Array(64).fill(0));
  });

  it('refuses a call that cannot be cloned, and answers those around it', async () => {
    const { memory } = await start();
    const { call } = quick(memory);
    const unclonable = { segment: 0, steps: [() => undefined] as unknown as EditStep[] };
    const calls = [pool.call('edit', call), pool.call('edit', unclonable), pool.call('edit', call)];
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(pool.load).toEqual({ queued: 0, running: 0 });
  });

  it.each([
    ['end before they are ready', {}],
    ['cannot be started', () => undefined],
  ])('fails calls while its workers %s, and goes on once they can be', async (_how, broken) => {
    const { memory } = await start({ timeoutMs: 100 });
    const { call, bytes } = quick(memory);
    const { memories } = memory;
    let breaks = true;
    Object.defineProperty(memory, 'memories', { get: () => (breaks ? [broken] : memories) });
    const [member] = (pool as unknown as { readonly members: ReadonlySet<Member> }).members;
    await member!.terminate();
    for (let i = 0; i < 2; i++) await expect(pool.call('edit', call)).rejects.toThrow(WorkerLostError);
    breaks = false;
    await pool.ready();
    expect(await pool.call('edit', call)).toBeNull();
    expect(bytes()).toEqual(Array(64).fill(0));
  });

  it('waits for nobody when the last that runs dies while it is closed with grace', async () => {
    const { memory } = await start();
    const refused = expect(pool.call('edit', slow(memory))).rejects.toThrow(PoolClosedError);
    const closing = pool.close(2 ** 30);
    const [member] = (pool as unknown as { readonly members: ReadonlySet<Member> }).members;
    await member!.terminate();
    await refused;
    await closing;
  });
});
