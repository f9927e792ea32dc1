// Writes rows of columns side by side into one tensor: all rows, or those of a list, in its order. Values are converted
// to the dtype that the reader wants, and refused where that has no place for them.

import { ValueError } from '../graph/op.js';
import type { DType } from '../tensor/dtype.js';
import { numel } from '../tensor/shape.js';
import { dtypeOf, type TensorData } from '../tensor/tensor-value.js';
import { viewAt } from './memory-view.js';
import type { Placed } from './protocol.js';

/** A tensor of [rows, ...] somewhere in memory. */
export interface PlacedColumn extends Placed {
  readonly name: string;
  readonly segment: number;
}

/** From 0, each as often as it is named. */
export type RowList = readonly number[] | Int32Array | Uint32Array;

export interface GatherOrder {
  /** All of as many rows; each row of the target has theirs one after another. */
  readonly columns: readonly PlacedColumn[];
  /** Room for as many rows as are asked for. */
  readonly target: { readonly segment: number; readonly address: number; readonly dtype: DType };
  /** Absent: all, in order. */
  readonly rows?: RowList;
}

/** Of one row, in elements. */
const widthOf = ({ shape }: PlacedColumn): number => numel(shape.slice(1));

/** Throws ValueError for a row that is not there, and for a value that the target's dtype does not have. */
export function gatherRows(memoryOf: (segment: number) => WebAssembly.Memory, order: GatherOrder): void {
  const { columns, target, rows } = order;
  const count = rows?.length ?? columns[0]!.shape[0]!;
  const width = columns.reduce((sum, column) => sum + widthOf(column), 0);
  const out = viewAt(memoryOf(target.segment), target.address, count * width, target.dtype);
  if (rows) checkRows(rows, columns[0]!.shape[0]!);
  let offset = 0;
  for (const column of columns) {
    const { segment, address, shape, dtype } = column;
    const source = viewAt(memoryOf(segment), address, numel(shape), dtype);
    const stretch: Stretch = { column, width: widthOf(column), out, offset, step: width, count, rows };
    if (dtype === target.dtype) copy(source, stretch);
    else convert(source, stretch);
    offset += stretch.width;
  }
}

function checkRows(rows: RowList, all: number): void {
  for (const row of rows) {
    if (!Number.isInteger(row) || row < 0 || row >= all)
      throw new ValueError(`there is no row ${row} of ${all}`);
  }
}

/** A column's place in the target: row r from out[r · step + offset] on. */
interface Stretch {
  readonly column: PlacedColumn;
  readonly width: number;
  readonly out: TensorData;
  readonly offset: number;
  readonly step: number;
  readonly count: number;
  readonly rows: RowList | undefined;
}

function copy(source: TensorData, { width, out, offset, step, count, rows }: Stretch): void {
  if (!rows && width === step) return (out as Float32Array).set(source as Float32Array);
  if (width === 1) {
    for (let r = 0, at = offset; r < count; r++, at += step) out[at] = source[rows ? rows[r]! : r]!;
    return;
  }
  for (let r = 0, at = offset; r < count; r++, at += step) {
    const from = (rows ? rows[r]! : r) * width;
    (out as Float32Array).set((source as Float32Array).subarray(from, from + width), at);
  }
}

function convert(source: TensorData, { column, width, out, offset, step, count, rows }: Stretch): void {
  const { lacks, write } = CONVERSIONS[dtypeOf(out)];
  for (let r = 0; r < count; r++) {
    const row = rows ? rows[r]! : r;
    for (let i = 0; i < width; i++) {
      const x = Number(source[row * width + i]);
      if (lacks(x)) {
        const dtype = dtypeOf(out);
        throw new ValueError(`column ${JSON.stringify(column.name)}, row ${row}: ${x} is no ${dtype}`);
      }
      write(out, r * step + offset + i, x);
    }
  }
}

interface Conversion {
  /** Whether the dtype does not have this number. */
  readonly lacks: (x: number) => boolean;
  readonly write: (out: TensorData, at: number, x: number) => void;
}

const writeNumber: Conversion['write'] = (out, at, x) => void (out[at] = x);

/** float32 takes the nearest number, as Tensor.float() does; the others only what they have. */
const CONVERSIONS: Readonly<Record<DType, Conversion>> = {
  float32: { lacks: () => false, write: writeNumber },
  int64: {
    lacks: (x) => !Number.isInteger(x) || x < -(2 ** 63) || x >= 2 ** 63,
    write: (out, at, x) => void ((out as BigInt64Array)[at] = BigInt(x)),
  },
  int32: { lacks: (x) => x !== (x | 0), write: writeNumber },
  bool: { lacks: (x) => x !== 0 && x !== 1, write: writeNumber },
};
