import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conv, convOutput, type ConvSizes } from '../oracles/conv.js';
import { fused, unfused } from '../oracles/madd.js';
import { Arena, bits, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;
const madd = kernels.madd_is_fused() ? fused : unfused;

const PLAIN: ConvSizes = {
  batch: 1, ci: 1, co: 1, groups: 1,
  input: [1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1],
}; // prettier-ignore

type Arrays = Parameters<typeof conv>[0];

function arrays({ batch, ci, co, groups, input, kernel }: ConvSizes, withBias = true): Arrays {
  return {
    x: noise(batch * ci * input[0] * input[1], 1),
    weight: noise((co * ci * kernel[0] * kernel[1]) / groups, 2),
    bias: withBias ? noise(co, 3) : null,
  };
}

function run({ x, weight, bias }: Arrays, sizes: ConvSizes, relu = 0): Float32Array {
  const { batch, ci, co, groups, input, kernel, stride, padding, dilation } = sizes;
  const [oh, ow] = convOutput(sizes);
  arena.clear();
  const [atX, atWeight, atBias] = [arena.place(x), arena.place(weight), arena.place(bias)];
  const y = arena.space(batch * co * oh * ow);
  const scratch = arena.scratch(
    kernels.conv_scratch(ci, ...input, oh, ow, ...kernel, ...stride, ...padding, ...dilation, groups),
  );
  kernels.conv(
    atX, atWeight, atBias, y,
    batch, ci, ...input, co, oh, ow, ...kernel, ...stride, ...padding, ...dilation, groups, scratch, relu,
  ); // prettier-ignore
  expect(arena.intact()).toBe(true);
  return arena.read(y, batch * co * oh * ow);
}

const CASES: Record<string, Partial<ConvSizes>> = {
  'a single number': {},
  'no image at all': { batch: 0, ci: 2, co: 3, input: [4, 4] },
  '1 × 1 kernel': { ci: 5, co: 7, input: [5, 7] },
  'one dimension, 65 long': { ci: 3, co: 5, input: [1, 65], kernel: [1, 3], padding: [0, 1] },
  '3 × 3, padding 1, rows of 17': { batch: 2, ci: 3, co: 4, input: [9, 17], kernel: [3, 3], padding: [1, 1] },
  'rows of 40, whose middles are copied': { ci: 2, co: 3, input: [4, 40], kernel: [3, 5], padding: [1, 2] },
  'stride 2': { ci: 2, co: 3, input: [15, 16], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  'strides 3, 1 and dilations 1, 2': {
    ci: 2, co: 3, input: [11, 23], kernel: [2, 3], stride: [3, 1], padding: [0, 2], dilation: [1, 2],
  },
  'dilation 3': { ci: 1, co: 2, input: [16, 16], kernel: [3, 3], padding: [3, 3], dilation: [3, 3] },
  'rows and columns left out': { batch: 2, ci: 2, co: 3, input: [8, 24], kernel: [3, 2], padding: [-1, -2] },
  'rows and columns left out, strided': { ci: 2, co: 3, input: [9, 9], kernel: [2, 2], stride: [2, 1], padding: [-2, -1] },
  'padding wider than the input': { ci: 1, co: 1, input: [2, 2], kernel: [7, 7], padding: [5, 4] },
  '4 groups': { batch: 2, ci: 8, co: 12, groups: 4, input: [6, 6], kernel: [3, 3], padding: [1, 1] },
  depthwise: { batch: 2, ci: 6, co: 6, groups: 6, input: [7, 5], kernel: [3, 3], padding: [1, 1] },
  'a kernel of 297 elements, more than a panel': { ci: 33, co: 5, input: [5, 5], kernel: [3, 3], padding: [1, 1] },
}; // prettier-ignore

describe('conv', () => {
  it.each(Object.entries(CASES))('is one chain of multiply-adds to the bit: %s', (_, partial) => {
    const sizes = { ...PLAIN, ...partial };
    for (const withBias of [true, false]) {
      const given = arrays(sizes, withBias);
      expect(bits(run(given, sizes))).toEqual(bits(conv(given, sizes, madd)));
    }
  });

  it('is the chain for any sizes', () => {
    const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
      fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
    const sizes = fc
      .record({
        batch: fc.integer({ min: 1, max: 2 }),
        ci: fc.integer({ min: 1, max: 3 }),
        co: fc.integer({ min: 1, max: 3 }),
        groups: fc.integer({ min: 1, max: 2 }),
        input: pair(1, 24),
        kernel: pair(1, 4),
        stride: pair(1, 3),
        padding: pair(0, 3),
        dilation: pair(1, 3),
      })
      .map((drawn) => ({ ...drawn, ci: drawn.ci * drawn.groups, co: drawn.co * drawn.groups }))
      .filter((drawn) => convOutput(drawn).every((extent) => extent > 0));
    fc.assert(
      fc.property(sizes, (drawn) => {
        const given = arrays(drawn);
        expect(bits(run(given, drawn))).toEqual(bits(conv(given, drawn, madd)));
      }),
      { numRuns: 60 },
    );
  });

  it('applies relu to the finished sum', () => {
    for (const partial of Object.values(CASES)) {
      const sizes = { ...PLAIN, ...partial };
      const given = arrays(sizes);
      const plain = run(given, sizes);
      expect(run(given, sizes, 1)).toEqual(plain.map((value) => (value < 0 ? 0 : value)));
    }
  });

  it("gives an image's output the same bits alone and in a batch of 5", () => {
    const sizes: ConvSizes = {
      ...PLAIN,
      batch: 5,
      ci: 3,
      co: 7,
      input: [9, 9],
      kernel: [3, 3],
      padding: [1, 1],
    };
    const given = arrays(sizes);
    const batch = bits(run(given, sizes));
    const [image, output] = [given.x.length / 5, batch.length / 5];
    for (let i = 0; i < 5; i++) {
      const alone = run({ ...given, x: given.x.slice(i * image, (i + 1) * image) }, { ...sizes, batch: 1 });
      expect(bits(alone)).toEqual(batch.slice(i * output, (i + 1) * output));
    }
  });
});
