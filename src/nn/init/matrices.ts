// The inits of whole matrices: orthogonal (Saxe et al. 2013) and sparse columns (Martens 2010).

import { normal, normalFault, randperm } from '../../random/distributions.js';
import type { Rows } from './row.js';

export const MATRICES: Pick<Rows, 'orthogonal' | 'sparse'> = {
  orthogonal: {
    fault: (_, { length }) =>
      length >= 2 ? undefined : 'Only tensors with 2 or more dimensions are supported',
    fill({ generator, data, shape: [rows = 0] }, { gain }) {
      if (data.length === 0) return;
      const cols = data.length / rows;
      normal(generator, data);
      // A wide matrix is the transpose of an orthogonal tall one, and its rows are that one's columns.
      const wide = rows < cols;
      const long = Math.max(rows, cols);
      const short = Math.min(rows, cols);
      const at = (i: number, j: number): number => (wide ? j * cols + i : i * cols + j);
      const columns = Array.from({ length: short }, (_, j) =>
        Float64Array.from({ length: long }, (_, i) => data[at(i, j)]!),
      );
      orthonormalize(columns);
      const scale = Math.fround(gain);
      columns.forEach((column, j) =>
        column.forEach((value, i) => (data[at(i, j)] = Math.fround(value) * scale)),
      );
    },
  },
  sparse: {
    fault: ({ std }, { length }) =>
      length === 2 ? normalFault({ std }) : 'Only tensors with 2 dimensions are supported',
    fill({ generator, data, shape: [rows = 0, cols = 0] }, { sparsity, std }) {
      normal(generator, data, { std });
      const zeros = Math.ceil(sparsity * rows);
      for (let col = 0; col < cols; col++) {
        for (const row of randperm(generator, rows).subarray(0, zeros)) data[row * cols + col] = 0;
      }
    },
  },
};

/**
 * Makes of k columns of length m >= k the Q of their QR factorisation whose R has no negative diagonal, in place, by
 * Householder's reflections. That Q is unique where the columns are independent, whatever signs a library chooses.
 */
function orthonormalize(columns: Float64Array[]): void {
  const k = columns.length;
  const signs = new Float64Array(k);
  const reflectors: Float64Array[] = [];
  columns.forEach((column, j) => {
    const v = column.slice(j);
    const length = Math.sqrt(dot(v, v));
    // R's diagonal gets the sign opposite to the column's first element, which then cancels nothing.
    signs[j] = length === 0 ? 0 : v[0]! > 0 ? -1 : 1;
    v[0]! -= signs[j] * length;
    reflectors.push(v);
    for (let right = j + 1; right < k; right++) reflect(columns[right]!.subarray(j), v);
  });
  columns.forEach((column, j) => {
    column.fill(0);
    column[j] = 1;
    for (let r = j; r >= 0; r--) reflect(column.subarray(r), reflectors[r]!);
    for (let i = 0; i < column.length; i++) column[i]! *= signs[j]!;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** x -= 2 v (v·x) / (v·v) */
function reflect(x: Float64Array, v: Float64Array): void {
  const square = dot(v, v);
  if (square === 0) return;
  const scale = (2 * dot(v, x)) / square;
  for (let i = 0; i < x.length; i++) x[i]! -= scale * v[i]!;
}
