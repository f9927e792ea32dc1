import { describe, expect, it } from 'vitest';
import { checkInit, initialize } from '#src/nn/init/apply.js';
import { calculateGain, type Nonlinearity } from '#src/nn/init/gain.js';
import type { InitSpec } from '#src/nn/init/spec.js';
import { numel, type Shape } from '#src/tensor/shape.js';
import { bitsOf, fixture, floatsOf, maxUlps, rand, seeded, type GoldenTensor } from '../../random/fixture.js';

const golden = fixture<{
  gains: Record<string, number>;
  cases: { init: string; args: object; seed: number; result: GoldenTensor }[];
}>('golden/init.json');
const more = fixture<{
  inits: { init: InitSpec; shape: number[]; seed: number; result: number[]; next: number[] }[];
}>('random.json').inits;

function initialized(spec: InitSpec, shape: Shape, seed: number | bigint = 0): Float32Array {
  const data = new Float32Array(new SharedArrayBuffer(4 * numel(shape))).fill(NaN);
  initialize(spec, shape, data, seeded(seed));
  return data;
}

/** PyTorch's own builds differ in the last bits of logarithms and sines, and LAPACKs in more. */
function expectClose(name: string, got: Float32Array, wanted: ArrayLike<number>): void {
  if (name === 'orthogonal') {
    got.forEach((value, i) =>
      expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(1e-6 + 1e-5 * Math.abs(wanted[i]!)),
    );
  } else {
    expect(maxUlps(got, wanted)).toBeLessThanOrEqual(/normal|sparse|mixture/.test(name) ? 2 : 0);
  }
}

