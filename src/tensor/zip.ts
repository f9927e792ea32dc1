// Reads zip archives that stand in memory: their directory, and one entry at a time. No entry becomes longer than the
// directory says, so that its reader knows all sizes before memory is taken; each entry's checksum is compared.
// Neither encrypted nor zip64: a body is not that long. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

import { constants, crc32, inflateRawSync } from 'node:zlib';
import { shown, TensorError } from './fault.js';

export interface ZipEntry {
  readonly name: string;
  /** Its bytes in the archive, as they are packed there. */
  readonly from: number;
  readonly to: number;
  readonly deflated: boolean;
  /** Its length unpacked. */
  readonly bytes: number;
  readonly crc: number;
}

const END = { signature: 0x06054b50, bytes: 22, maxComment: 65_535 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;
/** Stands for a number that does not fit. */
const ZIP64 = 0xffffffff;

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

function refuse(path: string, message: string): never {
  throw new TensorError([{ path, message }]);
}

/** The archive's files, at most `maxEntries`. Throws TensorError. */
export function readZipDirectory(
  archive: Uint8Array,
  { path, maxEntries }: { path: string; maxEntries: number },
): ZipEntry[] {
  const view = viewOf(archive);
  const end = findEnd(view) ?? refuse(path, 'is no zip archive, or ends too early');
  const count = view.getUint16(end + 10, true);
  if (count > maxEntries) refuse(path, `has ${count} entries; ${maxEntries} are the most`);
  const names = new Set<string>();
  const entries: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL.bytes > end || view.getUint32(at, true) !== CENTRAL.signature) {
      refuse(path, `has no entry ${i} of the ${count} that its directory is to have`);
    }
    const nameEnd = at + CENTRAL.bytes + view.getUint16(at + 28, true);
    const next = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) refuse(path, 'has a directory that ends too early');
    const name = textOf(archive.subarray(at + CENTRAL.bytes, nameEnd));
    if (names.has(name)) refuse(path, `has two entries ${shown(name)}`);
    names.add(name);
    entries.push(entryAt(view, at, { name, path, end }));
    at = next;
  }
  return entries;
}

/** Behind the directory's end there is nothing but a comment, whose length it says. */
function findEnd(view: DataView): number | undefined {
  const first = Math.max(0, view.byteLength - END.bytes - END.maxComment);
  for (let at = view.byteLength - END.bytes; at >= first; at--) {
    if (view.getUint32(at, true) !== END.signature) continue;
    if (at + END.bytes + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
}

function entryAt(
  view: DataView,
  at: number,
  { name, path, end }: { name: string; path: string; end: number },
): ZipEntry {
  const own = `${path}: ${shown(name)}`;
  const method = view.getUint16(at + 10, true);
  const packed = view.getUint32(at + 20, true);
  const bytes = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  if (view.getUint16(at + 8, true) & ENCRYPTED) refuse(own, 'is encrypted');
  if (method !== STORED && method !== DEFLATED) {
    refuse(own, `is packed by method ${method}; ${STORED} (stored) and ${DEFLATED} (deflated) are read`);
  }
  if ([packed, bytes, local].includes(ZIP64)) refuse(own, 'is of a zip64 archive, which is not read');
  if (local + LOCAL.bytes > end || view.getUint32(local, true) !== LOCAL.signature) {
    refuse(own, 'is not where the directory says');
  }
  const from = local + LOCAL.bytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const to = from + packed;
  if (to > end || (method === STORED && packed !== bytes))
    refuse(own, 'has another length than the directory says');
  return { name, from, to, deflated: method === DEFLATED, bytes, crc: view.getUint32(at + 16, true) };
}

/** Packed bytes of a head, at first and at most: deflate makes up to a thousand bytes of each. */
const HEAD_BYTES = { first: 256, most: 16_384, growth: 8 };

/** As much of an entry's beginning as `isEnough` wants, or as there is. Throws TensorError. */
export function readEntryHead(
  archive: Uint8Array,
  entry: ZipEntry,
  isEnough: (head: Uint8Array) => boolean,
): Uint8Array {
  const { from, to, deflated } = entry;
  for (let bytes = HEAD_BYTES.first; ; bytes *= HEAD_BYTES.growth) {
    const packed = archive.subarray(from, Math.min(to, from + bytes));
    const head = deflated ? inflate(entry, packed, bytes * 1100, constants.Z_SYNC_FLUSH) : packed;
    if (isEnough(head) || bytes >= HEAD_BYTES.most) return head;
  }
}

/** All of an entry. Throws TensorError where it does not unpack to what the directory says. */
export function readEntry(archive: Uint8Array, entry: ZipEntry): Uint8Array {
  const { from, to, deflated, name, bytes, crc } = entry;
  const packed = archive.subarray(from, to);
  const whole = deflated ? inflate(entry, packed, Math.max(1, bytes), constants.Z_FINISH) : packed;
  if (whole.length !== bytes)
    refuse(shown(name), `has ${whole.length} bytes where the directory says ${bytes}`);
  if (crc32(whole) !== crc) refuse(shown(name), 'does not have the checksum that the directory says');
  return whole;
}

function inflate(
  { name }: ZipEntry,
  packed: Uint8Array,
  maxOutputLength: number,
  finishFlush: number,
): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength, finishFlush });
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return refuse(shown(name), tooLong ? 'is longer than the directory says' : 'does not unpack');
  }
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('utf8');
}
