// What the ops of recurrent layers share: how a sequence lies in memory, and which rows of it a part walks.

import type { Operand } from './op.js';
import { ranges } from './parts.js';

/** Gates of hidden_size units that each cell has. */
const GATES = { rnn_tanh: 1, rnn_relu: 1, lstm: 4, gru: 3 } as const;
export type Cell = keyof typeof GATES;
/** As the kernel counts them. */
export const CELLS: readonly Cell[] = ['rnn_tanh', 'rnn_relu', 'lstm', 'gru'];

export interface RecurrenceAttributes {
  readonly cell: Cell;
  /** [batch, steps, ...] in place of [steps, batch, ...] */
  readonly batchFirst: boolean;
  /** From the last step to the first. */
  readonly reverse: boolean;
}

export interface Sequence {
  readonly steps: number;
  readonly batch: number;
  /** Units of the state, and elements of all gates together. */
  readonly n: number;
  readonly width: number;
}

export function gatesOf(cell: Cell): number {
  return GATES[cell];
}

/** Of the gates' inputs, [steps, batch, width] or [batch, steps, width]. */
export function sequenceOf({ shape }: Operand, { cell, batchFirst }: RecurrenceAttributes): Sequence {
  const [first, second, width] = shape as [number, number, number];
  const [batch, steps] = batchFirst ? [first, second] : [second, first];
  return { steps, batch, n: width / GATES[cell], width };
}

/** Rows that read the weight together: fewer would wait for it. */
export const ROW_UNIT = 8;

/** The rows that the largest of so many parts has. */
export function rowsOfPart(batch: number, parts: number): number {
  return Math.min(batch, Math.ceil(batch / ROW_UNIT / parts) * ROW_UNIT);
}

/** The rows of the batch that one part walks through all steps. */
export interface Walk extends Sequence {
  readonly count: number;
  /** The part's first row at the first step, in rows of a tensor. */
  readonly from: number;
  /** From one row of the part to the next, and from one step to the next; in rows of a tensor. */
  readonly stride: number;
  readonly stepStride: number;
  /** The part's first row at each step of the walk. */
  readonly at: (step: number) => number;
}

export function walksOf(
  of: Sequence,
  { batchFirst, reverse }: RecurrenceAttributes,
  parts: number,
): readonly Walk[] {
  const { steps, batch } = of;
  const [stride, stepStride] = batchFirst ? [steps, 1] : [1, batch];
  return ranges(batch, parts, ROW_UNIT).map(({ from, count }) => ({
    ...of,
    count,
    from: from * stride,
    stride,
    stepStride,
    at: (step) => from * stride + (reverse ? steps - 1 - step : step) * stepStride,
  }));
}
