// The few shapes that constructor arguments have, so that a layer's list of options reads like its signature.

import type { Pair } from '../../graph/op.js';
import type { OptionDefinition } from '../layer.js';
import { PythonFloat, type OptionValue } from '../options.js';

/** A required extent: a number of features, channels, rows. */
export function extent(name: string): OptionDefinition {
  return { name, kind: 'int', minimum: 1 };
}

export function flag(name: string, value: boolean): OptionDefinition {
  return { name, kind: 'bool', default: value };
}

/** A float; a whole default is PyTorch's `1.0`, not `1`. */
export function float(name: string, value: number): OptionDefinition {
  return { name, kind: 'float', default: Number.isInteger(value) ? new PythonFloat(value) : value };
}

export function nullable(option: OptionDefinition, value: OptionValue = null): OptionDefinition {
  return { ...option, nullable: true, default: value };
}

/** An int, or a tuple of `lengths` of them, each at least `minimum`; required without a default. */
export function perDimension(
  name: string,
  lengths: { minimum: number; maximum: number },
  { minimum, value }: { minimum: number; value?: OptionValue },
): OptionDefinition {
  return { name, kind: 'ints', lengths, minimum, ...(value !== undefined && { default: value }) };
}

/** [height, width] of an int or a tuple; one-dimensional layers have height `unit`. */
export function pairOf(value: OptionValue, dims: 1 | 2, unit: number): Pair {
  const items = Array.isArray(value) ? (value as number[]) : [value as number];
  const last = items.at(-1)!;
  return dims === 1 ? [unit, last] : [items[0]!, last];
}

/** The tuple of `dims` ints that PyTorch makes of an int or a tuple. */
export function tupleOf(value: OptionValue, dims: number): OptionValue[] {
  return Array.isArray(value) ? (value as OptionValue[]) : Array.from({ length: dims }, () => value);
}
