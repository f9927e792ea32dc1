// Files that are columns of one length: what each kind has in it, and how its columns are written into memory.
// The bytes stand in memory already; sizes are told, and checked by who asks, before memory for columns is taken.

import { readCsvOutline, writeCsvPart, type CsvPart } from './csv.js';
import type { DType } from './dtype.js';
import { TensorError } from './fault.js';
import { checkNpyLength, readNpyHeader, writeNpyElements, type NpyOutline } from './npy.js';
import { readNpzOutline, writeNpzArray } from './npz.js';
import type { Shape } from './shape.js';
import type { TensorData } from './tensor-value.js';
import type { ZipEntry } from './zip.js';

/** More in one table is a table that lies on its side. */
export const MAX_COLUMNS = 10_000;

/** Of text that is read in one go: 20 ms. */
const CSV_PART_BYTES = 2 ** 20;

/** The only array of an .npy file has no name. */
const NPY_COLUMN = 'data';

export interface ColumnOutline {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What is written in one go, and into which columns. */
export type FilePart =
  | { readonly csv: CsvPart }
  | { readonly npy: NpyOutline }
  | { readonly npz: { readonly npy: NpyOutline; readonly entry: ZipEntry }; readonly column: number };

export interface FileOutline {
  readonly columns: readonly ColumnOutline[];
  readonly parts: readonly FilePart[];
}

/** Where a column's elements go. */
export interface ColumnTarget {
  readonly name: string;
  readonly data: TensorData;
}

interface ColumnFile {
  /** Throws TensorError. */
  readonly outline: (bytes: Uint8Array) => FileOutline;
}

const PATH = 'body';

export const COLUMN_FILES = {
  csv: {
    outline(bytes) {
      const limits = { maxColumns: MAX_COLUMNS, partBytes: CSV_PART_BYTES };
      const { names, rows, parts } = readCsvOutline(bytes, limits);
      return {
        columns: names.map((name) => ({ name, shape: [rows], dtype: 'float32' })),
        parts: parts.map((csv) => ({ csv })),
      };
    },
  },
  npy: {
    outline(bytes) {
      const npy = readNpyHeader(bytes, PATH);
      checkNpyLength(npy, bytes.length, PATH);
      return { columns: [{ name: NPY_COLUMN, shape: npy.shape, dtype: npy.dtype }], parts: [{ npy }] };
    },
  },
  npz: {
    outline(bytes) {
      const arrays = readNpzOutline(bytes, { path: PATH, maxArrays: MAX_COLUMNS });
      return {
        columns: arrays.map(({ name, npy: { shape, dtype } }) => ({ name, shape, dtype })),
        parts: arrays.map(({ npy, entry }, column) => ({ npz: { npy, entry }, column })),
      };
    },
  },
} as const satisfies Record<string, ColumnFile>;

export type FileFormat = keyof typeof COLUMN_FILES;

/** Writes a part of a file. Throws TensorError. */
export function writeFilePart(bytes: Uint8Array, part: FilePart, targets: readonly ColumnTarget[]): void {
  if ('csv' in part) {
    const names = targets.map(({ name }) => name);
    writeCsvPart(bytes, part.csv, { names, targets: targets.map(({ data }) => data as Float32Array) });
  } else if ('npy' in part) writeNpyElements(part.npy, bytes.subarray(part.npy.offset), targets[0]!.data);
  else writeNpzArray(bytes, part.npz, targets[part.column]!.data);
}

/** What a file is refused for, in place of what was asked. */
export interface FileFaults {
  readonly wrong: TensorError['faults'];
}

/** Runs work on a file; what is wrong with the file is an answer, too. */
export function orFaults<T>(work: () => T): T | FileFaults {
  try {
    return work();
  } catch (error) {
    if (error instanceof TensorError) return { wrong: error.faults };
    throw error;
  }
}
