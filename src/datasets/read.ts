// Values of a data set for an answer: some rows of some columns.

import { heldOrCopied } from '../runtime/held-tensor.js';
import type { PlacedColumn } from '../runtime/gather.js';
import type { SharedMemory } from '../runtime/memory.js';
import { viewOf } from '../tensor/client-index.js';
import { DTYPES } from '../tensor/dtype.js';
import { contiguousStrides, numel } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { gather, isContiguous, type View } from '../tensor/view.js';
import { unknownColumns } from './select.js';
import type { Table } from './table.js';

export interface ReadRequest {
  /** Python's index of one dimension; absent: all rows. */
  readonly rows?: string | undefined;
  /** Each one name, or names with commas between; absent: all columns. */
  readonly columns?: readonly string[] | undefined;
}

/** undefined where the request asks for none. Throws COLUMN_UNKNOWN, INDEX_INVALID or INDEX_OUT_OF_RANGE. */
export function readValues(
  memory: SharedMemory,
  { name, table }: { name: string; table: Table },
  { rows, columns }: ReadRequest,
): Record<string, TensorValue> | undefined {
  if (rows === undefined && columns === undefined) return undefined;
  const names = columns?.flatMap((text) => (table.columns.has(text) ? [text] : text.split(','))) ?? [
    ...table.columns.keys(),
  ];
  const unknown = names.filter((column) => !table.columns.has(column));
  if (unknown.length > 0) throw unknownColumns(unknown, name, table);
  const part = viewOf([table.rows], rows ?? ':', 'query.rows');
  const read = (column: PlacedColumn): TensorValue => {
    const view = rowsOf(column, part);
    const { segment, address, shape, dtype } = column;
    // What does not stand together is copied, what does is held in its place.
    if (!isContiguous(view)) return gather(memory.view(segment, address, shape, dtype), view);
    const from = address + view.offset * DTYPES[dtype].bytes;
    return heldOrCopied(memory, table.region, { address: from, shape: view.shape, dtype });
  };
  // A key is set as it is, whatever the name.
  return Object.fromEntries(names.map((column) => [column, read(table.columns.get(column)!)]));
}

/** Of a whole column what `part` takes of its rows. */
function rowsOf({ shape: [, ...rest] }: PlacedColumn, part: View): View {
  const width = numel(rest);
  return {
    shape: [...part.shape, ...rest],
    strides: [...part.strides.map((stride) => stride * width), ...contiguousStrides(rest)],
    offset: part.offset * width,
  };
}
