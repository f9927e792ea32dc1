// What the ops of attention share: where each head's rows lie in the projections, and the room that they take.

import { ShapeError, type Operand } from './op.js';

const BYTES = 4;

export interface AttentionAttributes {
  readonly heads: number;
  /** [batch, steps, ...] in place of [steps, batch, ...] */
  readonly batchFirst: boolean;
}

/** The rows of one of the projections. */
export interface Rows {
  /** Of each row of the batch and head: bytes from the tensor's beginning. */
  begin(batch: number, head: number): number;
  /** From one step to the next one: elements. */
  readonly stride: number;
}

export interface Heads {
  readonly batch: number;
  readonly heads: number;
  /** Of the queries, and of the keys and values. */
  readonly steps: number;
  readonly keys: number;
  /** Elements of a head, and of all of them. */
  readonly d: number;
  readonly embed: number;
  readonly scale: number;
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
}

/** Of [q | k | v] in one tensor, or of the three in theirs. */
export function headsOf(
  inputs: readonly (Operand | null)[],
  { heads, batchFirst }: AttentionAttributes,
): Heads {
  const [q, k, v] = inputs as [Operand, Operand?, Operand?];
  const [stepDim, batchDim] = batchFirst ? [1, 0] : [0, 1];
  const steps = q.shape[stepDim]!;
  const batch = q.shape[batchDim]!;
  const width = q.shape[2]!;
  const embed = k ? width : width / 3;
  const d = embed / heads;
  if (!Number.isInteger(d)) throw new ShapeError(`${width} columns are not those of ${heads} heads`);
  const keys = k ? k.shape[stepDim]! : steps;
  const rows = (count: number, wide: number, column: number): Rows =>
    rowsOf({ count, batch, wide, batchFirst }, d, column);
  return {
    ...{ batch, heads, steps, keys, d, embed },
    scale: Math.sqrt(1 / d),
    q: rows(steps, width, 0),
    k: rows(keys, k ? embed : width, k ? 0 : embed),
    v: rows(keys, v ? embed : width, v ? 0 : 2 * embed),
  };
}

interface Tensor {
  readonly count: number;
  readonly batch: number;
  /** Elements of a row. */
  readonly wide: number;
  readonly batchFirst: boolean;
}

/** The heads' rows in a tensor, from a column on. */
export function rowsOf({ count, batch, wide, batchFirst }: Tensor, d: number, column: number): Rows {
  const perBatch = batchFirst ? count * wide : wide;
  return {
    begin: (row, head) => BYTES * (row * perBatch + column + head * d),
    stride: batchFirst ? wide : batch * wide,
  };
}
