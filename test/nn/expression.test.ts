import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkExpression, evaluate, ExpressionError, parseExpression } from '#src/nn/expression.js';
import { fixture, floatsOf, maxUlps } from '../random/fixture.js';

type Input = 'all' | 'finite';
const golden = fixture<
  Record<Input, number[]> & { cases: { expression: string; input: Input; ulps: number; result: number[] }[] }
>('expressions.json');

function evaluated(text: string, values: ArrayLike<number>, variables?: string[]): Float32Array {
  const data = Float32Array.from(values);
  evaluate(parseExpression(text, variables), data);
  return data;
}

describe("an expression's values", () => {
  it.each(golden.cases)(
    "of $expression are PyTorch's within $ulps ulps, on zeros, NaN and infinities too",
    (wanted) => {
      const { expression, input, ulps, result } = wanted;
      expect(maxUlps(evaluated(expression, floatsOf(golden[input])), floatsOf(result))).toBeLessThanOrEqual(
        ulps,
      );
    },
  );

  it.each([1, 1023, 1024, 1025, 2049])(
    'of %i elements do not depend on the blocks they are computed in',
    (n) => {
      const data = Float32Array.from({ length: n }, (_, i) => i - n / 3);
      const mean = Math.fround(data.reduce((sum, x) => sum + x, 0) / n);
      const wanted = data.map((x) => Math.fround(x - mean) * x);
      expect(evaluated('(w - mean(w)) * w', data)).toEqual(wanted);
    },
  );

  it('stay in the tensor they came from, shared memory included, and none are made of an empty one', () => {
    const data = new Float32Array(new SharedArrayBuffer(16)).subarray(1, 3).fill(2);
    evaluate(parseExpression('w ** 3'), data);
    expect([...data]).toEqual([8, 8]);
    expect(evaluated('max(w)', [])).toHaveLength(0);
  });

  it('are those of a number where no tensor is named', () => {
    expect([...evaluated('1 / 4 + max(1, 2)', [7, 8])]).toEqual([2.25, 2.25]);
  });
});

describe("an expression's notation is Python's", () => {
  it.each([
    ['-w ** 2', '-(w ** 2)'],
    ['2 ** -w ** 2', '2 ** (-(w ** 2))'],
    ['2 ** 3 ** w', '2 ** (3 ** w)'],
    ['not w > 1 and w < 3', '(not (w > 1)) and (w < 3)'],
    ['not not w + 1 > 1', 'not (not ((w + 1) > 1))'],
    ['w > 1 or w < 0 and w > -1', '(w > 1) or ((w < 0) and (w > -1))'],
    ['w - 1 - 2', '(w - 1) - 2'],
    ['w / 2 * 3 % 4', '((w / 2) * 3) % 4'],
    ['- - w * -2', '(-(-w)) * (-2)'],
    ['(w>1)and(w<3)', '(w > 1) and (w < 3)'],
    ['not(w)', 'not w'],
    ['1 + w == 2 - w', '(1 + w) == (2 - w)'],
  ])('%s is %s', (text, grouped) => {
    const values = [-2.5, -1, -0, 0, 0.5, 1, 2, 3];
    expect(evaluated(text, values)).toEqual(evaluated(grouped, values));
    expect(parseExpression(text)).toEqual(parseExpression(grouped));
  });

  it('names that begin with an operator are names', () => {
    expect([...evaluated('android + notw * orb', [2], ['android', 'notw', 'orb'])]).toEqual([6]);
  });

  it("sums and products of any numbers are JavaScript's own", () => {
    const tree = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.nat(99).map(String),
        fc.tuple(tie('node'), fc.constantFrom('+', '-', '*'), tie('node')).map((parts) => parts.join(' ')),
        tie('node').map((inner) => `(${inner})`),
      ),
    })).node;
    fc.assert(
      fc.property(tree, (text) => {
        fc.pre(text.length <= 1000);
        const wanted = Number(runInNewContext(text));
        expect(parseExpression(text)).toEqual({ kind: 'number', value: wanted });
      }),
      { numRuns: 60 },
    );
  });
});

