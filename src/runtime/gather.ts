// Writes rows of columns side by side into one tensor: all rows, a range of them, or those of a list, in its order. Values are converted
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

/** `count` rows, each `step` (1, unless it says otherwise) behind the one before. */
export interface RowRange {
  readonly from: number;
  readonly count: number;
  readonly step?: number;
}

export interface GatherOrder {
  /** All of as many rows; each row of the target has theirs one after another. */
  readonly columns: readonly PlacedColumn[];
  /** Room for as many rows as are asked for. */
  readonly target: { readonly segment: number; readonly address: number; readonly dtype: DType };
  /** Absent: all, in order. */
  readonly rows?: RowList | RowRange;
}

/** Of one row, in elements. */
const widthOf = ({ shape }: PlacedColumn): number => numel(shape.slice(1));

/** Throws ValueError for a row that is not there, and for a value that the target's dtype does not have. */
export function gatherRows(memoryOf: (segment: number) => WebAssembly.Memory, order: GatherOrder): void {
  const { columns, target } = order;
  const rows = rowsOf(order);
  const pitch = columns.reduce((sum, column) => sum + widthOf(column), 0);
  const out = viewAt(memoryOf(target.segment), target.address, rows.count * pitch, target.dtype);
  let offset = 0;
  for (const column of columns) {
    const { segment, address, shape, dtype } = column;
    const source = viewAt(memoryOf(segment), address, numel(shape), dtype);
    const band: Band = { column, width: widthOf(column), out, offset, pitch, rows };
    if (dtype === target.dtype) copy(source, band);
    else convert(source, band);
    offset += band.width;
  }
}

interface Rows extends Required<RowRange> {
  readonly list: RowList | undefined;
}

/** The rows, all of them there. */
function rowsOf({ columns, rows }: GatherOrder): Rows {
  const all = columns[0]!.shape[0]!;
  const check = (row: number): void => {
    const isThere = Number.isInteger(row) && row >= 0 && row < all;
    if (!isThere) throw new ValueError(`there is no row ${row} of ${all}`);
  };
  if (rows === undefined) return { list: undefined, from: 0, count: all, step: 1 };
  if ('length' in rows) {
    for (const row of rows) check(row);
    return { list: rows, from: 0, count: rows.length, step: 1 };
  }
  const { from, count, step = 1 } = rows;
  if (count > 0) for (const row of [from, from + (count - 1) * step]) check(row);
  return { list: undefined, from, count, step };
}

const rowAt = ({ list, from, step }: Rows, i: number): number => (list ? list[i]! : from + i * step);

/** A column's place in the target: row i from out[i · pitch + offset] on. */
interface Band {
  readonly column: PlacedColumn;
  readonly width: number;
  readonly out: TensorData;
  readonly offset: number;
  readonly pitch: number;
  readonly rows: Rows;
}

/** Narrower rows are copied element by element: a view of each would cost more. */
const LEAST_VIEW = 32;

function copy(source: TensorData, { width, out, offset, pitch, rows }: Band): void {
  const [from, to] = [source as Float32Array, out as Float32Array];
  const { list, count, step } = rows;
  if (!list && step === 1 && width === pitch) {
    to.set(from.subarray(rows.from * width, (rows.from + count) * width));
    return;
  }
  for (let i = 0; i < count; i++) {
    const [first, at] = [rowAt(rows, i) * width, i * pitch + offset];
    if (width >= LEAST_VIEW) to.set(from.subarray(first, first + width), at);
    else for (let j = 0; j < width; j++) to[at + j] = from[first + j]!;
  }
}

function convert(source: TensorData, { column, width, out, offset, pitch, rows }: Band): void {
  const dtype = dtypeOf(out);
  const { lacks, write } = CONVERSIONS[dtype];
  for (let i = 0; i < rows.count; i++) {
    const row = rowAt(rows, i);
    for (let j = 0; j < width; j++) {
      const x = Number(source[row * width + j]);
      if (lacks(x)) {
        throw new ValueError(`column ${JSON.stringify(column.name)}, row ${row}: ${x} is no ${dtype}`);
      }
      write(out, i * pitch + offset + j, x);
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
