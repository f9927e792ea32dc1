// Values of a data set for an answer: some rows of some columns.

import { HeldTensor, heldOrCopied } from '../runtime/held-tensor.js';
import type { PlacedColumn } from '../runtime/gather.js';
import { viewOf } from '../tensor/client-index.js';
import { DTYPES } from '../tensor/dtype.js';
import { byteLength, contiguousStrides, numel } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { gather, isContiguous, type View } from '../tensor/view.js';
import { unknownColumns } from './select.js';
import type { Workplace } from './source.js';
import type { Table } from './table.js';

export interface ReadRequest {
  /** Python's index of one dimension; absent: all rows. */
  readonly rows?: string | undefined;
  /** Each one name, or names with commas between; absent: all columns. */
  readonly columns?: readonly string[] | undefined;
}

/** What a worker's call is worth: fewer bytes are put together here. */
const LEAST_GATHERED_BYTES = 65_536;

/**
 * undefined where the request asks for none. Throws COLUMN_UNKNOWN, INDEX_INVALID or INDEX_OUT_OF_RANGE, and QuotaError
 * where rows that do not stand together have no room. What is held is let go by whoever gets it.
 */
export async function readValues(
  workplace: Workplace,
  { name, table }: { name: string; table: Table },
  { rows, columns }: ReadRequest,
): Promise<Record<string, TensorValue> | undefined> {
  if (rows === undefined && columns === undefined) return undefined;
  const names = columns?.flatMap((text) => (table.columns.has(text) ? [text] : text.split(','))) ?? [
    ...table.columns.keys(),
  ];
  const unknown = names.filter((column) => !table.columns.has(column));
  if (unknown.length > 0) throw unknownColumns(unknown, name, table);
  const part = viewOf([table.rows], rows ?? ':', 'query.rows');
  const values = new Map<string, TensorValue>();
  table.hold();
  try {
    for (const column of new Set(names)) {
      values.set(column, await read(workplace, { table, column: table.columns.get(column)!, part }));
    }
  } catch (error) {
    for (const value of values.values()) if (value instanceof HeldTensor) value.release();
    throw error;
  } finally {
    table.release();
  }
  // A key is set as it is, whatever the name.
  return Object.fromEntries(values);
}

interface Reading {
  readonly table: Table;
  readonly column: PlacedColumn;
  /** Of its rows. */
  readonly part: View;
}

/** What stands together is held in its place, what does not is put together: by a worker, where it is much. */
async function read({ memory, pool }: Workplace, { table, column, part }: Reading): Promise<TensorValue> {
  const { segment, address, shape, dtype } = column;
  const view = rowsOf(column, part);
  if (isContiguous(view)) {
    const from = address + view.offset * DTYPES[dtype].bytes;
    return heldOrCopied(memory, table.region, { address: from, shape: view.shape, dtype });
  }
  const bytes = byteLength(view.shape, dtype);
  if (bytes < LEAST_GATHERED_BYTES) return gather(memory.view(segment, address, shape, dtype), view);
  const region = memory.allocate(bytes);
  const placed = { address: region.address, shape: view.shape, dtype };
  try {
    const rows = { from: part.offset, count: part.shape[0]!, step: part.strides[0]! };
    await pool.call('gatherRows', {
      columns: [column],
      target: { segment: region.segment, ...placed },
      rows,
    });
  } catch (error) {
    memory.release(region);
    throw error;
  }
  return new HeldTensor(memory, region, placed);
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
