// What PyTorch does to whole numbers, too: pads, and pools over them.

import { describe, expect, it } from 'vitest';
import { makePlan } from '#src/graph/plan.js';
import { address, runPlan } from '#src/graph/run.js';
import { Tracer } from '#src/graph/tracer.js';
import { readTree } from '#src/models/edit-structure.js';
import { traceModule } from '#src/nn/trace.js';
import { numel } from '#src/tensor/shape.js';
import { Arena } from '../kernels/instance.js';

const arena = new Arena();

/** int64 numbers through a layer. */
function run(architecture: unknown, shape: readonly number[], data: readonly number[]): number[] {
  const { root } = readTree(architecture, { maxModules: 10, maxDepth: 5 });
  const tracer = new Tracer();
  const output = traceModule(tracer, root, tracer.input({ shape, dtype: 'int64' }));
  expect(output.dtype).toBe('int64');
  const plan = makePlan(tracer.graph(output), arena.kernels);
  arena.clear();
  const x = arena.placeIndices(data.map(BigInt));
  if (arena.space(0) % 8) arena.space(1);
  const place = { arena: (arena.scratch(plan.arenaBytes + 64) + 63) & ~63, bindings: [x] };
  runPlan(plan, arena.kernels, place);
  const at = address(plan.outputs[0]!.at, place);
  return Array.from(new BigInt64Array(arena.memory.buffer, at, numel(output.shape)), Number);
}

const FOUR_BY_FOUR = Array.from({ length: 16 }, (_, i) => i - 8);

describe('whole numbers', () => {
  it.each([
    ['ConstantPad1d(1, -3.7)', [2, 2], [1, 2, 3, 4], [-3, 1, 2, -3, -3, 3, 4, -3]],
    ['ZeroPad1d((-1, 2))', [3], [1, 2, 3], [2, 3, 0, 0]],
    ['ReflectionPad1d((2, 1))', [1, 3], [1, 2, 3], [3, 2, 1, 2, 3, 2]],
    ['ReplicationPad1d((2, 1))', [1, 3], [1, 2, 3], [1, 1, 1, 2, 3, 3]],
    ['CircularPad1d((2, 1))', [1, 3], [1, 2, 3], [2, 3, 1, 2, 3, 1]],
    ['MaxPool2d(2, padding=1)', [1, 4, 4], FOUR_BY_FOUR, [-8, -6, -5, 0, 2, 3, 4, 6, 7]],
    ['AvgPool2d(2, padding=1)', [1, 4, 4], FOUR_BY_FOUR, [-2, -3, -1, -1, 0, 0, 1, 2, 1]],
    ['AvgPool2d(3, stride=1, divisor_override=5)', [1, 4, 4], FOUR_BY_FOUR, [-5, -3, 1, 3]],
    ['AvgPool1d(3)', [4, 4], FOUR_BY_FOUR, [-7, -3, 1, 5]],
  ])('%s of %j', (architecture, shape, given, expected) => {
    expect(run(architecture, shape, given)).toEqual(expected);
  });

  it.each(['nan', 'inf', '1e30'])('no pad of them is %s', (value) => {
    const pad = { type: 'ConstantPad1d', padding: 1, value };
    expect(() => run(pad, [1, 2], [1, 2])).toThrow(
      'value cannot be converted to type int64_t without overflow',
    );
  });
});
