// The form that most small inputs have: a few rows of a few finite numbers, as lists in a list. Read without noting what
// may be wrong: anything else, and any doubt, is for json.ts, which knows every form and explains every fault.

import { knownOf } from './placed-list.js';

/** Longer lists are worth the general way, whose cost is in the beginning. */
const MAX_ROWS = 256;
const MAX_COLUMNS = 256;

export interface PlainRows {
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: undefined;
  /** Every number is whole. */
  readonly integral: boolean;
}

/** undefined for what is not of this form. */
export function plainRows(value: unknown): PlainRows | undefined {
  const rows = rowsOf(value);
  if (rows === undefined) return undefined;
  const columns = rows[0]!.length;
  let integral = true;
  for (const row of rows) {
    if (!isList(row) || row.length !== columns) return undefined;
    for (let i = 0; i < columns; i++) {
      const x = row[i];
      if (typeof x !== 'number' || x - x !== 0) return undefined;
      integral &&= x === Math.trunc(x);
    }
  }
  return { shape: [rows.length, columns], dtype: undefined, integral };
}

/** Whether the value was of this form and `target` has room for exactly its numbers; else some of them may be written. */
export function writePlainRows(value: unknown, target: Float32Array): boolean {
  const rows = rowsOf(value);
  if (rows === undefined || rows.length * rows[0]!.length !== target.length) return false;
  const columns = rows[0]!.length;
  let at = 0;
  for (const row of rows) {
    if (!isList(row) || row.length !== columns) return false;
    for (let i = 0; i < columns; i++) {
      const x = row[i];
      if (typeof x !== 'number' || x - x !== 0) return false;
      target[at++] = x;
    }
  }
  return true;
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Lists whose first element is one; of the others nobody knows yet. */
function rowsOf(value: unknown): readonly (readonly unknown[])[] | undefined {
  if (!isList(value) || knownOf(value) !== undefined || value.length === 0 || value.length > MAX_ROWS)
    return undefined;
  const [first] = value;
  if (!isList(first) || knownOf(first) !== undefined || first.length > MAX_COLUMNS) return undefined;
  return value as readonly (readonly unknown[])[];
}
