import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptiveAvgPool, avgPool, maxPool, poolOutput, type PoolSizes } from '../oracles/pooling.js';
import { Arena, bits, excess, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

type Planes = readonly Float32Array[];

/** Runs a kernel over planes that lie one after the other. */
function run(planes: Planes, output: number, kernel: (x: number, y: number) => void): Float32Array {
  arena.clear();
  const x = arena.place(Float32Array.from(planes.flatMap((plane) => [...plane])));
  const y = arena.space(planes.length * output);
  kernel(x, y);
  expect(arena.intact()).toBe(true);
  return arena.read(y, planes.length * output);
}

const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

/** What PyTorch accepts: padding at most half the kernel, at least one output. */
const poolSizes = (maxDilation: number): fc.Arbitrary<PoolSizes> =>
  fc
    .record({
      input: pair(1, 18),
      kernel: pair(1, 5),
      stride: pair(1, 4),
      padding: pair(0, 2),
      dilation: pair(1, maxDilation),
      ceilMode: fc.boolean(),
    })
    .filter(({ kernel, padding }) => padding.every((p, d) => p <= kernel[d]! / 2))
    .map(({ ceilMode, ...sizes }) => ({ ...sizes, output: poolOutput(sizes, ceilMode) }))
    .filter(({ output }) => output.every((extent) => extent > 0));

const planesOf = ([h, w]: [number, number]): Planes => [noise(h * w, 1), noise(h * w, 2), noise(h * w, 3)];

describe('max_pool', () => {
  const pool = (planes: Planes, sizes: PoolSizes): Float32Array => {
    const { input, output, kernel, stride, padding, dilation } = sizes;
    return run(planes, output[0] * output[1], (x, y) => {
      kernels.max_pool(
        x,
        y,
        planes.length,
        ...input,
        ...output,
        ...kernel,
        ...stride,
        ...padding,
        ...dilation,
      );
    });
  };

  it('is the largest element of each window, to the bit', () => {
    fc.assert(
      fc.property(poolSizes(3), (sizes) => {
        const planes = planesOf(sizes.input);
        const expected = planes.flatMap((plane) => maxPool(plane, sizes));
        expect(bits(pool(planes, sizes))).toEqual(bits(Float32Array.from(expected)));
      }),
      { numRuns: 150 },
    );
  });

  it('answers NaN for a window that has one, -infinity for one of padding or -infinities alone', () => {
    const sizes: PoolSizes = {
      input: [1, 6], output: [1, 3], kernel: [1, 2], stride: [1, 2], padding: [0, 0], dilation: [1, 1],
    }; // prettier-ignore
    const plane = Float32Array.of(NaN, 9, 9, NaN, -Infinity, -Infinity);
    expect([...pool([plane], sizes)]).toEqual([NaN, NaN, -Infinity]);
  });

  it('keeps NaN at every place of a row, and the first of 0 and -0', () => {
    for (const stride of [1, 2, 3] as const) {
      const output = Math.floor((24 - 2) / stride) + 1;
      const sizes: PoolSizes = {
        input: [1, 24], output: [1, output], kernel: [1, 2], stride: [1, stride], padding: [0, 0], dilation: [1, 1],
      }; // prettier-ignore
      for (let at = 0; at < 24; at++) {
        const plane = new Float32Array(24).fill(-0);
        plane[at] = NaN;
        const found = [...pool([plane], sizes)];
        const expected = found.map((_, j) => (at === j * stride || at === j * stride + 1 ? NaN : -0));
        expect(found).toEqual(expected);
        plane[at] = 0;
        expect([...pool([plane], sizes)]).toEqual(found.map((_, j) => (at === j * stride ? 0 : -0)));
      }
    }
  });

  it('finds what a dilation near the largest integer leaves in the window', () => {
    // torch.nn.MaxPool2d((1, 2), stride=M, dilation=M, ceil_mode=True), M = 2**31 - 1: the other element is far outside.
    const far = 2 ** 31 - 1;
    const sizes: PoolSizes = {
      input: [1, 3], output: [1, 1], kernel: [2, 2], stride: [far, far], padding: [0, 0], dilation: [far, far],
    }; // prettier-ignore
    expect([...pool([Float32Array.of(5, 6, 7)], sizes)]).toEqual([5]);
  });

  it('answers nothing for no planes', () => {
    const sizes: PoolSizes = {
      input: [4, 4], output: [2, 2], kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1],
    }; // prettier-ignore
    expect(pool([], sizes)).toHaveLength(0);
  });
});

