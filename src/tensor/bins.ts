// The bins of a histogram: so many, as torch.histc has them from the least to the largest value, or between given edges.
// Bin i takes edges[i] <= x < edges[i + 1], the last one its upper edge too; what is outside, or no number, is in none.

import type { DType } from './dtype.js';

/** How many, all of one width; or their edges, ascending. */
export type Bins = number | readonly number[];

export const MAX_BINS = 1024;
export const DEFAULT_BINS = 32;

const MOST_FLOAT32 = 3.4028234663852886e38;

/** What is wrong with them, or undefined. */
export function binsFault(bins: Bins): string | undefined {
  if (typeof bins === 'number') {
    const counts = Number.isInteger(bins) && bins >= 1 && bins <= MAX_BINS;
    return counts ? undefined : `must be a whole number from 1 to ${MAX_BINS}, or edges`;
  }
  if (bins.length < 2 || bins.length > MAX_BINS + 1) {
    return `must be from 2 to ${MAX_BINS + 1} edges, not ${bins.length}`;
  }
  for (const [i, edge] of bins.entries()) {
    if (!Number.isFinite(edge)) return 'edges must be finite numbers';
    if (i > 0 && edge <= bins[i - 1]!) return `edges must ascend: ${edge} comes after ${bins[i - 1]}`;
  }
  return undefined;
}

/** A query's: "32", or "-1,0,1". undefined: these are no numbers. */
export function readBins(text: string): Bins | undefined {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (numbers.some((number) => Number.isNaN(number))) return undefined;
  return text.includes(',') ? numbers : numbers[0];
}

/**
 * What is compared with the elements, in float64: float32 numbers where the elements are. `least` and `most` of the
 * elements that are finite; where there are none, or they are all the same, PyTorch goes one to either side.
 */
export function edgesOf(
  bins: Bins,
  { least, most }: { readonly least: number; readonly most: number },
  dtype: DType,
): number[] {
  const rounded = dtype === 'float32' ? fitting : (edge: number): number => edge;
  if (typeof bins !== 'number') return bins.map(rounded);
  let [first, last] = least <= most ? [least, most] : [0, 0];
  if (first === last) {
    // One is nothing beside a large number.
    const aside = Math.max(1, Math.abs(first) * 2 ** -20);
    [first, last] = [first - aside, last + aside];
  }
  const edges = Array.from({ length: bins + 1 }, (_, i) => rounded(first + ((last - first) * i) / bins));
  edges[bins] = rounded(last);
  return edges;
}

function fitting(edge: number): number {
  return Math.fround(Math.min(Math.max(edge, -MOST_FLOAT32), MOST_FLOAT32));
}
