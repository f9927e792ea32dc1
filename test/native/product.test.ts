// The C++ matrix product: every engine of this machine against the plain chain of fused multiply-adds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packedBytes } from '#src/graph/panels.js';
import { bindNative, nativeEngines, type NativeKernels } from '#src/runtime/native.js';
import { Arena, bits, noise } from '../kernels/instance.js';
import { conv, convOutput, type ConvSizes } from '../oracles/conv.js';
import { linear } from '../oracles/linear.js';
import { fused } from '../oracles/madd.js';

const arena = new Arena();

interface Sizes {
  m: number;
  n: number;
  k: number;
  ldy: number;
}
interface Arrays {
  x: Float32Array;
  w: Float32Array;
  bias: Float32Array | null;
}

/** max(x, 0) as the `relu` kernel has it. */
const rectified = (values: Float32Array): Float32Array => values.map((v) => (v < 0 ? 0 : v));

/** What `native` writes to m rows of ldy elements, of which the first n are the product's. */
function run(native: NativeKernels, { x, w, bias }: Arrays, sizes: Sizes, relu = 0): Float32Array {
  const { m, n, k, ldy } = sizes;
  arena.clear();
  const [atX, atW, atBias] = [arena.place(x), arena.place(w), arena.place(bias)];
  const panels = arena.space(Math.ceil(n / 16) * 16 * k);
  const y = arena.space(m * ldy);
  const before = arena.read(y, m * ldy);
  native.pack(atW, panels, n, k);
  native.linear(atX, panels, atBias, y, m, ldy, n, k, relu);
  expect(arena.intact()).toBe(true);
  const after = arena.read(y, m * ldy);
  const beside = (all: Float32Array): number[] => bits(all).filter((_, i) => i % ldy >= n);
  expect(beside(after)).toEqual(beside(before));
  return after.filter((_, i) => i % ldy < n);
}

/** Bits, with one pattern for NaN: which of two NaNs an fma keeps is nobody's promise. */
const comparable = (values: Float32Array): number[] => bits(values.map((v) => (Number.isNaN(v) ? NaN : v)));

const EDGES = [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65];

const PLAIN: ConvSizes = {
  batch: 1, ci: 1, co: 1, groups: 1,
  input: [1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1],
}; // prettier-ignore

const CONVOLUTIONS: Record<string, Partial<ConvSizes>> = {
  'a single number': {},
  'no image at all': { batch: 0, ci: 2, co: 3, input: [4, 4] },
  'planes of 3 × 3, positions of 5 images side by side': { batch: 5, ci: 3, co: 17, input: [3, 3], kernel: [3, 3], padding: [1, 1] },
  'planes of 2 × 2 in groups': { batch: 9, ci: 4, co: 34, groups: 2, input: [2, 2], kernel: [3, 3], padding: [1, 1] },
  'single positions of 70 images, strided': { batch: 70, ci: 2, co: 16, input: [5, 4], kernel: [3, 2], stride: [3, 3] },
  'planes of 2 × 2, 2700 elements of a kernel': { batch: 13, ci: 300, co: 16, input: [2, 2], kernel: [3, 3], padding: [1, 1] },
  'planes of 2 × 3, dilated, rows left out': { batch: 30, ci: 2, co: 19, input: [5, 8], kernel: [2, 3], padding: [-1, -1], dilation: [1, 2] },
  'rows and columns left out': { batch: 2, ci: 2, co: 3, input: [8, 24], kernel: [3, 2], padding: [-1, -2] },
  'rows and columns left out, strided': { ci: 2, co: 3, input: [9, 9], kernel: [2, 2], stride: [2, 1], padding: [-2, -1] },
  'the first of LeNet': { batch: 2, co: 6, input: [28, 28], kernel: [5, 5], padding: [2, 2] },
  'the second of LeNet': { batch: 2, ci: 6, co: 16, input: [14, 14], kernel: [5, 5] },
  '1 × 1 kernel': { ci: 5, co: 13, input: [5, 7] },
  '1 × 1 kernel, stride 2': { ci: 5, co: 13, input: [9, 7], stride: [2, 2] },
  'stride 4, patches without overlap': { ci: 3, co: 5, input: [16, 20], kernel: [4, 4], stride: [4, 4] },
  'one dimension, 130 long': { ci: 3, co: 5, input: [1, 130], kernel: [1, 3], padding: [0, 1] },
  'padding wider than the input': { input: [2, 2], kernel: [7, 7], padding: [5, 4] },
  'strides 3, 1 and dilations 1, 2': {
    ci: 2, co: 3, input: [11, 23], kernel: [2, 3], stride: [3, 1], padding: [0, 2], dilation: [1, 2],
  },
  'dilation 3 and stride 2': {
    co: 2, input: [16, 16], kernel: [3, 3], stride: [2, 2], padding: [3, 3], dilation: [3, 3],
  },
  '4 groups': { batch: 2, ci: 8, co: 12, groups: 4, input: [6, 6], kernel: [3, 3], padding: [1, 1] },
  depthwise: { batch: 2, ci: 6, co: 6, groups: 6, input: [7, 5], kernel: [3, 3], padding: [1, 1] },
  'a kernel of 297 elements': { ci: 33, co: 25, input: [5, 5], kernel: [3, 3], padding: [1, 1] },
  'a dilation wider than the image': { input: [3, 3], kernel: [2, 2], padding: [40, 40], dilation: [60, 60] },
  'a row of several bands': { ci: 20, co: 2, input: [1, 4000], kernel: [1, 3] },
  'an image of several bands': { ci: 40, co: 2, input: [41, 60], kernel: [3, 3], padding: [1, 1] },
}; // prettier-ignore

