import { describe, expect, it } from 'vitest';
import { parseCondition } from '#src/nn/condition.js';
import { ExpressionError } from '#src/nn/expression.js';

const NAMES = ['min', 'max', 'mean', 'std', 'norm', 'nan'] as const;

const holds = (text: string, values: Partial<Record<(typeof NAMES)[number], number>> = {}): boolean =>
  parseCondition(text, NAMES)((name) => values[name] ?? 0);

function fault(text: string): string {
  try {
    parseCondition(text, NAMES);
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
  return 'none';
}

describe('a condition', () => {
  it.each([
    ['norm > 100 or nan > 0', { norm: 101 }, true],
    ['norm > 100 or nan > 0', { norm: 100, nan: 1 }, true],
    ['norm > 100 or nan > 0', { norm: 100 }, false],
    ['not (min < -1 and max > 1)', { min: -2, max: 2 }, false],
    ['abs(mean) > 3 * std', { mean: -4, std: 1 }, true],
    ['max(abs(min), max) >= 5', { min: -5, max: 1 }, true],
    ['min(max, 2) == 2', { max: 3 }, true],
    ['max - min < 1e-6', { max: 1, min: 1 }, true],
    ['-mean ** 2 < 0', { mean: 3 }, true],
    ['nan', { nan: 2 }, true],
    ['where(nan > 0, 0, norm) > 1', { nan: 1, norm: 5 }, false],
  ])('%s of %j is %s', (text, values, expected) => {
    expect(holds(text, values)).toBe(expected);
  });

  it('is computed in double precision: what float32 cannot tell apart is told apart', () => {
    expect(holds('norm > 16777216', { norm: 16_777_217 })).toBe(true);
  });

  it('that compares with NaN does not hold, nor does its contrary', () => {
    expect(['norm > 1', 'norm <= 1', 'norm == norm'].map((text) => holds(text, { norm: NaN }))).toEqual(
      [false, false, false], // prettier-ignore
    );
    expect(holds('norm != norm', { norm: NaN })).toBe(true);
  });

  it.each([
    ['nrom > 1', 'unknown name nrom; did you mean norm?, at character 1'],
    ['norm > 1 or q > 2', 'unknown name q; the names are min, max, mean, std, norm, nan, at character 13'],
    ['abs > 1', 'abs is a function: write abs(x), at character 1'],
    ['mean(norm) > 1', 'mean is a number here: write mean alone, at character 1'],
    ['max(norm) > 1', 'max is a number here: write max alone, at character 1'],
    ['sum(norm) > 1', 'sum makes one number of many, and there are none here, at character 1'],
    ['min(norm, 1, 2) > 1', 'min does not take 3 arguments: write min(x, y), at character 1'],
    ['abz(norm) > 1', 'unknown function abz; did you mean abs?, at character 1'],
    ['norm > 1 || nan', 'unexpected |; write or, at character 10'],
    ['norm > 1 and', 'Expected expression after and, at character 13'],
    ['0 < norm < 1', 'comparisons do not chain: write a < b and b < c, at character 12'],
    ['2 > 1', 'none of min, max, mean, std, norm, nan stands in it, at character 1'],
    ['', 'the expression is empty, at character 1'],
    [
      'constructor > 1',
      'unknown name constructor; the names are min, max, mean, std, norm, nan, at character 1',
    ],
  ])('%s is refused: %s', (text, message) => {
    expect(fault(text)).toBe(message);
  });

  it('of more than 1000 characters is refused, and one of as many that are all one chain is read', () => {
    expect(fault('norm'.padEnd(1001, '+1'))).toMatch(/^the expression has more than 1000 characters/);
    expect(holds('norm'.padEnd(1000, '+1'))).toBe(true);
  });
});
