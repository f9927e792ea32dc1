// What a Python expression can be worth in a network's notation, and arithmetic on its numbers as Python does it:
// int and float stay apart (a PythonFloat is a float with a whole value), 7 / 2 is 3.5, 7 // 2 is 3.

import { PythonFloat, type OptionValue } from '../options.js';
import type { ArchitectureNode } from './construct.js';

export type Constant = null | boolean | number | string | PythonFloat;

/** `size`: how many values are in it, all levels together. */
export type Value =
  | { readonly is: 'constant'; readonly at: number; readonly value: Constant }
  | { readonly is: 'sequence'; readonly at: number; readonly items: readonly Value[]; readonly size: number }
  | Dict
  | { readonly is: 'module'; readonly at: number; readonly node: ArchitectureNode; readonly depth: number }
  /** Already reported; silences what would follow from it. */
  | { readonly is: 'fault'; readonly at: number };

export interface Dict {
  readonly is: 'dict';
  readonly at: number;
  readonly pairs: readonly Pair[];
  readonly ordered: boolean;
  readonly size: number;
}

export interface Pair {
  readonly key: Value;
  readonly value: Value;
}

export function sequenceOf(at: number, items: readonly Value[]): Value {
  return { is: 'sequence', at, items, size: items.reduce((size, item) => size + sizeOf(item), 1) };
}

export function dictOf(at: number, pairs: readonly Pair[], { ordered }: { ordered: boolean }): Value {
  const size = pairs.reduce((sum, { key, value }) => sum + sizeOf(key) + sizeOf(value), 1);
  return { is: 'dict', at, pairs, ordered, size };
}

export function sizeOf(value: Value): number {
  return value.is === 'sequence' || value.is === 'dict' ? value.size : 1;
}

/** An OptionValue, or undefined when a module or a dict is in it. */
export function optionOf(value: Value): OptionValue | undefined {
  if (value.is === 'constant') return value.value;
  if (value.is !== 'sequence') return undefined;
  const items = value.items.map(optionOf);
  return items.includes(undefined) ? undefined : (items as OptionValue[]);
}

export function isNumber(value: unknown): value is number | PythonFloat {
  return typeof value === 'number' || value instanceof PythonFloat;
}

const isFloat = (x: number | PythonFloat): boolean => x instanceof PythonFloat || !Number.isInteger(x);
const worth = (x: number | PythonFloat): number => (x instanceof PythonFloat ? x.value : x);
const asFloat = (x: number): number | PythonFloat => (Number.isInteger(x) ? new PythonFloat(x) : x);

interface Operator {
  /** Higher binds tighter. */
  readonly precedence: number;
  readonly compute: (a: number, b: number) => number;
  readonly alwaysFloat?: true;
}

export const OPERATORS = new Map<string, Operator>([
  ['+', { precedence: 1, compute: (a, b) => a + b }],
  ['-', { precedence: 1, compute: (a, b) => a - b }],
  ['*', { precedence: 2, compute: (a, b) => a * b }],
  ['/', { precedence: 2, compute: (a, b) => a / b, alwaysFloat: true }],
  ['//', { precedence: 2, compute: (a, b) => Math.floor(a / b) }],
  ['%', { precedence: 2, compute: (a, b) => a - b * Math.floor(a / b) }],
  ['**', { precedence: 3, compute: (a, b) => a ** b }],
]);

/** The result, or what is wrong with it. */
export function arithmetic(
  symbol: string,
  a: number | PythonFloat,
  b: number | PythonFloat,
): { value: number | PythonFloat } | { wrong: string } {
  const operator = OPERATORS.get(symbol);
  if (operator === undefined) return { wrong: `${symbol} is not an operator on numbers` };
  const [x, y] = [worth(a), worth(b)];
  if (y === 0 && (symbol === '/' || symbol === '//' || symbol === '%')) return { wrong: 'division by zero' };
  const result = operator.compute(x, y);
  if (Number.isNaN(result) && !Number.isNaN(x) && !Number.isNaN(y))
    return { wrong: 'the result is not a real number' };
  const float = operator.alwaysFloat ?? (isFloat(a) || isFloat(b) || (symbol === '**' && y < 0));
  if (float) return { value: asFloat(result) };
  if (!Number.isSafeInteger(result)) return { wrong: 'integers end at 2 ** 53 here' };
  return { value: result };
}

export function negate(x: number | PythonFloat): number | PythonFloat {
  // -0 is the float's; Python's int has one zero.
  return x instanceof PythonFloat ? new PythonFloat(-x.value) : x === 0 ? 0 : -x;
}
