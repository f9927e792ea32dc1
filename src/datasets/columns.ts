// What columns must be to make a data set: names, and one number of rows. All that is wrong is told at once.

import { ApiError, type Fault } from '../errors.js';
import { MAX_COLUMNS, type ColumnOutline } from '../tensor/column-file.js';
import { listed } from '../tensor/shape.js';

const MAX_NAME_LENGTH = 256;

/** Before they are looked at. Throws DATASET_INVALID. */
export function checkColumnCount(count: number): void {
  if (count <= MAX_COLUMNS) return;
  const fault = { path: 'columns', message: `are ${count}; ${MAX_COLUMNS} are the most` };
  throw new ApiError('DATASET_INVALID', [], [fault]);
}

/** Throws DATASET_INVALID. */
export function checkColumns(columns: readonly ColumnOutline[]): void {
  const faults: Fault[] = [];
  const names = new Set<string>();
  const first = columns.find(({ shape }) => shape.length > 0);
  const fault = (path: string, message: string): void => void faults.push({ path, message });
  if (columns.length === 0) fault('columns', 'there are none');
  for (const [i, { name, shape }] of columns.entries()) {
    const path = columnPath(name);
    if (name === '') fault(`columns[${i}]`, 'has no name');
    else if (name.length > MAX_NAME_LENGTH) {
      fault(`columns[${i}]`, `has a name of ${name.length} characters; ${MAX_NAME_LENGTH} are the most`);
    } else if (names.has(name)) fault(path, 'is there twice');
    names.add(name);
    if (shape.length === 0) fault(path, 'is a scalar: a column has rows, its dimension 0');
    else if (shape[0] !== first!.shape[0]) {
      fault(
        path,
        `has ${shape[0]!} rows (${listed(shape)}), ${columnPath(first!.name)} has ${first!.shape[0]!}`,
      );
    }
  }
  if (first?.shape[0] === 0) fault('columns', 'have no rows');
  if (faults.length > 0) throw new ApiError('DATASET_INVALID', [], faults);
}

/** Where a column stands in a request. */
export function columnPath(name: string): string {
  return `columns.${name.slice(0, MAX_NAME_LENGTH)}`;
}
