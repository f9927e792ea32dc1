import { describe, expect, it } from 'vitest';
import { binsFault, readBins } from '#src/tensor/bins.js';

describe('bins', () => {
  it.each([
    ['32', 32],
    ['-1,0,1', [-1, 0, 1]],
    ['0.5, 1e3', [0.5, 1000]],
    ['many', undefined],
    ['', undefined],
    ['1,', undefined],
  ])('of a query: %j', (text, bins) => {
    expect(readBins(text)).toEqual(bins);
  });

  it('are from 1 to 1024, or as many between ascending edges', () => {
    expect(
      [1, 1024, [0, 1], Array.from({ length: 1025 }, (_, i) => i)].map((bins) => binsFault(bins)),
    ).toEqual(
      [undefined, undefined, undefined, undefined], // prettier-ignore
    );
    expect(binsFault(0)).toBe('must be a whole number from 1 to 1024, or edges');
    expect(binsFault(1025)).toBe('must be a whole number from 1 to 1024, or edges');
    expect(binsFault(2.5)).toBe('must be a whole number from 1 to 1024, or edges');
    expect(binsFault([1])).toBe('must be from 2 to 1025 edges, not 1');
    expect(binsFault(Array.from({ length: 1026 }, (_, i) => i))).toBe(
      'must be from 2 to 1025 edges, not 1026',
    );
    expect(binsFault([0, 1, 1])).toBe('edges must ascend: 1 comes after 1');
    expect(binsFault([0, Infinity])).toBe('edges must be finite numbers');
  });
});
