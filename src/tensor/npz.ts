// numpy's .npz files: zip archives of .npy files, one for each array by its name.

import { shown, TensorError } from './fault.js';
import { checkNpyLength, hasNpyHeader, readNpyHeader, writeNpyElements, type NpyOutline } from './npy.js';
import type { TensorData } from './tensor-value.js';
import { readEntry, readEntryHead, readZipDirectory, type ZipEntry } from './zip.js';

const SUFFIX = '.npy';

export interface NpzArray {
  readonly name: string;
  readonly npy: NpyOutline;
  readonly entry: ZipEntry;
}

/** The arrays of a file, at most `maxArrays`; of their elements nothing is unpacked. Throws TensorError. */
export function readNpzOutline(
  file: Uint8Array,
  { path, maxArrays }: { path: string; maxArrays: number },
): NpzArray[] {
  return readZipDirectory(file, { path, maxEntries: maxArrays }).map((entry) => {
    const own = `${path}: ${shown(entry.name)}`;
    if (!entry.name.endsWith(SUFFIX)) throw new TensorError([{ path: own, message: 'is no .npy file' }]);
    const npy = readNpyHeader(readEntryHead(file, entry, hasNpyHeader), own);
    checkNpyLength(npy, entry.bytes, own);
    return { name: entry.name.slice(0, -SUFFIX.length), npy, entry };
  });
}

/** Writes one array's elements into memory of its dtype, row-major. Throws TensorError where the file is damaged. */
export function writeNpzArray(
  file: Uint8Array,
  { npy, entry }: Omit<NpzArray, 'name'>,
  target: TensorData,
): void {
  writeNpyElements(npy, readEntry(file, entry).subarray(npy.offset), target);
}
