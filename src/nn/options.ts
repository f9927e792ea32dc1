// A layer's constructor arguments: a client's values checked against the layer's definition, all faults at once.

import type { Fault } from '../errors.js';
import type { LayerDefinition, OptionDefinition, OptionKind } from './layer.js';
import { didYouMean } from './near-miss.js';
import { PythonFloat, pythonRepr } from './python-text.js';

export { PythonFloat, pythonRepr };

/** What an option holds once checked; tuples are arrays. */
export type OptionValue = null | boolean | number | string | PythonFloat | readonly OptionValue[];
export type Options = Readonly<Record<string, OptionValue>>;

/** What tensors' extents and PyTorch's kernels count with. */
export const MAX_INT = 2 ** 31 - 1;

/** More than anyone reads. */
export const MAX_FAULTS = 100;

/** Arguments of PyTorch's layers with parameters that leave nothing to choose here. */
const PLACEMENT = new Map([
  ['device', 'parameters are on the CPU'],
  ['dtype', 'parameters are float32'],
]);

/**
 * Checks what was given for a layer of `type`. `options` are complete (defaults filled in) and in the constructor's
 * order where `faults` is empty; each fault's path is `path` followed by the option's name.
 */
export function checkOptions(
  { type, definition }: { type: string; definition: Pick<LayerDefinition, 'options' | 'check'> },
  given: ReadonlyMap<string, unknown>,
  path: string,
): { options: Options; faults: Fault[] } {
  const faults: Fault[] = [];
  const fault = (name: string, message: string): void => {
    faults.push({ path: `${path}${pathKey(name)}`, message });
  };
  const names = definition.options.map(({ name }) => name);
  for (const [name, value] of given) {
    if (names.includes(name)) continue;
    if (faults.length >= MAX_FAULTS) break;
    const place = PLACEMENT.get(name);
    if (place === undefined) fault(name, `unknown option of ${type}${didYouMean(name, names)}`);
    else if (value !== null) fault(name, `cannot be chosen: ${place}`);
  }
  const options: [string, OptionValue][] = [];
  for (const option of definition.options) {
    if (option.kind === 'module') continue;
    const value = given.get(option.name);
    if (value === undefined) {
      if (option.default === undefined) fault(option.name, `${type} needs ${option.name}`);
      else options.push([option.name, option.default]);
      continue;
    }
    const read = readOption(option, value);
    if ('wrong' in read) fault(option.name, `${read.wrong}, got ${shown(value)}`);
    else options.push([option.name, read.value]);
  }
  const complete = Object.fromEntries(options);
  if (faults.length === 0) {
    for (const message of definition.check?.(complete) ?? []) faults.push({ path, message });
  }
  return { options: complete, faults };
}

type Read = { readonly value: OptionValue } | { readonly wrong: string };

function readOption(option: Exclude<OptionDefinition, { kind: 'module' }>, value: unknown): Read {
  const { supported } = option;
  const read: Read =
    value === null && option.nullable ? { value } : READERS[option.kind](option as never, value);
  if ('wrong' in read || !supported) return read;
  const printed = pythonRepr(read.value);
  if (supported.some((known) => pythonRepr(known) === printed)) return read;
  return { wrong: `only ${supported.map(pythonRepr).join(' or ')} is supported` };
}

type Of<K extends OptionKind> = Extract<OptionDefinition, { kind: K }>;

