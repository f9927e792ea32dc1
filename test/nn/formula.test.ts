import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressionError } from '#src/nn/expression/syntax.js';
import { evaluate, parseExpression } from '#src/nn/expression.js';
import { parseFormula } from '#src/nn/formula.js';
import { run } from './layers/network.js';

const DATA = [0, -0, 1, -1, 0.5, -2.5, 3.5, 7, 1e-42, 3e38, NaN, Infinity, -Infinity, 0.1, -1e-3, 100.25, 17];

function lambda(expression: string, data: readonly number[], shape: number[] = [data.length]): Float32Array {
  const input = { shape, dtype: 'float32', data } as const;
  return run({ architecture: { type: 'Lambda', expression }, state: {}, inputs: [input] }).output;
}

/** Everything of the language that both compute to the last bit. */
const expressions: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => {
  const any = tie('any');
  const calls = ['abs', 'sqrt', 'floor', 'round', 'sign', 'relu', '-', '+', 'not '];
  const joins = ['+', '-', '*', '/', '%', '<', '<=', '>', '>=', '==', '!=', 'and', 'or'];
  return {
    any: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom('x', '0', '1', '2.5', '0.3', '1e3'),
      fc.constant('x'),
      fc.tuple(fc.constantFrom(...calls), any).map(([name, a]) => `(${name}(${a}))`),
      fc.tuple(any, fc.constantFrom(...joins), any).map(([a, sign, b]) => `(${a} ${sign} ${b})`),
      fc.tuple(fc.constantFrom('min', 'max'), any, any).map(([name, a, b]) => `${name}(${a}, ${b})`),
      fc.tuple(any, any, any).map(([c, a, b]) => `where(${c}, ${a}, ${b})`),
    ),
  };
}).any;

describe('a formula as ops', () => {
  it('is what the expression is as a patch, to the bit', () => {
    fc.assert(
      fc.property(expressions, (expression) => {
        // Of the shape of x, whatever the expression is of.
        const whole = `(${expression}) + 0 * (x == x)`;
        fc.pre(whole.length <= 1000);
        const expected = Float32Array.from(DATA);
        evaluate(parseExpression(whole, ['x']), expected);
        expect(lambda(whole, DATA)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('takes a dimension, from either end, and keeps it where asked', () => {
    const grid = [1, 2, 3, 4, 5, 9];
    expect([...lambda('sum(x, 0)', grid, [2, 3])]).toEqual([5, 7, 12]);
    expect([...lambda('mean(x, dim=-1)', grid, [2, 3])]).toEqual([2, 6]);
    expect([...lambda('x - mean(x, 1, keepdim=True)', grid, [2, 3])]).toEqual([-1, 0, 1, -2, -1, 3]);
    expect([...lambda('max(x, dim=0) - min(x, dim=0)', grid, [2, 3])]).toEqual([3, 3, 6]);
    expect([...lambda('std(x, dim=0, keepdim=true)', [1, 3, 2, 2], [2, 2])]).toEqual([
      Math.fround(Math.SQRT1_2),
      Math.fround(Math.SQRT1_2),
    ]);
  });

  it('says in PyTorch’s words, with the expression, what does not fit', () => {
    const wrong = (expression: string, shape: number[]) => () =>
      lambda(expression, Array<number>(shape.reduce((a, b) => a * b, 1)).fill(1), shape);
    expect(wrong('x - mean(x, 1)', [2, 3])).toThrow(
      'The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 1, in x - mean(x, 1)',
    );
    expect(wrong('sum(x, 2)', [2, 3])).toThrow(
      'Dimension out of range (expected to be in range of [-2, 1], but got 2)',
    );
    expect(wrong('max(x)', [0, 3])).toThrow('amax(): Expected reduction dim to have a non-zero size');
  });

  it.each([
    ['2 + 3', 'x does not stand in it, at character 1'],
    ['x - y', 'unknown name y; did you mean x?, at character 5'],
    ['maen(x)', 'unknown function maen; did you mean mean?, at character 1'],
    ['mean', 'mean is a function: write mean(x) or mean(x, dim), at character 1'],
    ['mean(3) + x', 'mean of a number: there is nothing to reduce, at character 1'],
    ['mean(x, 1.5)', 'dim of mean must be a whole number such as 1 or -1, at character 1'],
    ['mean(x, x)', 'dim of mean must be a whole number such as 1 or -1, at character 1'],
    ['mean(x, 1, 1)', 'keepdim of mean must be True or False, at character 1'],
    ['mean(x, 1, dim=1)', 'mean is given dim twice, at character 12'],
    ['mean(x, dmi=1)', 'mean takes no dmi; did you mean dim?, at character 9'],
    ['mean(dim=1, x)', 'unexpected x, at character 13'],
    ['abs(x, dim=1)', 'abs takes no dim: write abs(x), at character 1'],
    [
      'max(x, 1, 2)',
      'max does not take 3 arguments: write max(x) or max(x, y) or max(x, dim=1), at character 1',
    ],
    ['x = 1', 'unexpected =; write ==, at character 3'],
    ['x.y', 'unexpected .; write a function, as in abs(w), at character 2'],
  ])('%s is refused: %s', (text, message) => {
    expect(() => parseFormula(text)).toThrow(ExpressionError);
    expect(() => parseFormula(text)).toThrow(message);
  });

  it('has no keywords where a patch is meant', () => {
    expect(() => parseExpression('max(w, dim=1)')).toThrow('unexpected =');
  });
});
