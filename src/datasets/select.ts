// What a job reads of a data set: columns by name, side by side as the rows of its inputs and of its targets.
// A selection holds the values as they are: the data set may be replaced or deleted meanwhile.

import { ApiError, type Fault } from '../errors.js';
import { nearest } from '../nearest.js';
import type { PlacedColumn } from '../runtime/gather.js';
import type { DType } from '../tensor/dtype.js';
import { listed, sameShape, type Shape } from '../tensor/shape.js';
import type { Table } from './table.js';

/** Looking for what was meant takes time. */
const MAX_FAULTS = 20;

/** One column as it is, or several side by side. */
export type ColumnNames = string | readonly string[];
/** For what takes several tensors: columns by their names. */
export type NamedColumns = Readonly<Record<string, ColumnNames>>;

export interface SelectRequest {
  readonly dataset: string;
  readonly inputs: ColumnNames | NamedColumns;
  readonly targets?: ColumnNames | NamedColumns | undefined;
}

/** A tensor that is yet to be written: see the call `gatherRows`, which takes these columns. */
export class Selected {
  /** [rows, ...] */
  readonly shape: Shape;
  /** Which all columns have; float32 where they differ. */
  readonly dtype: DType;
  readonly columns: readonly PlacedColumn[];

  constructor(shape: Shape, dtype: DType, columns: readonly PlacedColumn[]) {
    this.shape = shape;
    this.dtype = dtype;
    this.columns = columns;
  }
}

export type SelectedTensors = Selected | Readonly<Record<string, Selected>>;

export interface Selection {
  readonly inputs: SelectedTensors;
  readonly targets: SelectedTensors | undefined;
  readonly rows: number;
  /** To be called once: the values may go. */
  release(): void;
}

/** Throws COLUMN_UNKNOWN, or INVALID_REQUEST where columns do not stand side by side. */
export function selectColumns(table: Table, { dataset, inputs, targets }: SelectRequest): Selection {
  const named = [inputs, targets ?? []].flatMap((names) =>
    isNamed(names) ? Object.values(names).flat() : names,
  );
  const unknown = named.filter((name) => !table.columns.has(name));
  if (unknown.length > 0) throw unknownColumns(unknown, dataset, table);
  const selection = {
    inputs: selectedTensors(table, inputs, 'inputs'),
    targets: targets === undefined ? undefined : selectedTensors(table, targets, 'targets'),
    rows: table.rows,
  };
  table.hold();
  return { ...selection, release: () => table.release() };
}

export function unknownColumns(names: readonly string[], dataset: string, { columns }: Table): ApiError {
  const faults = names.slice(0, MAX_FAULTS).map((path): Fault => {
    const near = nearest(path, columns.keys());
    return { path, message: near === undefined ? 'is none of its columns' : `did you mean ${quoted(near)}?` };
  });
  return new ApiError('COLUMN_UNKNOWN', [quoted(dataset), quoted(names[0]!)], faults);
}

const isNamed = (names: ColumnNames | NamedColumns): names is NamedColumns =>
  typeof names === 'object' && !Array.isArray(names);

function selectedTensors(table: Table, names: ColumnNames | NamedColumns, path: string): SelectedTensors {
  if (!isNamed(names)) return selected(table, names, path);
  const tensors = Object.entries(names).map(([name, own]) => [name, selected(table, own, `${path}.${name}`)]);
  return Object.fromEntries(tensors) as Record<string, Selected>;
}

/** Of columns of [rows] a tensor of [rows, k]; of [rows, a, ...] and [rows, b, ...] one of [rows, a + b, ...]. */
function selected(table: Table, names: ColumnNames, path: string): Selected {
  const columns = [names].flat().map((name) => table.columns.get(name)!);
  const [first] = columns;
  if (!first) throw new ApiError('INVALID_REQUEST', [], [{ path, message: 'names no column' }]);
  if (typeof names === 'string') return new Selected(first.shape, first.dtype, columns);
  const faults: Fault[] = [];
  const [, , ...rest] = first.shape;
  for (const [i, { name, shape }] of columns.entries()) {
    if (sameShape(shape.slice(2), rest)) continue;
    const message = `${quoted(name)} of ${listed(shape)} does not stand beside ${quoted(first.name)} of ${listed(first.shape)}`;
    faults.push({ path: `${path}[${i}]`, message });
  }
  if (faults.length > 0) throw new ApiError('INVALID_REQUEST', [], faults);
  const width = columns.reduce((sum, { shape }) => sum + (shape[1] ?? 1), 0);
  const dtype = columns.every((column) => column.dtype === first.dtype) ? first.dtype : 'float32';
  return new Selected([table.rows, width, ...rest], dtype, columns);
}

/** A client's name in a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 80));
}
