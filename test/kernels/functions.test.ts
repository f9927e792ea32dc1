import { describe, expect, it } from 'vitest';
import {
  ELEMENTWISE,
  FUNCTION_KERNELS,
  type ElementwiseName,
  type FunctionName,
} from '#src/graph/kernels.js';
import { FUNCTIONS, OPERATORS } from '#src/nn/expression/operations.js';
import { Arena, AWKWARD, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

type Compute = (a: number, b: number, c: number) => number;
const named = (name: string): Compute => FUNCTIONS.get(name)!.operation;

/** What the language of expressions computes for numbers. */
const UNARY: Record<FunctionName, Compute> = {
  ...(Object.fromEntries(
    ['abs', 'sqrt', 'exp', 'log', 'sin', 'cos', 'floor', 'round', 'sign'].map((name) => [name, named(name)]),
  ) as Record<FunctionName, Compute>),
  reciprocal: (x) => 1 / x,
  logical_not: (x) => (x === 0 ? 1 : 0),
};
const BINARY: Record<ElementwiseName, Compute> = {
  minimum: named('min'),
  maximum: named('max'),
  less: OPERATORS.get('<')!,
  less_equal: OPERATORS.get('<=')!,
  equal: OPERATORS.get('==')!,
  not_equal: OPERATORS.get('!=')!,
  both: OPERATORS.get('and')!,
  either: OPERATORS.get('or')!,
  power: OPERATORS.get('**')!,
  remainder: OPERATORS.get('%')!,
};

/** exp and log are polynomials in float32, all others are rounded once. */
const ULPS: Partial<Record<FunctionName | ElementwiseName, number>> = { exp: 3, log: 3 };

/** Every binade from the smallest subnormal to the largest number, both signs, finer steps near 1, and what is no number. */
const EVERYWHERE = Float32Array.from([
  ...Array.from({ length: 277 }, (_, e) => [1, 1.3, 1.9].flatMap((m) => [m * 2 ** (e - 149), -m * 2 ** (e - 149)])).flat(),
  ...Array.from({ length: 4001 }, (_, i) => (i - 2000) * 0.0023),
  ...[0, -0, 1, -1, 0.5, 2.5, 3.5, NaN, Infinity, -Infinity],
]); // prettier-ignore

/** In units of the last place of what is expected. */
function ulps(actual: number, value: number): number {
  const expected = Math.fround(value);
  if (Object.is(actual, expected)) return 0;
  if (!Number.isFinite(expected)) return Infinity;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(expected) || 2 ** -149)), -126);
  return Math.abs(actual - expected) / 2 ** (exponent - 23);
}

describe.each(FUNCTION_KERNELS)('%s', (name) => {
  const run = (x: Float32Array): Float32Array => {
    arena.clear();
    const [from, to] = [arena.place(x), arena.space(x.length)];
    kernels[name](from, to, x.length);
    expect(arena.intact()).toBe(true);
    return arena.read(to, x.length);
  };

  it('is what an expression computes, everywhere', () => {
    const found = run(EVERYWHERE);
    const wrong = [...EVERYWHERE].filter((x, i) => ulps(found[i]!, UNARY[name](x, 0, 0)) > (ULPS[name] ?? 0));
    expect(wrong).toEqual([]);
  });

  it.each(AWKWARD)('writes %i elements and nothing else', (n) => {
    expect([...run(noise(n).map(Math.abs))].every((value) => !Number.isNaN(value))).toBe(true);
  });
});

/** Rows of 1, 4 or 5 along the last loop, each operand whole, one row for all, or one number for all. */
const STEPS = [
  [1, 1, 5, 0, 0, 1, 0, 0, 1],
  [2, 3, 4, 12, 4, 1, 0, 4, 1],
  [2, 3, 5, 15, 5, 1, 0, 0, 0],
  [3, 2, 1, 0, 0, 0, 2, 1, 1],
] as const;

describe.each(ELEMENTWISE)('%s', (name) => {
  const of = ELEMENTWISE.indexOf(name);

  it('is what an expression computes, for every pair of odd numbers', () => {
    const odd = [0, -0, 1, -1, 0.5, -2.5, 3, 1e-42, 3e38, NaN, Infinity, -Infinity, 7, -7];
    const pairs = odd.flatMap((a) => odd.map((b) => [a, b] as const));
    arena.clear();
    const [a, b] = [0, 1].map((side) => arena.place(Float32Array.from(pairs, (pair) => pair[side]!)));
    const y = arena.space(pairs.length);
    kernels.elementwise(of, a!, b!, y, 1, 1, pairs.length, 0, 0, 1, 0, 0, 1);
    const found = arena.read(y, pairs.length);
    const wrong = pairs.filter(([left, right], i) => {
      return ulps(found[i]!, BINARY[name](Math.fround(left), Math.fround(right), 0)) > 0;
    });
    expect(wrong).toEqual([]);
  });

  it.each(STEPS)('walks loops of %i, %i and %i in each operand’s steps', (n0, n1, n2, ...steps) => {
    const [a0, a1, a2, b0, b1, b2] = steps;
    arena.clear();
    const x = noise(64, 1);
    const z = noise(64, 2);
    const [a, b] = [arena.place(x), arena.place(z)];
    const y = arena.space(n0 * n1 * n2);
    kernels.elementwise(of, a, b, y, n0, n1, n2, ...steps);
    const expected: number[] = [];
    for (let i = 0; i < n0; i++) {
      for (let j = 0; j < n1; j++) {
        for (let l = 0; l < n2; l++) {
          expected.push(BINARY[name](x[i * a0 + j * a1 + l * a2]!, z[i * b0 + j * b1 + l * b2]!, 0));
        }
      }
    }
    expect(arena.intact()).toBe(true);
    expect(arena.read(y, expected.length)).toEqual(Float32Array.from(expected));
  });
});

describe('extreme', () => {
  it.each([[1, 1, 1], [2, 3, 1], [2, 5, 4], [3, 4, 7], [1, 9, 33]] as const)('of [%i, %i, %i] along the middle', (outer, d, inner) => {
    const x = noise(outer * d * inner);
    x[0] = NaN;
    for (const [largest, choose] of [[0, Math.min], [1, Math.max]] as const) {
      arena.clear();
      const [from, to] = [arena.place(x), arena.space(outer * inner)];
      kernels.extreme(largest, from, to, outer, d, inner);
      expect(arena.intact()).toBe(true);
      const expected = Array.from({ length: outer * inner }, (_, at) => {
        const [i, l] = [Math.floor(at / inner), at % inner];
        return Array.from({ length: d }, (_, j) => x[(i * d + j) * inner + l]!).reduce((a, b) => choose(a, b));
      });
      expect([...arena.read(to, outer * inner)]).toEqual(expected);
    }
  });
}); // prettier-ignore

describe('scatter', () => {
  it('puts back what gather took', () => {
    arena.clear();
    const x = noise(60);
    const [from, taken, back] = [arena.place(x), arena.space(60), arena.place(new Float32Array(60))];
    const loops = [3, 4, 5, 1, 15, 3] as const;
    kernels.gather(from, taken, ...loops);
    kernels.scatter(taken, back, ...loops);
    expect(arena.intact()).toBe(true);
    expect(arena.read(back, 60)).toEqual(x);
  });
});
