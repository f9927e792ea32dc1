// What is told of a tensor instead of its values. One order of summation, first to last in float64: the same bytes give
// the same numbers on every machine. A NaN among the elements shows in all of them, as in PyTorch.

import { float32Text } from './float-text.js';
import type { TensorData } from './tensor-value.js';

/** As in JSON bodies: what is not finite is a string. */
export type JsonNumber = number | 'NaN' | 'Infinity' | '-Infinity';

/** Rounded to float32 (as torch's own are), in the shortest decimal form. null: there are too few elements for it. */
export interface Statistics extends Readonly<Record<string, JsonNumber | null>> {
  readonly numel: number;
  readonly min: JsonNumber | null;
  readonly max: JsonNumber | null;
  readonly mean: JsonNumber | null;
  /** Unbiased: divided by numel - 1; null below two elements. */
  readonly std: JsonNumber | null;
  /** The square root of the sum of squares. */
  readonly norm: JsonNumber;
  /** How many elements are NaN, infinite, zero (of either sign). */
  readonly nan: number;
  readonly inf: number;
  readonly zeros: number;
}

export function statistics(data: TensorData): Statistics {
  const numel = data.length;
  let [min, max, sum, squares] = [Infinity, -Infinity, 0, 0];
  let [nan, inf, zeros] = [0, 0, 0];
  for (let i = 0; i < numel; i++) {
    const x = Number(data[i]!);
    sum += x;
    squares += x * x;
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    else if (x - x !== 0) {
      if (x !== x) nan++;
      else inf++;
    }
  }
  const mean = sum / numel;
  // A second pass: the squares' sum less the mean's square would cancel.
  let deviations = 0;
  for (let i = 0; i < numel; i++) deviations += (Number(data[i]!) - mean) ** 2;
  const told = (value: number): JsonNumber => JSON.parse(float32Text(value)) as JsonNumber;
  const extreme = (value: number): JsonNumber | null => (numel === 0 ? null : told(nan > 0 ? NaN : value));
  return {
    numel,
    min: extreme(min),
    max: extreme(max),
    mean: numel === 0 ? null : told(mean),
    std: numel < 2 ? null : told(Math.sqrt(deviations / (numel - 1))),
    norm: told(Math.sqrt(squares)),
    nan,
    inf,
    zeros,
  };
}
