// The ops behind a convolution's gradients: what each output's bits are, whoever computes it and in however many parts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Kernels } from '#src/graph/kernels.js';
import type { Op, OpAttributes, Operand, OpName, Step } from '#src/graph/op.js';
import { OPS } from '#src/graph/ops.js';
import { bindNative, nativeEngines } from '#src/runtime/native.js';
import { numel } from '#src/tensor/shape.js';
import { Arena, bits, excess, noise } from '../kernels/instance.js';
import { fused, unfused } from '../oracles/madd.js';
import {
  convTranspose,
  convTransposeOutput,
  weightGradient,
  type TransposeSizes,
} from '../oracles/conv-gradients.js';

const arena = new Arena();
const madd = arena.kernels.madd_is_fused() ? fused : unfused;
const engines: [string, Kernels][] = [
  ['webassembly', arena.kernels],
  ...nativeEngines().map((name): [string, Kernels] => [
    name,
    { ...arena.kernels, ...bindNative(name, arena.memory) },
  ]),
];

interface Given<N extends OpName> {
  readonly op: N;
  readonly attributes: OpAttributes[N];
  readonly shapes: readonly (readonly number[] | null)[];
  readonly arrays: readonly (Float32Array | null)[];
}

/** What an op makes of its inputs, its parts done in the order of `order`. */
function run<N extends OpName>(
  kernels: Kernels,
  { op, attributes, shapes, arrays }: Given<N>,
  parts = 1,
): Float32Array {
  const row: Op<N> = OPS[op];
  const inputs = shapes.map((shape): Operand | null => shape && { shape, dtype: 'float32' });
  const output = row.shape(inputs, attributes);
  const step: Step<N> = { op, attributes, inputs, output };
  const most = row.parts?.(step, parts) ?? 1;
  arena.clear();
  const addresses = arrays.map((array) => arena.place(array));
  const at = { inputs: addresses, output: arena.space(numel(output.shape)), scratch: 0, panels: 0 };
  const bound = row.bind!(step, most, null);
  for (let part = most - 1; part >= 0; part--) {
    at.scratch = arena.scratch(row.scratch?.(step, kernels, 1) ?? 0);
    bound(kernels, at, part);
  }
  expect(arena.intact()).toBe(true);
  return arena.read(at.output, numel(output.shape));
}

function transposedOf(sizes: TransposeSizes): Given<'conv_transpose'> {
  const { batch, ci, co, groups, input, kernel, stride, padding, outputPadding, dilation } = sizes;
  const shapes = [[batch, ci, ...input], [ci, co / groups, ...kernel], [co]];
  return {
    op: 'conv_transpose',
    attributes: { dims: 2, stride, padding, outputPadding, dilation, groups },
    shapes,
    arrays: shapes.map((shape, i) => noise(numel(shape), i + 1)),
  };
}

const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

const transposes: fc.Arbitrary<TransposeSizes> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    ci: fc.integer({ min: 1, max: 3 }),
    co: fc.integer({ min: 1, max: 14 }),
    groups: fc.integer({ min: 1, max: 2 }),
    input: pair(1, 9),
    kernel: pair(1, 4),
    stride: pair(1, 4),
    padding: pair(0, 4),
    outputPadding: pair(0, 3),
    dilation: pair(1, 3),
  })
  .map(({ ci, co, groups, outputPadding, ...rest }) => ({
    ...rest,
    ci: ci * groups,
    co: co * groups,
    groups,
    outputPadding: outputPadding.map((extra, i) =>
      Math.min(extra, Math.max(rest.stride[i]!, rest.dilation[i]!) - 1),
    ) as [number, number],
  }))
  .filter((sizes) => convTransposeOutput(sizes).every((extent) => extent > 0));

describe.each(engines)('a transposed convolution (%s)', (_engine, kernels) => {
  it('is one chain of multiply-adds to the bit, from the bias on', () => {
    fc.assert(
      fc.property(transposes, (sizes) => {
        const given = transposedOf(sizes);
        const [x, weight, bias] = given.arrays as [Float32Array, Float32Array, Float32Array];
        const expected = convTranspose({ x, weight, bias }, sizes, madd);
        expect(bits(run(kernels, given))).toEqual(bits(expected));
      }),
      { numRuns: 60 },
    );
  });

  it('has the same bits in any number of parts, by images and by channels', () => {
    fc.assert(
      fc.property(transposes, fc.integer({ min: 2, max: 8 }), (sizes, parts) => {
        const given = transposedOf(sizes);
        expect(bits(run(kernels, given, parts))).toEqual(bits(run(kernels, given)));
      }),
      { numRuns: 60 },
    );
  });
});

