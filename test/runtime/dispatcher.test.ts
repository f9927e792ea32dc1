import { expect, it } from 'vitest';
import type { Plan } from '#src/graph/plan.js';
import { Dispatcher, INLINE_BYTES } from '#src/runtime/dispatcher.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { MIN_INLINE_FLOPS } from '#src/runtime/threshold.js';

const plan: Plan = {
  inputs: [],
  outputs: [],
  steps: [],
  inputBinding: 0,
  packed: [],
  arenaBytes: 64,
  cost: 0,
  rowwise: false,
};

function start() {
  const memory = new SharedMemory({ limitBytes: 2 ** 20 });
  const { address, segment } = memory.allocate(64);
  let asked = 0;
  const call = () => Promise.resolve(void asked++ as never);
  const dispatcher = new Dispatcher({ call }, memory);
  const place = { plan: 1, segment, arena: address, bindings: [] };
  return {
    dispatcher,
    forward: (change: Partial<Plan>) => dispatcher.forward({ ...plan, ...change }, place),
    asked: () => asked,
  };
}

it.each([
  ['stays on this thread, where it is counted', {}, 0],
  ['goes to a worker when it computes much', { cost: MIN_INLINE_FLOPS + 1 }, 1],
  ['goes to a worker when it moves much', { arenaBytes: INLINE_BYTES + 1 }, 1],
])('a plan %s', async (_what, change, calls) => {
  const { dispatcher, forward, asked } = start();
  await forward(change);
  expect(asked()).toBe(calls);
  expect(dispatcher.here.plans).toBe(1 - calls);
});

it('goes by the threshold that was measured once it has it', async () => {
  const { dispatcher, forward, asked } = start();
  dispatcher.adopt({ roundTripUs: 20, flopsPerUs: 5000, inlineFlops: 100_000 });
  await forward({ cost: 100_000 });
  expect(asked()).toBe(0);
  await forward({ cost: 100_001 });
  expect(asked()).toBe(1);
});
