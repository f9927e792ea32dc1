// Binary frames of the stream: the length of a header (u32, little-endian), the header as UTF-8 JSON, zeros up to a
// multiple of 8 bytes, then a tensor's numbers: row-major, little-endian, as many as the header's shape says.

import { ApiError } from '../errors.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { RawTensor } from '../tensor/raw-tensor.js';
import { byteLength, listed, type Shape } from '../tensor/shape.js';
import type { TensorData, TensorValue } from '../tensor/tensor-value.js';

const LENGTH_BYTES = 4;
/** Of a character, at most. */
const UTF8_BYTES = 3;
const NOTHING = new Uint8Array();
/** Of the frame's beginning, wherever that stands in memory. */
const ALIGNMENT = 8;

export interface Frame {
  /** Parsed, not checked. */
  readonly header: unknown;
  readonly data: Uint8Array;
}

/** Throws INVALID_REQUEST or INVALID_JSON. */
export function readFrame(bytes: Buffer): Frame {
  if (bytes.length < LENGTH_BYTES) {
    throw fault('', `a binary frame begins with the length of its header; it has ${bytes.length} bytes`);
  }
  const end = LENGTH_BYTES + bytes.readUInt32LE(0);
  if (end > bytes.length) {
    const rest = bytes.length - LENGTH_BYTES;
    throw fault('', `the header should have ${end - LENGTH_BYTES} bytes, and ${rest} follow`);
  }
  const header = parseHeader(bytes.toString('utf8', LENGTH_BYTES, end));
  // A header without data need not be padded.
  return { header, data: bytes.subarray(Math.min(aligned(end), bytes.length)) };
}

/** The tensor of a frame; a view, where its numbers stand where a typed array can. Throws INVALID_REQUEST. */
export function frameTensor(data: Uint8Array, { shape, dtype }: { shape: Shape; dtype: DType }): RawTensor {
  const bytes = byteLength(shape, dtype);
  if (data.length !== bytes) {
    throw fault('', `${data.length} bytes follow the header, where ${dtype} ${listed(shape)} has ${bytes}`);
  }
  return new RawTensor(dtype, shape, view(data, dtype));
}

/** The beginning of a frame, up to its data. */
export function frameHead(header: string): Buffer {
  const room = Buffer.allocUnsafe(frameBytes(header, NOTHING));
  return room.subarray(0, writeFrame(room, 0, { header, data: NOTHING }));
}

/** The most bytes that a frame can have. */
export function frameBytes(header: string, data: Uint8Array): number {
  return aligned(LENGTH_BYTES + UTF8_BYTES * header.length) + data.length;
}

/** Writes a frame from `target[at]` on; answers its length. */
export function writeFrame(
  target: Buffer,
  at: number,
  { header, data }: { readonly header: string; readonly data: Uint8Array },
): number {
  const length = target.write(header, at + LENGTH_BYTES);
  target.writeUInt32LE(length, at);
  const begin = aligned(LENGTH_BYTES + length);
  target.fill(0, at + LENGTH_BYTES + length, at + begin);
  target.set(data, at + begin);
  return begin + data.length;
}

/** A tensor's own memory. */
export function frameData({ data }: TensorValue): Uint8Array {
  return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

const aligned = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

const ARRAYS = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, bool: Uint8Array } as const;

function view(data: Uint8Array, dtype: DType): TensorData {
  const { bytes } = DTYPES[dtype];
  const { buffer, byteOffset, length } = data.byteOffset % bytes === 0 ? data : new Uint8Array(data);
  return new ARRAYS[dtype](buffer as ArrayBuffer, byteOffset, length / bytes);
}

function parseHeader(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError('INVALID_JSON', [], [{ path: '', message: (error as Error).message }]);
  }
}

function fault(path: string, message: string): ApiError {
  return new ApiError('INVALID_REQUEST', [], [{ path, message }]);
}
