// How a step's work falls into parts. An output's bits do not depend on the part that it is in.

import { PANEL_COLUMNS } from './panels.js';

/** Two panels side by side: the widest tile of one row. */
const COLUMN_UNIT = 2 * PANEL_COLUMNS;
/** Several rows are copied into place once for each part, which takes an eighth of 32 columns' time. */
const WIDE_COLUMN_UNIT = 4 * PANEL_COLUMNS;
/** The rows of the highest tile. */
const ROW_UNIT = 12;

export interface Range {
  readonly from: number;
  readonly count: number;
}

/** Cuts 0 .. n into `parts` ranges (the last ones may be empty) whose beginnings are multiples of `unit`. */
export function ranges(n: number, parts: number, unit: number): readonly Range[] {
  const step = Math.ceil(n / unit / parts) * unit;
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.min(part * step, n);
    return { from, count: Math.min(step, n - from) };
  });
}

/** The number of ranges that are not empty, when n is cut into `wanted`. */
export function partsOf(n: number, wanted: number, unit: number): number {
  const units = Math.ceil(n / unit);
  return units === 0 ? 1 : Math.ceil(units / Math.ceil(units / wanted));
}

/** What a product of so many rows and columns is cut along: whichever is more, in pieces that tiles fill. */
export function cutOf(
  m: number,
  n: number,
): { readonly byColumns: boolean; readonly length: number; readonly unit: number } {
  if (n < m) return { byColumns: false, length: m, unit: ROW_UNIT };
  return { byColumns: true, length: n, unit: m === 1 ? COLUMN_UNIT : WIDE_COLUMN_UNIT };
}
