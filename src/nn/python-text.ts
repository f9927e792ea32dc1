// Python's way to write values: what repr() answers for None, bool, int, float, str and tuples of them.

import type { OptionValue } from './options.js';

/** A Python float whose value is whole (`1.0`), so that it prints as written. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }

  /** The text that `checkOptions` reads back as the same float; JSON's own numbers do not tell 1.0 from 1. */
  toJSON(): string {
    return floatRepr(this.value);
  }
}

/** repr(value). A number is an int where it is whole and exact (at most 2^53 - 1), else a float; an array is a tuple. */
export function pythonRepr(value: OptionValue): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : floatRepr(value);
  if (typeof value === 'string') return stringRepr(value);
  if (value instanceof PythonFloat) return floatRepr(value.value);
  return value.length === 1 ? `(${pythonRepr(value[0]!)},)` : `(${value.map(pythonRepr).join(', ')})`;
}

/** float.__repr__: the shortest digits that read back, with an exponent below 1e-4 and from 1e16. */
function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16)
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  const sign = value < 0 ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  return `${sign}${digits.slice(0, power + 1).padEnd(power + 1, '0')}.${digits.slice(power + 1) || '0'}`;
}

const ESCAPES = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** str.__repr__: single quotes, unless only double ones spare an escape; what does not print is escaped. */
function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let body = '';
  for (const character of text) {
    if (character === quote) body += `\\${quote}`;
    else body += ESCAPES.get(character) ?? (isPrintable(character) ? character : escaped(character));
  }
  return quote + body + quote;
}

/** str.isprintable: no control, format, surrogate, private or unassigned character; of the separators only the space. */
function isPrintable(character: string): boolean {
  return character === ' ' || !/[\p{C}\p{Z}]/u.test(character);
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}
