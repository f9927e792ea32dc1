// What is told of a tensor instead of its values. A NaN among the elements shows in all of it but the counts, as in PyTorch.
// One order of summation in float64: blocks (the kernels') within parts, parts one after another. The same elements give
// the same numbers on every machine, by any number of workers.

import type { DType } from './dtype.js';
import { float32Text } from './float-text.js';
import { numel, type Shape } from './shape.js';

/** As in JSON bodies: what is not finite is a string. */
export type JsonNumber = number | 'NaN' | 'Infinity' | '-Infinity';

/** Rounded to float32 (as torch's own are), in the shortest decimal form. null: there are too few elements for it. */
export interface Statistics {
  readonly shape: Shape;
  readonly numel: number;
  /** Of integers: exact. */
  readonly min: JsonNumber | null;
  readonly max: JsonNumber | null;
  readonly mean: JsonNumber | null;
  /** Unbiased: divided by numel - 1; null below two elements. */
  readonly std: JsonNumber | null;
  /** The square root of the sum of squares. */
  readonly norm: JsonNumber;
  /** How many elements are NaN, infinite, zero (of either sign). */
  readonly nan: number;
  readonly infinity: number;
  readonly zeros: number;
  readonly histogram?: Histogram;
}

/** Bin i takes edges[i] <= x < edges[i + 1], the last one its upper edge too. */
export interface Histogram {
  readonly edges: readonly JsonNumber[];
  readonly counts: readonly number[];
}

/** The names that a condition on statistics may use. */
export const STATISTIC_NAMES = [
  'numel',
  'min',
  'max',
  'mean',
  'std',
  'norm',
  'nan',
  'infinity',
  'zeros',
] as const;
export type StatisticName = (typeof STATISTIC_NAMES)[number];

/** What the statistics of some elements, and of these and others together, are made of. */
export interface Moments {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
  /** The sum of (x - mean)². */
  readonly deviations: number;
  /** Of what is no NaN; Infinity and -Infinity where nothing is. */
  readonly min: number;
  readonly max: number;
  /** The same of what is finite. */
  readonly least: number;
  readonly most: number;
  readonly nan: number;
  readonly infinity: number;
  readonly zeros: number;
}

export const NO_MOMENTS: Moments = {
  count: 0,
  sum: 0,
  squares: 0,
  deviations: 0,
  min: Infinity,
  max: -Infinity,
  least: Infinity,
  most: -Infinity,
  nan: 0,
  infinity: 0,
  zeros: 0,
};

/** Of all elements of both. The deviations by Chan, Golub and LeVeque (1979): nothing cancels. */
export function joined(a: Moments, b: Moments): Moments {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const apart = b.sum / b.count - a.sum / a.count;
  return {
    count,
    sum: a.sum + b.sum,
    squares: a.squares + b.squares,
    deviations: a.deviations + b.deviations + (apart * apart * (a.count * b.count)) / count,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    least: Math.min(a.least, b.least),
    most: Math.max(a.most, b.most),
    nan: a.nan + b.nan,
    infinity: a.infinity + b.infinity,
    zeros: a.zeros + b.zeros,
  };
}

export function statisticsOf(moments: Moments, { shape, dtype }: { shape: Shape; dtype: DType }): Statistics {
  const { sum, squares, deviations, min, max, nan, infinity, zeros } = moments;
  const count = numel(shape);
  const extreme = (value: number): JsonNumber | null => {
    if (count === 0) return null;
    return dtype === 'float32' ? told(nan > 0 ? NaN : value) : value;
  };
  return {
    shape,
    numel: count,
    min: extreme(min),
    max: extreme(max),
    mean: count === 0 ? null : told(sum / count),
    std: count < 2 ? null : told(Math.sqrt(deviations / (count - 1))),
    norm: told(Math.sqrt(squares)),
    nan,
    infinity,
    zeros,
  };
}

export function histogramOf(edges: readonly number[], counts: readonly number[], dtype: DType): Histogram {
  return { edges: dtype === 'float32' ? edges.map(told) : edges, counts };
}

/** A statistic as a number: NaN where there are too few elements for it. */
export function numberOf(value: JsonNumber | null): number {
  return value === null ? NaN : Number(value);
}

function told(value: number): JsonNumber {
  return JSON.parse(float32Text(value)) as JsonNumber;
}
