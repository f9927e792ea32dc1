// Where the values of a data set come from: tensors of a JSON body, or a file that stands in shared memory.
// First the outline, then, when memory was taken for it, the values.

import { ApiError, type Fault } from '../errors.js';
import type { PlacedColumn } from '../runtime/gather.js';
import type { SharedMemory } from '../runtime/memory.js';
import type { Pool } from '../runtime/pool.js';
import type { ByteRange } from '../runtime/protocol.js';
import type { ColumnOutline, FileFaults, FileFormat, FilePart } from '../tensor/column-file.js';
import { inspectTensor, TensorError, writeTensor } from '../tensor/json.js';
import { checkColumnCount, columnPath } from './columns.js';

interface DatasetSource {
  /** Throws what is wrong with what came. */
  outline(): Promise<readonly ColumnOutline[]>;
  /** Writes the values of the columns of the outline, in its order; throws as `outline`. */
  fill(columns: readonly PlacedColumn[]): Promise<void>;
}

export interface Workplace {
  readonly memory: SharedMemory;
  readonly pool: Pick<Pool, 'call'>;
}

/** Tensors by name, as a client gave them, or a file. */
export type GivenColumns = Readonly<Record<string, unknown>> | ReceivedFile;

export function sourceOf(given: GivenColumns, workplace: Workplace): DatasetSource {
  if (given instanceof ReceivedFile) return fileSource(given, workplace);
  return tensorSource(new Map(Object.entries(given)), workplace);
}

/** float32, unless they say otherwise. */
function tensorSource(tensors: ReadonlyMap<string, unknown>, { memory }: Workplace): DatasetSource {
  return {
    async outline() {
      checkColumnCount(tensors.size);
      return together(tensors, ([name, value]) => {
        const { shape, dtype = 'float32' } = inspectTensor(value, columnPath(name));
        return { name, shape, dtype };
      });
    },
    async fill(columns) {
      together(columns, ({ name, segment, address, shape, dtype }) =>
        writeTensor(tensors.get(name), memory.view(segment, address, shape, dtype).data, columnPath(name)),
      );
    },
  };
}

/** The results of all; or a TensorError with what is wrong with any. */
function together<T, R>(items: Iterable<T>, work: (item: T) => R): R[] {
  const results: R[] = [];
  const faults: Fault[] = [];
  for (const item of items) {
    try {
      results.push(work(item));
    } catch (error) {
      if (!(error instanceof TensorError)) throw error;
      faults.push(...error.faults);
    }
  }
  if (faults.length > 0) throw new TensorError(faults);
  return results;
}

/** A request's body that is a file. Its bytes are there as long as the request is not answered. */
export class ReceivedFile {
  readonly format: FileFormat;
  readonly segment: number;
  readonly file: ByteRange;

  constructor(format: FileFormat, segment: number, file: ByteRange) {
    this.format = format;
    this.segment = segment;
    this.file = file;
  }
}

/** Workers read it. Part by part, one after another: who waits for a worker meanwhile waits for one part. */
function fileSource({ segment, file, format }: ReceivedFile, { pool }: Workplace): DatasetSource {
  let parts: readonly FilePart[] = [];
  return {
    async outline() {
      const found = await pool.call('outlineFile', { segment, file, format });
      refuseFaults(found);
      parts = found.parts;
      return found.columns;
    },
    async fill(columns) {
      const target = { segment: columns[0]!.segment, columns };
      for (const part of parts)
        refuseFaults(await pool.call('readFilePart', { segment, file, part, target }));
    },
  };
}

function refuseFaults<T extends object>(found: T | FileFaults | null): asserts found is T | null {
  if (found !== null && 'wrong' in found) throw new ApiError('DATASET_INVALID', [], found.wrong);
}