const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
const ANY_CONVOLUTION = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    ci: fc.integer({ min: 1, max: 3 }),
    co: fc.integer({ min: 1, max: 8 }),
    groups: fc.integer({ min: 1, max: 2 }),
    input: pair(1, 24),
    kernel: pair(1, 4),
    stride: pair(1, 4),
    padding: pair(0, 3),
    dilation: pair(1, 3),
  })
  .map((drawn) => ({ ...drawn, ci: drawn.ci * drawn.groups, co: drawn.co * drawn.groups }))
  .filter((drawn) => convOutput(drawn).every((extent) => extent > 0));

describe.skipIf(nativeEngines().length === 0)('the native product (where it was built)', () => {
  describe.each(nativeEngines())('%s', (engine) => {
    const native = bindNative(engine, arena.memory);

    it.each(EDGES)('is one chain of fused multiply-adds to the bit, %i outputs', (n) => {
      for (const m of [0, 1, 2, 3, 5, 6, 7, 11, 12, 13, 25]) {
        for (const k of [0, 1, 3, 17, 64, 65]) {
          const given = { x: noise(m * k, 1), w: noise(n * k, 2), bias: k % 2 ? noise(n, 3) : null };
          const sizes = { m, n, k, ldy: n + (m % 3) };
          expect(bits(run(native, given, sizes)), `m ${m}, k ${k}`).toEqual(
            bits(linear({ ...given, ...sizes }, fused)),
          );
        }
      }
    });

    it.each([255, 256, 257, 511, 512, 513, 1030, 2559, 2561])(
      'goes on with the same chain in the next block, k %i',
      (k) => {
        for (const [m, n] of [
          [1, 70],
          [1, 203],
          [4, 66],
          [3, 203],
          [13, 50],
          [130, 17],
        ] as const) {
          const given = { x: noise(m * k, 1), w: noise(n * k, 2), bias: noise(n, 3) };
          const sizes = { m, n, k, ldy: n };
          const expected = linear({ ...given, ...sizes }, fused);
          expect(bits(run(native, given, sizes))).toEqual(bits(expected));
          expect(bits(run(native, given, sizes, 1))).toEqual(bits(rectified(expected)));
        }
      },
    );

    it('is the chain for any sizes and any numbers, NaN, infinities, -0 and subnormal ones included', () => {
      const special = fc.constantFrom(NaN, Infinity, -Infinity, -0, 0, 2 ** -149, -(2 ** -130), 3e38);
      const number = fc.oneof({ weight: 9, arbitrary: fc.float() }, { weight: 1, arbitrary: special });
      const array = (length: number): fc.Arbitrary<Float32Array> =>
        fc.array(number, { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));
      fc.assert(
        fc.property(
          fc
            .record({ m: fc.nat(14), n: fc.nat(70), k: fc.nat(20), gap: fc.nat(3) })
            .chain(({ m, n, k, gap }) =>
              fc.record({
                sizes: fc.constant({ m, n, k, ldy: n + gap }),
                x: array(m * k),
                w: array(n * k),
                bias: fc.option(array(n)),
                relu: fc.boolean(),
              }),
            ),
          ({ sizes, x, w, bias, relu }) => {
            const expected = linear({ x, w, bias, ...sizes }, fused);
            const actual = run(native, { x, w, bias }, sizes, Number(relu));
            expect(comparable(actual)).toEqual(comparable(relu ? rectified(expected) : expected));
          },
        ),
        { numRuns: 100 },
      );
    });

    it('gives a range of rows and columns the bits that they have in the whole', () => {
      const { m, n, k } = { m: 29, n: 100, k: 300 };
      const given = { x: noise(m * k, 4), w: noise(n * k, 5), bias: noise(n, 6) };
      const whole = bits(run(native, given, { m, n, k, ldy: n }));
      const [x, panels, bias, y] = [
        arena.place(given.x),
        arena.space(112 * k),
        arena.place(given.bias),
        arena.space(m * n),
      ];
      native.pack(arena.place(given.w), panels, n, k);
      for (const [i0, i1] of [
        [0, 1],
        [1, 14],
        [14, 29],
      ] as const) {
        for (const [j0, j1] of [
          [0, 16],
          [16, 64],
          [64, 100],
        ] as const) {
          native.linear(
            x + i0 * k * 4,
            panels + j0 * k * 4,
            bias + j0 * 4,
            y + (i0 * n + j0) * 4,
            i1 - i0,
            n,
            j1 - j0,
            k,
            0,
          );
        }
      }
      expect(bits(arena.read(y, m * n))).toEqual(whole);
    });

    it.skipIf(!arena.kernels.madd_is_fused())(
      'has the panels and the bits of WebAssembly with fused multiply-add, at sizes of real layers',
      () => {
        for (const [m, n, k] of [
          [1, 1000, 512],
          [64, 256, 784],
          [37, 100, 1025],
        ] as const) {
          arena.clear();
          const [x, w, bias] = [
            arena.place(noise(m * k, 1)),
            arena.place(noise(n * k, 2)),
            arena.place(noise(n, 3)),
          ];
          const [panels, y] = [packedBytes(n, k) / 4, m * n];
          const [first, second] = [arena.kernels, native].map((kernels) => {
            const [atPanels, atY] = [arena.space(panels), arena.space(y)];
            kernels.pack(w, atPanels, n, k);
            kernels.linear(x, atPanels, bias, atY, m, n, n, k, 1);
            return { panels: bits(arena.read(atPanels, panels)), y: bits(arena.read(atY, y)) };
          });
          expect(second).toEqual(first);
          expect(arena.intact()).toBe(true);
        }
      },
    );

    it.each(Object.entries(CONVOLUTIONS))(
      'has convolutions that are the chain to the bit: %s',
      (_, partial) => {
        const sizes = { ...PLAIN, ...partial };
        for (const withBias of [true, false]) {
          const given = convArrays(sizes, withBias);
          const expected = conv(given, sizes, fused);
          expect(bits(runConv(native, given, sizes))).toEqual(bits(expected));
          expect(bits(runConv(native, given, sizes, 1))).toEqual(bits(rectified(expected)));
        }
      },
    );

    it('needs no scratch for what a dilation steps over', () => {
      const far = 2 ** 20;
      const sizes: ConvSizes = { ...PLAIN, kernel: [1, 2], padding: [0, far], dilation: [1, 2 * far] };
      expect(native.conv_scratch(1, 1, 1, 1, 1, 1, 2, 1, 1, 0, far, 1, 2 * far, 1)).toBeLessThan(2 ** 16);
      const given = convArrays(sizes);
      expect(bits(runConv(native, given, sizes))).toEqual(bits(conv(given, sizes, fused)));
    });

    it('has convolutions that are the chain for any sizes', () => {
      fc.assert(
        fc.property(ANY_CONVOLUTION, (drawn) => {
          const given = convArrays(drawn);
          expect(bits(runConv(native, given, drawn))).toEqual(bits(conv(given, drawn, fused)));
        }),
        { numRuns: 100 },
      );
    });
  });
});

