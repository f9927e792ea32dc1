import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNARY_KERNELS, type UnaryName } from '#src/graph/kernels.js';
import { ACTIVATIONS } from '../oracles/activations.js';
import { Arena, AWKWARD, bits, excess, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

/** PyTorch's default a and b, and others. */
const PARAMETERS: Partial<Record<UnaryName, [number, number][]>> = {
  leaky_relu: [[0.01, 0], [-0.5, 0], [1, 0]],
  elu: [[1, 0], [0.3, 0], [0, 0]],
  celu: [[1, 0], [0.25, 0], [7, 0]],
  softplus: [[1, 20], [2.5, 20], [0.1, 3]],
  hardtanh: [[-1, 1], [0, 6], [-0.3, 2]],
}; // prettier-ignore

function run(name: UnaryName, x: Float32Array, [a, b]: readonly [number, number]): Float32Array {
  arena.clear();
  const [from, to] = [arena.place(x), arena.space(x.length)];
  kernels[name](from, to, x.length, a, b);
  expect(arena.intact()).toBe(true);
  return arena.read(to, x.length);
}

function cases(name: UnaryName): [number, number][] {
  return PARAMETERS[name] ?? [[0, 0]];
}

/** Every binade from the smallest subnormal to the largest number, both signs, and finer steps where functions bend. */
const EVERYWHERE = Float32Array.from([
  ...Array.from({ length: 277 }, (_, e) => [1, 1.3, 1.9].flatMap((m) => [m * 2 ** (e - 149), -m * 2 ** (e - 149)])).flat(),
  ...Array.from({ length: 8001 }, (_, i) => (i - 4000) * 0.027),
  ...Array.from({ length: 2001 }, (_, i) => (i - 1000) * 0.0011),
]); // prettier-ignore

/** The largest error in units of the last place (of the smallest subnormal, where results are subnormal). */
function worstUlps(actual: Float32Array, expected: number[]): number {
  return expected.reduce((worst, value, i) => {
    if (!Number.isFinite(Math.fround(value)))
      return Object.is(actual[i], Math.fround(value)) ? worst : Infinity;
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(value) || 2 ** -149)), -126);
    return Math.max(worst, Math.abs(actual[i]! - value) / 2 ** (exponent - 23));
  }, 0);
}

describe.each(UNARY_KERNELS)('%s', (name) => {
  it('is within 1e-5 relative, 1e-6 absolute of its formula over the whole range', () => {
    for (const parameters of cases(name)) {
      const expected = [...EVERYWHERE].map((x) => ACTIVATIONS[name](x, ...parameters));
      expect(excess(run(name, EVERYWHERE, parameters), expected), String(parameters)).toBeLessThan(1);
    }
  });

  it.each(AWKWARD)('writes %i elements and nothing else', (n) => {
    const x = noise(n);
    const parameters = cases(name)[0]!;
    const expected = [...x].map((value) => ACTIVATIONS[name](value, ...parameters));
    expect(excess(run(name, x, parameters), expected)).toBeLessThan(1);
  });

  it("gives an element the same bits wherever it stands, in vectors and in an array's tail", () => {
    const values = fc.float32Array({ minLength: 1, maxLength: 23, noNaN: true });
    fc.assert(
      fc.property(values, (x) => {
        const parameters = cases(name)[0]!;
        const together = bits(run(name, x, parameters));
        x.forEach((value, i) => {
          const [alone] = bits(run(name, Float32Array.of(value), parameters));
          // A NaN (of an infinity) has no agreed bits.
          if (!Number.isNaN(run(name, Float32Array.of(value), parameters)[0]))
            expect(together[i]).toBe(alone);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('keeps NaN', () => {
    for (const parameters of cases(name)) {
      const x = Float32Array.of(NaN, 1, NaN, 2, 0.5, NaN, NaN);
      const y = run(name, x, parameters);
      expect([...y].map(Number.isNaN)).toEqual([...x].map(Number.isNaN));
    }
  });

  // 0 · infinity, infinity / infinity: PyTorch answers NaN for these too.
  const NAN_AT_MINUS_INFINITY: readonly UnaryName[] = ['gelu', 'gelu_tanh', 'silu', 'hardswish', 'mish'];

  it('has its limits at the infinities', () => {
    for (const [a, b] of cases(name)) {
      const [plus, minus] = run(name, Float32Array.of(Infinity, -Infinity), [a, b]);
      if (name === 'softsign') {
        expect([plus, minus]).toEqual([NaN, NaN]);
        continue;
      }
      expect(plus).toBeCloseTo(ACTIVATIONS[name](Infinity, a, b), 6);
      if (NAN_AT_MINUS_INFINITY.includes(name)) expect(minus).toBeNaN();
      else if (!(name === 'elu' && a === 0)) expect(minus).toBeCloseTo(ACTIVATIONS[name](-Infinity, a, b), 6);
    }
  });
});

describe('activations', () => {
  const BOUNDS: Partial<Record<UnaryName, number>> = {
    tanh: 2, sigmoid: 3, silu: 3, elu: 2.5, softplus: 3, log_sigmoid: 3, mish: 5, softsign: 2, gelu: 8,
  }; // prettier-ignore

  it.each(Object.entries(BOUNDS) as [UnaryName, number][])(
    '%s is within %d ulps over the whole range',
    (name, bound) => {
      const parameters = cases(name)[0]!;
      // Below, exp(x) is subnormal and exp(-x) infinite: what is made of them is coarse, as PyTorch's is.
      const coarse = ['sigmoid', 'silu', 'mish'].includes(name);
      const x = coarse ? EVERYWHERE.filter((value) => value > -87) : EVERYWHERE;
      const expected = [...x].map((value) => ACTIVATIONS[name](value, ...parameters));
      expect(worstUlps(run(name, x, parameters), expected)).toBeLessThanOrEqual(bound);
    },
  );

  it('keep the sign of zero', () => {
    for (const name of ['relu', 'leaky_relu', 'elu', 'tanh', 'silu', 'gelu', 'softsign', 'mish'] as const) {
      const y = run(name, Float32Array.of(0, -0), cases(name)[0]!);
      expect([...y], name).toEqual([0, -0]);
    }
  });

  it('answer what PyTorch answers far out', () => {
    expect([...run('tanh', Float32Array.of(1000, -1000), [0, 0])]).toEqual([1, -1]);
    expect([...run('sigmoid', Float32Array.of(200, -200), [0, 0])]).toEqual([1, 0]);
    expect([...run('log_sigmoid', Float32Array.of(-200, -1000), [0, 0])]).toEqual([-200, -1000]);
    expect([...run('softplus', Float32Array.of(1000, -200), [1, 20])]).toEqual([1000, 0]);
    expect([...run('gelu', Float32Array.of(100, -100), [0, 0])]).toEqual([100, -0]);
  });
});