type WeightSizes = Omit<TransposeSizes, 'outputPadding'>;

function weightGradientOf(sizes: WeightSizes): Given<'conv_weight_gradient'> {
  const { batch, ci, co, groups, input, kernel, stride, padding, dilation } = sizes;
  const output = input.map(
    (extent, i) =>
      Math.floor((extent + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
  );
  const shapes = [
    [batch, ci, ...input],
    [batch, co, ...output],
  ];
  return {
    op: 'conv_weight_gradient',
    attributes: { dims: 2, kernel, stride, padding, dilation, groups },
    shapes,
    arrays: shapes.map((shape, i) => noise(numel(shape), i + 1)),
  };
}

const BASE: WeightSizes = {
  batch: 2, ci: 3, co: 5, groups: 1,
  input: [7, 6], kernel: [3, 2], stride: [1, 1], padding: [1, 0], dilation: [1, 1],
}; // prettier-ignore

/** Pieces of several images and of some rows, one chunk and eight, strides, groups, more channels than a block has. */
const WEIGHTS: Record<string, WeightSizes> = {
  'a few images': BASE,
  'no image': { ...BASE, batch: 0 },
  'eight chunks of images': { ...BASE, batch: 45, input: [17, 16] },
  'rows of an image': { ...BASE, batch: 1, ci: 1, input: [50, 90] },
  'eight chunks of rows': { ...BASE, batch: 2, ci: 2, co: 17, input: [70, 65], kernel: [2, 2] },
  'rows of more positions than a piece has': { ...BASE, batch: 1, ci: 1, co: 2, input: [3, 1100] },
  strided: { ...BASE, batch: 3, input: [15, 14], stride: [2, 3], padding: [1, 2], dilation: [2, 1] },
  groups: { ...BASE, ci: 6, co: 9, groups: 3 },
  depthwise: { ...BASE, batch: 3, ci: 5, co: 5, groups: 5, input: [9, 11], padding: [2, 1] },
  'two outputs for each group, strided': { ...BASE, ci: 6, co: 4, groups: 2, input: [9, 11], stride: [2, 3] },
  'many channels': { ...BASE, batch: 9, ci: 40, co: 18, input: [11, 11], kernel: [3, 3], padding: [1, 1] },
};

describe.each(engines)('the gradient of a weight (%s)', (_engine, kernels) => {
  it.each(Object.entries(WEIGHTS))('is within 1e-5 of the sum in float64: %s', (_name, sizes) => {
    const given = weightGradientOf(sizes);
    const chunks = run(kernels, given);
    const [x, gradient] = given.arrays as [Float32Array, Float32Array];
    const expected = weightGradient(x, gradient, sizes);
    const whole = Float32Array.from(expected, (_, i) => {
      let sum = 0;
      for (let at = i; at < chunks.length; at += expected.length) sum += chunks[at]!;
      return sum;
    });
    const largest = Math.max(1, ...expected.map(Math.abs));
    expect(excess(whole, expected, 1e-5, 1e-6 * largest)).toBeLessThanOrEqual(1);
  });

  it.each(Object.entries(WEIGHTS))('has the same bits in any number of parts: %s', (_name, sizes) => {
    const given = weightGradientOf(sizes);
    const alone = bits(run(kernels, given));
    for (const parts of [2, 3, 8]) expect(bits(run(kernels, given, parts))).toEqual(alone);
  });
});

it("a weight's gradient has the same bits from every engine", () => {
  for (const sizes of Object.values(WEIGHTS)) {
    const given = weightGradientOf(sizes);
    const [first, ...others] = engines.map(([, kernels]) => bits(run(kernels, given)));
    if (!arena.kernels.madd_is_fused()) return;
    for (const other of others) expect(other).toEqual(first);
  }
});