type ConvArrays = Parameters<typeof conv>[0];

function convArrays({ batch, ci, co, groups, input, kernel }: ConvSizes, withBias = true): ConvArrays {
  return {
    x: noise(batch * ci * input[0] * input[1], 1),
    weight: noise((co * ci * kernel[0] * kernel[1]) / groups, 2),
    bias: withBias ? noise(co, 3) : null,
  };
}

function runConv(
  native: NativeKernels,
  { x, weight, bias }: ConvArrays,
  sizes: ConvSizes,
  relu = 0,
): Float32Array {
  const { batch, ci, co, groups, input, kernel, stride, padding, dilation } = sizes;
  const [oh, ow] = convOutput(sizes);
  arena.clear();
  const [atX, atWeight, atBias] = [arena.place(x), arena.place(weight), arena.place(bias)];
  const y = arena.space(batch * co * oh * ow);
  const window = [oh, ow, ...kernel, ...stride, ...padding, ...dilation] as const;
  const bytes = native.conv_scratch(ci, ...input, ...window, groups);
  native.conv(
    atX, atWeight, atBias, y, batch, ci, ...input, co, ...window, groups, arena.scratch(bytes), relu,
  ); // prettier-ignore
  expect(arena.intact()).toBe(true);
  return arena.read(y, batch * co * oh * ow);
}
