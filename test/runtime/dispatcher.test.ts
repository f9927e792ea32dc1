import { expect, it } from 'vitest';
import type { Plan } from '#src/graph/plan.js';
import { Dispatcher, INLINE_BYTES, INLINE_FLOPS } from '#src/runtime/dispatcher.js';
import { SharedMemory } from '#src/runtime/memory.js';

const plan: Plan = {
  input: { shape: [1], dtype: 'float32' },
  output: { shape: [1], dtype: 'float32' },
  steps: [],
  inputBinding: 0,
  packed: [],
  result: { bound: 0 },
  arenaBytes: 64,
  cost: 0,
  rowwise: false,
};

it.each([
  ['stays on this thread', {}, 0],
  ['goes to a worker when it computes much', { cost: INLINE_FLOPS + 1 }, 1],
  ['goes to a worker when it moves much', { arenaBytes: INLINE_BYTES + 1 }, 1],
])('a plan %s', async (_what, change, calls) => {
  let asked = 0;
  const memory = new SharedMemory({ limitBytes: 2 ** 20 });
  const { address, segment } = memory.allocate(64);
  const call = () => Promise.resolve(void asked++ as never);
  await new Dispatcher({ call }, memory).forward(
    { ...plan, ...change },
    { plan: 1, segment, arena: address, bindings: [] },
  );
  expect(asked).toBe(calls);
});