describe("PyTorch's values: exact, normals within 2 ulps, orthogonal within 1e-5 relative and 1e-6 absolute", () => {
  it.each(golden.cases)('$init $args of shape $result.shape', ({ init, args, seed, result }) => {
    const spec = { name: init, ...args } as InitSpec;
    expect(checkInit(spec, result.shape)).toBeUndefined();
    expectClose(init, initialized(spec, result.shape, seed), result.data);
  });

  it.each(more)('$init of shape $shape, and the generator stands where it does in PyTorch', (wanted) => {
    const { init, shape, seed, result, next } = wanted;
    const generator = seeded(seed);
    const data = new Float32Array(result.length).fill(NaN);
    initialize(init, shape, data, generator);
    expectClose(init.name, data, floatsOf(result));
    expect(bitsOf(rand(generator, 2))).toEqual(next);
  });

  it('calculateGain', () => {
    for (const [name, gain] of Object.entries(golden.gains)) {
      const slope = /\((.*)\)/.exec(name)?.[1];
      const nonlinearity = name.replace(/\(.*/, '') as Nonlinearity;
      expect(calculateGain(nonlinearity, slope === undefined ? undefined : Number(slope)), name).toBe(gain);
    }
  });
});

describe('NaN and infinities, as PyTorch takes them', () => {
  const OVERFLOW = 'value cannot be converted to type float without overflow';
  it.each<[InitSpec, string | undefined]>([
    [{ name: 'constant', val: 'Infinity' }, undefined],
    [{ name: 'constant', val: 'NaN' }, undefined],
    [{ name: 'constant', val: 1e300 }, OVERFLOW],
    [{ name: 'uniform', a: '-Infinity' }, 'from is out of bounds for float'],
    [{ name: 'uniform', b: 'NaN' }, 'to is out of bounds for float'],
    [{ name: 'normal', mean: 'NaN', std: 'Infinity' }, undefined],
    [{ name: 'normal', std: 'NaN' }, 'normal expects std >= 0.0, but found std NaN'],
    [{ name: 'trunc_normal', a: '-Infinity', b: 'Infinity' }, undefined],
    [{ name: 'trunc_normal', std: 'Infinity' }, undefined],
    [{ name: 'trunc_normal', a: 'Infinity' }, 'from is out of bounds for float'],
    [{ name: 'xavier_uniform', gain: 'Infinity' }, 'from is out of bounds for float'],
    [{ name: 'xavier_normal', gain: 'Infinity' }, undefined],
    [{ name: 'kaiming_uniform', a: 'NaN' }, 'from is out of bounds for float'],
    [{ name: 'kaiming_normal', a: 'NaN' }, 'normal expects std >= 0.0, but found std NaN'],
    [{ name: 'kaiming_uniform', a: '-Infinity' }, undefined],
    [{ name: 'orthogonal', gain: 'NaN' }, undefined],
    [{ name: 'sparse', sparsity: 0.5, std: 'Infinity' }, undefined],
    [{ name: 'mixture', components: [{ p: 1, constant: 'Infinity' }] }, undefined],
    [{ name: 'mixture', components: [{ p: 1, constant: 1e300 }] }, `components[0]: ${OVERFLOW}`],
  ])('%j: %s', (spec, wrong) => {
    expect(checkInit(spec, [2, 3])).toBe(wrong);
    if (wrong === undefined) initialized(spec, [2, 3]);
    else expect(() => initialized(spec, [2, 3])).toThrow(wrong);
  });

  it('are what a constant fills with', () => {
    expect([...initialized({ name: 'constant', val: '-Infinity' }, [2])]).toEqual([-Infinity, -Infinity]);
    expect([...initialized({ name: 'kaiming_uniform', a: 'Infinity' }, [1, 2])]).toEqual([-0, -0]);
  });
});

describe('an orthogonal init', () => {
  it.each([
    [5, 5],
    [17, 3],
    [3, 17],
    [1, 1],
    [64, 65],
  ])('of %i rows and %i columns has orthonormal rows or columns within 1e-6', (rows, cols) => {
    const q = initialized({ name: 'orthogonal' }, [rows, cols], 3);
    const at = (i: number, k: number): number => (rows <= cols ? q[i * cols + k]! : q[k * cols + i]!);
    for (let i = 0; i < Math.min(rows, cols); i++) {
      for (let j = 0; j <= i; j++) {
        let dot = 0;
        for (let k = 0; k < Math.max(rows, cols); k++) dot += at(i, k) * at(j, k);
        expect(Math.abs(dot - (i === j ? 1 : 0))).toBeLessThan(1e-6);
      }
    }
  });
});

describe('a mixture', () => {
  const components = [
    { p: 0.25, uniform: [5, 10] as [number, number] },
    { p: 0.5, constant: 0 },
    { p: 0.25, uniform: [-10, -5] as [number, number] },
  ];

  it("has each component's share within 0.02 of 20000 elements", () => {
    const data = initialized({ name: 'mixture', components }, [20000], 1);
    const share = (test: (x: number) => boolean): number => data.filter(test).length / data.length;
    expect(share((x) => x >= 5 && x < 10)).toBeCloseTo(0.25, 1.7);
    expect(share((x) => x === 0)).toBeCloseTo(0.5, 1.7);
    expect(share((x) => x >= -10 && x < -5)).toBeCloseTo(0.25, 1.7);
  });

  it('leaves no element out where rounding makes the p add up to less than 1', () => {
    const thirds = Array.from({ length: 3 }, (_, i) => ({ p: 0.3333333, constant: i }));
    expect(initialized({ name: 'mixture', components: thirds }, [5000]).includes(NaN)).toBe(false);
  });
});

describe('then', () => {
  it('is applied to what the init drew, and draws nothing', () => {
    const generator = seeded(4);
    const data = new Float32Array(64);
    initialize({ name: 'uniform', a: -10, b: 10, then: 'w * (abs(w) >= 5)' }, [8, 8], data, generator);
    const plain = rand(seeded(4), 64).map((u) => u * 20 - 10);
    expect(
      maxUlps(
        data,
        plain.map((x) => x * Number(Math.abs(x) >= 5)),
      ),
    ).toBe(0);
    expect(generator.random()).toBe(drawnWords(4, 64));
  });

  function drawnWords(seed: number, words: number): number {
    const generator = seeded(seed);
    for (let i = 0; i < words; i++) generator.random();
    return generator.random();
  }
});

describe("what does not fit is said in PyTorch's words before anything is drawn", () => {
  const FANS = 'Fan in and fan out can not be computed for tensor with fewer than 2 dimensions';
  it.each<[InitSpec, number[], string]>([
    [{ name: 'xavier_uniform' }, [3], FANS],
    [{ name: 'xavier_normal' }, [], FANS],
    [{ name: 'kaiming_uniform' }, [3], FANS],
    [{ name: 'kaiming_normal' }, [3], FANS],
    [{ name: 'xavier_uniform' }, [0, 0], 'float division by zero'],
    [
      { name: 'xavier_uniform', gain: -1 },
      [3, 2],
      'uniform_ expects to return a [from, to) range, but found from=1.09',
    ],
    [{ name: 'xavier_normal', gain: -1 }, [3, 2], 'normal expects std >= 0.0, but found std -0.63'],
    [{ name: 'eye' }, [3], 'Only tensors with 2 dimensions are supported'],
    [{ name: 'sparse', sparsity: 0.1 }, [3, 3, 3], 'Only tensors with 2 dimensions are supported'],
    [{ name: 'dirac' }, [3, 3], 'Only tensors with 3, 4, or 5 dimensions are supported'],
    [{ name: 'dirac', groups: 2 }, [3, 3, 3], 'dim 0 must be divisible by groups'],
    [{ name: 'dirac' }, [3, 3, 0], 'index 0 is out of bounds for dimension 2 with size 0'],
    [{ name: 'orthogonal' }, [3], 'Only tensors with 2 or more dimensions are supported'],
    [
      { name: 'uniform', a: 1, b: 0 },
      [3],
      'uniform_ expects to return a [from, to) range, but found from=1 > to=0',
    ],
    [{ name: 'normal', std: -1 }, [3], 'normal expects std >= 0.0, but found std -1'],
    [{ name: 'constant', val: 1e39 }, [3], 'value cannot be converted to type float without overflow'],
    [{ name: 'trunc_normal', std: 0 }, [3], 'float division by zero'],
    [
      { name: 'trunc_normal', a: 2, b: -2 },
      [3],
      'uniform_ expects to return a [from, to) range, but found from=2 > to=-2',
    ],
    [
      { name: 'mixture', components: [{ p: 1, normal: [0, -1] }] },
      [3],
      'components[0]: normal expects std >= 0.0',
    ],
  ])('%j for shape %j', (spec, shape, message) => {
    expect(checkInit(spec, shape)).toContain(message);
    const generator = seeded(0);
    expect(() => initialize(spec, shape, new Float32Array(numel(shape)), generator)).toThrow(RangeError);
    expect(generator.random()).toBe(seeded(0).random());
  });

  it.each<[InitSpec, number[]]>([
    [{ name: 'kaiming_uniform' }, [0]],
    [{ name: 'kaiming_normal' }, [4, 0, 3]],
    [{ name: 'orthogonal' }, [0, 3]],
    [{ name: 'xavier_uniform' }, [0, 3]],
    [{ name: 'dirac' }, [0, 3, 3]],
    [{ name: 'eye' }, [0, 3]],
    [{ name: 'sparse', sparsity: 0.5 }, [0, 3]],
    [{ name: 'trunc_normal', a: 1, b: 3 }, [0]],
  ])('an empty tensor is no fault: %j for shape %j', (spec, shape) => {
    expect(checkInit(spec, shape)).toBeUndefined();
    expect(initialized(spec, shape)).toHaveLength(0);
  });
});