describe('what is not an expression is refused, with the place and what would be right', () => {
  it.each([
    ['', 'the expression is empty, at character 1'],
    ['w +', 'Expected expression after +, at character 4'],
    ['(w', 'the expression ends too early, at character 3'],
    ['w) + (w', 'unexpected ), which closes nothing, at character 2'],
    ['w; w', 'unexpected ;, at character 2'],
    ['w, 5', 'unexpected ,, at character 2'],
    ['w 5', 'unexpected 5, at character 3'],
    ['min(w 5)', 'unexpected 5, at character 7'],
    ['min(w,)', 'unexpected ), at character 7'],
    ['(w)(3)', 'unexpected (, at character 4'],
    ['w and', 'Expected expression after and, at character 6'],
    ['and w', 'unexpected and, at character 1'],
    ['w.data', 'unexpected .; write a function, as in abs(w), at character 2'],
    ['w[0]', 'unexpected [, at character 2'],
    ['"w"', 'unexpected ", at character 1'],
    ['w = 3', 'unexpected =; write ==, at character 3'],
    ['w && 1', 'unexpected &; write and, at character 3'],
    ['w || 1', 'unexpected |; write or, at character 3'],
    ['!w', 'unexpected !; write not, at character 1'],
    ['w ^ 2', 'unexpected ^; write **, at character 3'],
    ['w ? 1 : 2', 'unexpected ?; write where(condition, x, y), at character 3'],
    ['w // 2', 'unexpected /; write floor(a / b), at character 3'],
    ['0 < w < 5', 'comparisons do not chain: write a < b and b < c, at character 9'],
    ['w + not w', 'unexpected not after +: put parentheses around it, at character 5'],
    ['x', 'unknown name x; did you mean w?, at character 1'],
    ['1 + weight', 'unknown name weight; the tensor is w, at character 5'],
    ['sqr(w)', 'unknown function sqr; did you mean sqrt?, at character 1'],
    ['1 + abs', 'abs is a function: write abs(x), at character 5'],
    ['where(w)', 'where does not take 1 arguments: write where(condition, x, y), at character 1'],
    ['mean(w, w)', 'mean does not take 2 arguments: write mean(x), at character 1'],
    ['5w', 'Variable names cannot start with a number (5w), at character 2'],
    ['__proto__', 'unknown name __proto__; the tensor is w, at character 1'],
    ['constructor(w)', 'unknown function constructor, at character 1'],
    ['this', 'unknown name this; the tensor is w, at character 1'],
  ])('%s: %s', (text, message) => {
    expect(checkExpression(text)).toBe(message);
  });

  it('more than 1000 characters, or parentheses more than 64 deep, are refused; below that nothing is too deep', () => {
    const nested = (depth: number): string => '('.repeat(depth) + 'w' + ')'.repeat(depth);
    expect(checkExpression(`w${' '.repeat(1000)}`)).toMatch('more than 1000 characters');
    expect(checkExpression(nested(65))).toMatch('more than 64 parentheses');
    for (const text of [nested(64), `${'-'.repeat(998)}w`, `w${'**w'.repeat(330)}`, `w${'+w'.repeat(499)}`]) {
      expect(evaluated(text, [1])[0]).toBeDefined();
    }
  });

  it('any text is read or is an ExpressionError whose position lies in the text or at its end', () => {
    const piece = fc.constantFrom(
      'w',
      '2',
      '.5',
      '(',
      ')',
      ',',
      ' ',
      '+',
      '-',
      '**',
      '<',
      '==',
      'not ',
      ' and ',
      'abs(',
      'min(',
      '.',
      '!',
      '\u00a0',
    );
    const texts = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseExpression(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError);
          expect((error as ExpressionError).position).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