const READERS: { readonly [K in Exclude<OptionKind, 'module'>]: (option: Of<K>, value: unknown) => Read } = {
  int: ({ minimum = -MAX_INT, nullable }, value) =>
    isInt(value, minimum) ? { value } : { wrong: `must be ${anInt(minimum)}${nullable ? ' or null' : ''}` },
  float: ({ nullable }, value) => {
    const number = asFloat(value);
    return number === undefined
      ? { wrong: `must be a number${nullable ? ' or null' : ''}` }
      : { value: number };
  },
  bool: (_option, value) => (typeof value === 'boolean' ? { value } : { wrong: 'must be true or false' }),
  string: ({ choices }, value) =>
    typeof value === 'string' && choices.includes(value)
      ? { value }
      : { wrong: `must be ${choices.map((choice) => `'${choice}'`).join(' or ')}` },
  text: ({ wrong: check }, value) => {
    if (typeof value !== 'string') return { wrong: 'must be a string' };
    const wrong = check(value);
    return wrong === undefined ? { value } : { wrong };
  },
  ints: (option, value) => {
    const { minimum, lengths, nullableItems = false, words = [] } = option;
    const isItem = (item: unknown): item is number | null =>
      isInt(item, minimum) || (nullableItems && item === null);
    if (isInt(value, minimum) || (typeof value === 'string' && words.includes(value))) return { value };
    const fits = Array.isArray(value) && value.length >= lengths.minimum && value.length <= lengths.maximum;
    if (fits && value.every(isItem)) return { value: value };
    const many =
      lengths.minimum === lengths.maximum ? lengths.minimum : `${lengths.minimum} to ${lengths.maximum}`;
    const alternatives = [anInt(minimum), `a list of ${many} of them`, ...words.map((word) => `'${word}'`)];
    return { wrong: `must be ${alternatives.join(' or ')}` };
  },
  floats: ({ lengths: { minimum, maximum }, orOne, nullable }, value) => {
    const one = orOne === true ? asFloat(value) : undefined;
    if (one !== undefined) return { value: one };
    const fits = Array.isArray(value) && value.length >= minimum && value.length <= maximum;
    const items = fits ? value.map(asFloat) : [undefined];
    if (items.every((item) => item !== undefined)) return { value: items };
    const many = minimum === maximum ? minimum : `${minimum} to ${maximum}`;
    const none = nullable ? ' or null' : '';
    return { wrong: `must be ${orOne === true ? 'a number or ' : ''}a list of ${many} numbers${none}` };
  },
};

function isInt(value: unknown, minimum: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= MAX_INT;
}

function anInt(minimum: number): string {
  return minimum < 0 ? `an integer of at most ${MAX_INT}` : `an integer from ${minimum} to ${MAX_INT}`;
}

const FLOAT_TEXT = /^-?\d{1,400}(\.\d{0,400})?(e[+-]?\d{1,4})?$/;
const FLOAT_WORDS = new Map([
  ['inf', Infinity],
  ['Infinity', Infinity],
  ['-inf', -Infinity],
  ['-Infinity', -Infinity],
  ['nan', NaN],
  ['NaN', NaN],
]);

/** Numbers, and the texts of floats that JSON cannot write as numbers: infinities, NaN, whole ones (`"1.0"`). */
function asFloat(value: unknown): number | PythonFloat | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof PythonFloat) return Number.isInteger(value.value) ? value : value.value;
  if (typeof value !== 'string') return undefined;
  const read = FLOAT_WORDS.get(value) ?? (FLOAT_TEXT.test(value) ? Number(value) : undefined);
  return read !== undefined && Number.isInteger(read) ? new PythonFloat(read) : read;
}

/** The number that a float option holds. */
export function numberOf(value: OptionValue): number {
  return value instanceof PythonFloat ? value.value : (value as number);
}

/** Options as answers show them: floats are numbers; NaN and infinities are strings. */
export function optionsAsJson(options: Options): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, asJson(value)]));
}

function asJson(value: OptionValue): unknown {
  if (Array.isArray(value)) return value.map(asJson);
  const plain = value instanceof PythonFloat ? value.value : value;
  return typeof plain === 'number' && !Number.isFinite(plain) ? String(plain) : plain;
}

/** How a name continues a path: `.name`, or `["odd name"]`. */
export function pathKey(name: string): string {
  return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 80))}]`;
}

/** A client's value, short enough for a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value instanceof PythonFloat) return pythonRepr(value);
  if (Array.isArray(value)) {
    const short = value.length <= 8 && !value.some((item) => typeof item === 'object' && item !== null);
    return short ? `[${value.map(shown).join(', ')}]` : `a list of ${value.length}`;
  }
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
