// A client's options of an optimizer or scheduler, checked and as plain values.

import type { Fault } from '../../errors.js';
import type { OptionDefinition } from '../layer.js';
import { checkOptions, numberOf, PythonFloat, type Options, type OptionValue } from '../options.js';
import type { Setting } from './optimizer.js';

export type Checked<T> = { readonly value: T } | { readonly faults: readonly Fault[] };

export function faulty(path: string, message: string): { faults: Fault[] } {
  return { faults: [{ path, message }] };
}

interface Definition {
  readonly options: readonly OptionDefinition[];
  check?(options: Options): string[];
}

/** Complete settings, where nothing is wrong; what is wrong is added to `faults`. */
export function checkedSettings(
  { type, definition }: { type: string; definition: Definition },
  given: Readonly<Record<string, unknown>>,
  path: string,
  faults: Fault[],
): Record<string, Setting> {
  const checked = checkOptions({ type, definition }, new Map(Object.entries(given)), path);
  faults.push(...checked.faults);
  return Object.fromEntries(Object.entries(checked.options).map(([name, value]) => [name, plainOf(value)]));
}

function plainOf(value: OptionValue): Setting {
  if (value instanceof PythonFloat) return value.value;
  return Array.isArray(value) ? (value as OptionValue[]).map(numberOf) : (value as Setting);
}
