import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '#src/nearest.js';

const names = ['in_features', 'out_features', 'bias', 'kernel_size', 'name'];

describe('the nearest name', () => {
  it.each([
    ['in_featurs', 'in_features'],
    ['in_feature', 'in_features'],
    ['infeatures', 'in_features'],
    ['BIAS', 'bias'],
    ['nmae', 'name'],
    ['kernelsize', 'kernel_size'],
  ])('to %s is %s', (given, wanted) => {
    expect(nearest(given, names)).toBe(wanted);
  });

  it.each(['', 'x', 'stride', 'completely_different', 'b'])('to %j is none: too far', (given) => {
    expect(nearest(given, names)).toBeUndefined();
  });

  it('to a name of a million letters is none, at once', () => {
    expect(nearest('a'.repeat(1e6), names)).toBeUndefined();
  });

  it('is worded as a question, or not at all', () => {
    expect(didYouMean('nmae', names)).toBe('; did you mean name?');
    expect(didYouMean('zzz', names)).toBe('');
  });
});
