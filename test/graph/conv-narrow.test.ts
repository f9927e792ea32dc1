import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matrixOf, packedBytes } from '#src/graph/panels.js';
import { makePlan } from '#src/graph/plan.js';
import { address, runPlan } from '#src/graph/run.js';
import { Tracer } from '#src/graph/tracer.js';
import type { Parameter } from '#src/nn/module.js';
import { numel } from '#src/tensor/shape.js';
import { noise } from '../kernels/instance.js';
import { kernels, read, Space } from '../nn/space.js';

interface Sizes {
  readonly batch: number;
  readonly ci: number;
  readonly co: number;
  readonly extent: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly bias: boolean;
  readonly relu: boolean;
}

function parameter(shape: number[]): Parameter {
  return { kind: 'parameter', shape, dtype: 'float32' } as unknown as Parameter;
}

function planOf({ batch, ci, co, extent, kernel, stride, padding, dilation, bias, relu }: Sizes) {
  const tracer = new Tracer();
  const input = { shape: [batch, ci, ...extent], dtype: 'float32' } as const;
  const [weight, shift] = [parameter([co, ci, ...kernel]), parameter([co])];
  const x = tracer.input(input);
  const attributes = {
    dims: 2,
    stride: [stride, stride],
    padding: [padding, padding],
    dilation: [dilation, dilation],
    groups: 1,
  } as const;
  const y = tracer.apply('conv', [x, tracer.read(weight), bias ? tracer.read(shift) : null], attributes);
  const graph = tracer.graph(relu ? tracer.apply('relu', [y], {}) : y);
  return { plan: makePlan(graph, kernels), graph, input, output: y };
}

/** The outputs, with the weight's panels and without. */
function run(sizes: Sizes) {
  const { plan, graph, input } = planOf(sizes);
  const place = (space: Space, shape: readonly number[], seed: number): number =>
    space.place({ shape, dtype: 'float32', data: [...noise(numel(shape), seed)] });
  return [true, false].map((packed) => {
    const space = new Space();
    const stored = graph.stored.map((value, i) => place(space, (value as Parameter).shape, 2 + i));
    const panels = plan.packed.map((index) => {
      const { n, k } = matrixOf(graph.stored[index]!.shape);
      const at = space.take(packedBytes(n, k));
      kernels.pack(stored[index]!, at, n, k);
      return packed ? at : 0;
    });
    const bindings = [...stored, place(space, input.shape, 1), ...panels];
    const where = { arena: space.take(plan.arenaBytes), bindings };
    runPlan(plan, kernels, where);
    return read(address(plan.outputs[0]!.at, where), plan.outputs[0]!);
  });
}

const sizes: fc.Arbitrary<Sizes> = fc
  .record({
    batch: fc.integer({ min: 1, max: 9 }),
    ci: fc.integer({ min: 1, max: 20 }),
    co: fc.integer({ min: 128, max: 200 }),
    extent: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    stride: fc.integer({ min: 1, max: 2 }),
    padding: fc.integer({ min: 0, max: 1 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    bias: fc.boolean(),
    relu: fc.boolean(),
  })
  .filter(({ extent, kernel, padding, dilation }) =>
    extent.every((size, i) => size + 2 * padding > dilation * (kernel[i]! - 1)),
  );

describe('a convolution with few positions', () => {
  it('has the same bits with the panels of its weight and without', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const [packed, plain] = run(given);
        expect(new Uint32Array(packed!.buffer)).toEqual(new Uint32Array(plain!.buffer));
      }),
      { numRuns: 300 },
    );
  });

  it('reads panels: of 128 positions and outputs, not of more or fewer', () => {
    const base = {
      ci: 16,
      co: 128,
      kernel: [3, 3],
      stride: 1,
      padding: 1,
      dilation: 1,
      bias: true,
      relu: false,
    } as const;
    const packed = (given: Partial<Sizes>) =>
      planOf({ ...base, batch: 2, extent: [8, 8], ...given }).plan.packed;
    expect(packed({})).toHaveLength(1);
    expect(packed({ batch: 3 })).toHaveLength(0);
    expect(packed({ co: 127 })).toHaveLength(0);
  });

  it('is divided into two parts at most, each of which copies what all positions meet', () => {
    const { plan } = planOf({
      ...{ batch: 1, ci: 512, co: 512, extent: [2, 2], kernel: [3, 3] },
      ...{ stride: 1, padding: 1, dilation: 1, bias: false, relu: true },
    });
    expect(plan.steps.map(({ parts }) => parts)).toEqual([2]);
  });
});
