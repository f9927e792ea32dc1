// Every optimizer's updates against PyTorch's, over steps on given gradients.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ELEMENTWISE, type ElementwiseName } from '#src/nn/optim/table.js';
import { Arena, bits, excess } from '../../kernels/instance.js';
import { fixture, unpacked } from './fixture.js';
import { settingsFor, Updated } from './updates.js';

const arena = new Arena();
const fused = arena.kernels.madd_is_fused() === 1;
const starts = fixture.starts.map(unpacked);
const gradients = fixture.gradients.map((step) => step.map(unpacked));

function expectNear(actual: Float32Array, expected: string): void {
  expect(excess(actual, [...unpacked(expected)], 1e-6, 1e-6)).toBeLessThanOrEqual(1);
}

describe.each(fixture.updates.map((update) => ({ ...update, shown: JSON.stringify(update.options) })))(
  '$name $shown',
  ({ name, options, parameters, with_nearest_sqrt, state }) => {
    describe.each(fixture.sizes.map((size, index) => [size, index] as const))(
      'on %i elements',
      (size, index) => {
        const settings = settingsFor(name, options);
        const trained = (): Updated => {
          arena.clear();
          const updated = new Updated(arena, starts[index]!, { name: name as ElementwiseName, settings });
          for (const gradient of gradients) updated.step(gradient[index]!, settings);
          expect(arena.intact()).toBe(true);
          return updated;
        };

        it('24 steps leave what PyTorch leaves, within 1e-6, and state of the same names', () => {
          const updated = trained();
          expectNear(updated.values, parameters[index]!);
          const kept = state[String(index)] ?? {};
          expect(Object.keys(updated.place.state).sort()).toEqual(Object.keys(kept).sort());
          for (const [tensor, { shape, data }] of Object.entries(kept)) {
            expectNear(updated.state(tensor, shape.length === 0 ? 1 : size), data);
          }
        });

        // Elsewhere each fused operation is rounded twice.
        it.runIf(fused)("24 steps leave PyTorch's bits where its square roots are the nearest floats", () => {
          expect(bits(trained().values)).toEqual(bits(unpacked(with_nearest_sqrt[index]!)));
        });
      },
    );
  },
);

describe.each(fixture.updates.map((update) => ({ ...update, shown: JSON.stringify(update.options) })))(
  '$name $shown: the bits do not depend on',
  ({ name, options }) => {
    const settings = settingsFor(name, options);
    const index = fixture.sizes.indexOf(1000);
    const run = (change: (updated: Updated, step: number) => readonly number[]): number[] => {
      arena.clear();
      const updated = new Updated(arena, starts[index]!, { name: name as ElementwiseName, settings });
      for (const [step, gradient] of gradients.slice(0, 4).entries()) {
        const cuts = change(updated, step);
        updated.step(gradient[index]!, settings, () => cuts);
      }
      const tensors = ELEMENTWISE[name as ElementwiseName].state(settings).map(({ name }) => name);
      return [updated.values, ...tensors.map((tensor) => updated.state(tensor, 1))].flatMap(bits);
    };
    const alone = run(() => [0, 1000]);

    it('how a parameter is split into ranges', () => {
      const cut = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 6 });
      fc.assert(
        fc.property(cut, (cuts) => {
          expect(run(() => [0, ...cuts.sort((a, b) => a - b), 1000])).toEqual(alone);
        }),
        { numRuns: 10 },
      );
    });

    it('whether the state was taken up again in between', () => {
      const restored = run((updated, step) => {
        if (step === 2) updated.restore();
        return [0, 1000];
      });
      expect(restored).toEqual(alone);
    });
  },
);

describe('NaN, infinities, zeros and the ends of float32 in a gradient lead where they lead in PyTorch', () => {
  it
    .runIf(fused)
    .each(fixture.odd.map(({ name, options, parameter }) => [name, options, parameter] as const))(
    '%s %j',
    (name, options, parameter) => {
      arena.clear();
      const gradient = unpacked(fixture.odd_gradient);
      const settings = settingsFor(name, options);
      const start = new Float32Array(gradient.length).fill(0.5);
      const updated = new Updated(arena, start, { name: name as ElementwiseName, settings });
      for (const sign of [1, 1, -1])
        updated.step(
          gradient.map((value) => value * sign),
          settings,
        );
      expect([...updated.values]).toEqual([...unpacked(parameter)]);
    },
  );
});

describe('a momentum that ends', () => {
  it('leaves plain gradient descent, and the buffer as it is', () => {
    arena.clear();
    const settings = settingsFor('SGD', { lr: 0.5, momentum: 0.9, dampening: 0.5 });
    const updated = new Updated(arena, Float32Array.of(1), { name: 'SGD', settings });
    updated.step(Float32Array.of(1), settings);
    settings.momentum = 0;
    updated.step(Float32Array.of(3), settings);
    expect([...updated.values]).toEqual([1 - 0.5 - 1.5]);
    expect([...updated.state('momentum_buffer')]).toEqual([1]);
  });
});
