// The layout in which products read a weight: panels of 16 rows of it, transposed (see Kernels.pack). The same for every
// engine, so that panels made by one are read by another.

import { numel, type Shape } from '../tensor/shape.js';

export const PANEL_COLUMNS = 16;
const BYTES = 4;

/** Bytes of the panels of w[n,k]. */
export function packedBytes(n: number, k: number): number {
  return Math.ceil(n / PANEL_COLUMNS) * PANEL_COLUMNS * k * BYTES;
}

/**
 * Below it, packing a weight for each product costs less than keeping its panels. Measured with one row of input, where
 * packing weighs most: (32, 32) takes 0.5 µs more without panels.
 */
const MIN_ELEMENTS = 1024;

/** Whether a weight's panels are worth their memory. */
export function worthPacking(weight: Shape): boolean {
  return numel(weight) >= MIN_ELEMENTS;
}

/** A weight as the matrix w[n,k] whose rows are packed: a convolution's has a row for each output channel. */
export function matrixOf([n = 1, ...rest]: Shape): { n: number; k: number } {
  return { n, k: numel(rest) };
}
