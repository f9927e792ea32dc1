// What is kept of a parameter has PyTorch's names and shapes.

import { describe, expect, it } from 'vitest';
import { parseOptimizer } from '#src/nn/optim/spec.js';
import { lbfgsShapes, stateShapes } from '#src/nn/optim/state.js';
import type { ElementwiseName } from '#src/nn/optim/table.js';
import { fixture } from './fixture.js';

describe.each(fixture.updates.map((update) => ({ ...update, shown: JSON.stringify(update.options) })))(
  'the state of $name $shown',
  ({ name, options, state }) => {
    it("is PyTorch's for a parameter of each size", () => {
      const spec = parseOptimizer({ name, ...options }, 'optimizer');
      if ('faults' in spec) throw new Error(JSON.stringify(spec.faults));
      fixture.sizes.forEach((size, i) => {
        const kept = stateShapes(name as ElementwiseName, spec.value.settings, [size]);
        const expected = Object.entries(state[String(i)] ?? {}).map(([key, { shape }]) => [key, shape]);
        expect(Object.fromEntries(kept)).toEqual(Object.fromEntries(expected));
      });
    });
  },
);

it('LBFGS keeps a direction, a gradient, and a history of both', () => {
  expect(lbfgsShapes(7, { history_size: 3 } as never)).toEqual({
    d: [7],
    prev_flat_grad: [7],
    old_dirs: [3, 7],
    old_stps: [3, 7],
  });
});
