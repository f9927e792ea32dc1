import { describe, expect, it } from 'vitest';
import { number, numberOr } from '#src/tensor/number-schema.js';

describe('a number in a request', () => {
  it.each([
    [1.5, 1.5],
    [-0, -0],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
  ])('%j is %d, which is taken again', (written, value) => {
    expect(number.parse(written)).toBe(value);
    expect(number.parse(value)).toBe(value);
  });

  it.each(['1', 'inf', 'nan', '', '__proto__', true, null, [], [1], {}])('is not %j', (written) => {
    const { error } = number.safeParse(written);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      'must be a number, "NaN", "Infinity" or "-Infinity"',
    ]);
  });

  it('is required unless there is a default', () => {
    expect(number.safeParse(undefined).error?.issues[0]?.message).toBe('is required');
    expect(numberOr(0.5).parse(undefined)).toBe(0.5);
  });
});