describe('avg_pool', () => {
  it('has the divisor of PyTorch for padding, ceil_mode, count_include_pad and divisor_override', () => {
    fc.assert(
      fc.property(
        poolSizes(1),
        fc.boolean(),
        fc.constantFrom(null, 3, -2),
        (sizes, countIncludePad, divisor) => {
          const planes = planesOf(sizes.input);
          const { input, output, kernel, stride, padding } = sizes;
          const y = run(planes, output[0] * output[1], (x, to) => {
            kernels.avg_pool(
              x, to, planes.length, ...input, ...output, ...kernel, ...stride, ...padding,
              countIncludePad ? 1 : 0, divisor ?? 0,
            ); // prettier-ignore
          });
          const expected = planes.flatMap((plane) => avgPool(plane, sizes, { countIncludePad, divisor }));
          expect(excess(y, expected, 1e-6, 1e-8)).toBeLessThan(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts the padding of windows near the largest integer, as many columns as there are', () => {
    // torch.nn.AvgPool2d((10**9, 8), stride=(10**9, 1), padding=(5 * 10**8, 0)).
    const plane = Float32Array.from({ length: 13 }, (_, i) => i + 1);
    const y = run([plane], 6, (x, to) => {
      kernels.avg_pool(x, to, 1, 1, 13, 1, 6, 1e9, 8, 1e9, 1, 5e8, 0, 1, 0);
    });
    const expected = [36, 44, 52, 60, 68, 76].map((sum) => sum / 8e9);
    expect(excess(y, expected, 1e-6, 0)).toBeLessThan(1);
  });

  it('ends a window where the padding does, however far it would reach', () => {
    // torch.nn.AvgPool2d((1, M), stride=(1, M // 2 + 7), padding=(0, M // 2), ceil_mode=True, count_include_pad=False).
    const half = 2 ** 30 - 1;
    const plane = Float32Array.from({ length: 20 }, (_, i) => i);
    const y = run([plane], 2, (x, to) => {
      kernels.avg_pool(x, to, 1, 1, 20, 1, 2, 1, 2 ** 31 - 1, 1, half + 7, 0, half, 0, 0);
    });
    expect([...y]).toEqual([9.5, 13]);
  });

  // torch.nn.AvgPool2d(3, 2, 1, ceil_mode=True) of ones(5, 5), and of ones(4, 4), where the last window hangs over.
  it.each([
    [5, 1, [4 / 9, 6 / 9, 4 / 9]],
    [4, 1, [4 / 9, 6 / 9, 2 / 6]],
    [4, 0, [1, 1, 1]],
  ] as const)('averages ones(%i, %i) as PyTorch does', (extent, include, firstRow) => {
    const ones = new Float32Array(extent * extent).fill(1);
    const y = run([ones], 9, (x, to) => {
      kernels.avg_pool(x, to, 1, extent, extent, 3, 3, 3, 3, 2, 2, 1, 1, include, 0);
    });
    expect(excess(y.slice(0, 3), firstRow)).toBeLessThan(1);
  });
});

describe('adaptive_avg_pool', () => {
  it('averages windows that start at floor(i·h/oh) and end at ceil((i+1)·h/oh)', () => {
    fc.assert(
      fc.property(pair(1, 20), pair(1, 9), (input, output) => {
        const planes = planesOf(input);
        const y = run(planes, output[0] * output[1], (x, to) => {
          kernels.adaptive_avg_pool(x, to, planes.length, ...input, ...output);
        });
        const expected = planes.flatMap((plane) => adaptiveAvgPool(plane, input, output));
        expect(excess(y, expected, 1e-6, 1e-8)).toBeLessThan(1);
      }),
      { numRuns: 100 },
    );
  });
});
