// The columns of a data set in shared memory, in one region. They are never written to once they are filled, and stay as
// long as somebody holds them: the registry, or a job that reads a data set which was deleted meanwhile.

import type { PlacedColumn } from '../runtime/gather.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import type { ColumnOutline } from '../tensor/column-file.js';
import { byteLength } from '../tensor/shape.js';

const roomOf = ({ shape, dtype }: ColumnOutline): number =>
  Math.ceil(byteLength(shape, dtype) / ALIGNMENT) * ALIGNMENT;

/** The memory that columns take; throws SizeError where that is more than any has. */
export function tableBytes(columns: readonly ColumnOutline[]): number {
  return byteLength([columns.reduce((sum, column) => sum + roomOf(column), 0)], 'bool');
}

export class Table {
  readonly region: Region;
  readonly rows: number;
  /** Of the elements. */
  readonly bytes: number;
  readonly columns: ReadonlyMap<string, PlacedColumn>;
  private readonly memory: SharedMemory;
  private readonly onFree: () => void;
  private holders = 1;

  /** Held once, by its maker; the columns have no values yet. Throws QuotaError. */
  constructor(memory: SharedMemory, columns: readonly ColumnOutline[], onFree: () => void) {
    this.memory = memory;
    this.region = memory.allocate(tableBytes(columns));
    this.onFree = onFree;
    this.rows = columns[0]!.shape[0]!;
    this.bytes = columns.reduce((sum, { shape, dtype }) => sum + byteLength(shape, dtype), 0);
    const { segment } = this.region;
    let { address } = this.region;
    const placed = new Map<string, PlacedColumn>();
    for (const column of columns) {
      placed.set(column.name, { ...column, segment, address });
      address += roomOf(column);
    }
    this.columns = placed;
  }

  hold(): void {
    this.holders++;
  }

  release(): void {
    if (--this.holders > 0) return;
    this.memory.release(this.region);
    this.onFree();
  }
}
