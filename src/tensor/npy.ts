// numpy's .npy files (versions 1 to 3): one array, a header in Python's notation before its elements.
// Read are little-endian numbers and bools, in C's or Fortran's order; written are our dtypes, in C's.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import type { DType } from './dtype.js';
import { FaultList, shown, TensorError } from './fault.js';
import { contiguousStrides, listed, numel, collectShape, type Shape } from './shape.js';
import type { TensorData, TensorValue } from './tensor-value.js';
import { forEachRow, wholeView } from './view.js';

type FileArray = new (
  buffer: ArrayBuffer,
  offset: number,
  length: number,
) =>
  | Float64Array
  | Float32Array
  | Uint16Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Int32Array
  | BigInt64Array;

interface Element {
  readonly bytes: number;
  /** What it becomes here. */
  readonly dtype: DType;
  readonly array: FileArray;
  /** Where the bits are not yet the number. */
  readonly decode?: (bits: number) => number;
}

/** By the kind and the width that stand in a descr. Each but f8 becomes a dtype that has all its values. */
const ELEMENTS = {
  f2: { bytes: 2, dtype: 'float32', array: Uint16Array, decode: halfToFloat },
  f4: { bytes: 4, dtype: 'float32', array: Float32Array },
  f8: { bytes: 8, dtype: 'float32', array: Float64Array },
  i1: { bytes: 1, dtype: 'int32', array: Int8Array },
  i2: { bytes: 2, dtype: 'int32', array: Int16Array },
  i4: { bytes: 4, dtype: 'int32', array: Int32Array },
  i8: { bytes: 8, dtype: 'int64', array: BigInt64Array },
  u1: { bytes: 1, dtype: 'int32', array: Uint8Array },
  u2: { bytes: 2, dtype: 'int32', array: Uint16Array },
  b1: { bytes: 1, dtype: 'bool', array: Uint8Array, decode: (byte) => Number(byte !== 0) },
} as const satisfies Record<string, Element>;

export type NpyElement = keyof typeof ELEMENTS;

const DESCR: Readonly<Record<DType, string>> = {
  float32: '<f4',
  int64: '<i8',
  int32: '<i4',
  bool: '|b1',
};

export interface NpyOutline {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly element: NpyElement;
  readonly fortranOrder: boolean;
  /** Where the elements begin, and how long they are: in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

const MAGIC = '\x93NUMPY';
/** numpy's own bound (max_header_size). */
const MAX_HEADER_BYTES = 10_000;

/** Whether the beginning of a file has all of its header in it; what is none of ours needs no more to be refused. */
export function hasNpyHeader(head: Uint8Array): boolean {
  if (head.length < 12) return false;
  const { start, length } = headerPlace(head);
  return head.length >= start + Math.min(length, MAX_HEADER_BYTES);
}

/** Where the header's text is; of version 1, or of those after it. */
function headerPlace({ buffer, byteOffset, byteLength, [6]: major }: Uint8Array): {
  start: number;
  length: number;
} {
  const view = new DataView(buffer, byteOffset, byteLength);
  return major === 1
    ? { start: 10, length: view.getUint16(8, true) }
    : { start: 12, length: view.getUint32(8, true) };
}

/**
 * What a file says of its array, checked; `file` may be its beginning alone. Throws TensorError, whose faults stand at
 * `path`.
 */
export function readNpyHeader(file: Uint8Array, path: string): NpyOutline {
  const fail = (message: string): never => {
    throw new TensorError([{ path, message }]);
  };
  const text = (from: number, to: number): string =>
    Buffer.from(file.buffer as ArrayBuffer, file.byteOffset, file.byteLength).toString('latin1', from, to);
  if (text(0, 6) !== MAGIC) fail('is no .npy file: it does not begin with \\x93NUMPY');
  const [major = 0, minor = 0] = file.subarray(6, 8);
  if (major < 1 || major > 3) fail(`is of version ${major}.${minor} of .npy; 1 to 3 are read`);
  if (file.length < 12) fail('ends within its header');
  const { start, length } = headerPlace(file);
  if (length > MAX_HEADER_BYTES) fail(`has a header of ${length} bytes; ${MAX_HEADER_BYTES} are the most`);
  const offset = start + length;
  if (file.length < offset) fail('ends within its header');
  const fields = fieldsOf(text(start, offset)) ?? fail('has a header that is not numpy’s');
  const faults = new FaultList();
  const element = elementOf(fields.descr, (message) => faults.add(() => ({ path, message })));
  const shape = collectShape(fields.shape, path, faults);
  faults.throwIfAny(path);
  const { bytes, dtype } = ELEMENTS[element!];
  const size = numel(shape!) * bytes;
  if (!Number.isSafeInteger(size)) fail(`${listed(shape!)} has too many bytes`);
  return { shape: shape!, dtype, element: element!, fortranOrder: fields.fortranOrder, offset, bytes: size };
}

/** Throws TensorError where a file of so many bytes does not have the elements that its header promises. */
export function checkNpyLength(
  { shape, element, offset, bytes }: NpyOutline,
  fileBytes: number,
  path: string,
) {
  if (fileBytes === offset + bytes) return;
  const message = `has ${fileBytes - offset} bytes of elements where ${element} ${listed(shape)} has ${bytes}`;
  throw new TensorError([{ path, message }]);
}

interface Fields {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** One entry of the header: numpy writes these three and no others. Nothing of it is evaluated. */
const ENTRY =
  /\s*(?<quote>['"])(?<key>descr|fortran_order|shape)\k<quote>\s*:\s*(?:(?<order>True|False)|(?<text>'[^'\\]*'|"[^"\\]*")|\((?<extents>(?:\s*\d{1,16}L?\s*,)*(?:\s*\d{1,16}L?)?)\s*\)|(?<fields>\[[^]*\]))\s*/y;
/** `(3)` is no tuple to Python. */
const TUPLE = /^\s*$|,/;

/** The parts of `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`; undefined where it is something else. */
function fieldsOf(header: string): Fields | undefined {
  const found = new Map<string, string | boolean | number[]>();
  let at = /^\s*\{/.exec(header)?.[0].length;
  if (at === undefined) return undefined;
  for (let more = true; more;) {
    ENTRY.lastIndex = at;
    const entry = ENTRY.exec(header)?.groups;
    if (!entry) break;
    at = ENTRY.lastIndex;
    const { key, order, text, extents, fields } = entry;
    if (found.has(key!)) return undefined;
    if (order !== undefined) found.set(key!, order === 'True');
    else if (text !== undefined) found.set(key!, text.slice(1, -1));
    else if (fields !== undefined) found.set(key!, fields);
    else if (!TUPLE.test(extents!)) return undefined;
    else
      found.set(
        key!,
        Array.from(extents!.matchAll(/\d+/g), ([digits]) => Number(digits)),
      );
    more = header[at] === ',';
    if (more) at++;
  }
  if (!/^\s*\}\s*$/.test(header.slice(at))) return undefined;
  const [descr, fortranOrder, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key));
  const whole = typeof descr === 'string' && typeof fortranOrder === 'boolean' && Array.isArray(shape);
  return whole ? { descr, fortranOrder, shape } : undefined;
}

function elementOf(descr: string, fault: (message: string) => void): NpyElement | undefined {
  const kind = descr.slice(1);
  const isKnown = Object.hasOwn(ELEMENTS, kind);
  const [order] = descr;
  if (isKnown && (order === '<' || (order === '|' && ELEMENTS[kind as NpyElement].bytes === 1))) {
    return kind as NpyElement;
  }
  const known = Object.keys(ELEMENTS).join(', ');
  if (isKnown && order === '>') {
    fault(`has elements ${shown(descr)}, which are big-endian; only little-endian ones are read`);
  } else fault(`has elements ${shown(descr)}; those that are read are ${known}, little-endian`);
  return undefined;
}

/** Elements that are converted at a time: an array in a file begins at any address. */
const BLOCK = 4096;

/** Writes an array's elements, as they stand in a file, into memory of its dtype, row-major. */
export function writeNpyElements(outline: NpyOutline, elements: Uint8Array, target: TensorData): void {
  const { shape, fortranOrder } = outline;
  if (!fortranOrder || shape.length < 2) return convert(outline, elements, target);
  const inFile = new (target.constructor as new (length: number) => TensorData)(target.length);
  convert(outline, elements, inFile);
  // Fortran's order is C's of the shape turned around.
  const strides = contiguousStrides(shape.toReversed()).reverse();
  forEachRow(wholeView(shape), { shape, strides, offset: 0 }, ({ count, a, aStep, b, bStep }) => {
    for (let i = 0; i < count; i++) target[a + i * aStep] = inFile[b + i * bStep]!;
  });
}

function convert({ element }: NpyOutline, elements: Uint8Array, target: TensorData): void {
  const { bytes, array, decode }: Element = ELEMENTS[element];
  const block = new Uint8Array(BLOCK * bytes);
  const values = new array(block.buffer, 0, BLOCK);
  for (let at = 0; at < target.length; at += BLOCK) {
    const count = Math.min(BLOCK, target.length - at);
    block.set(elements.subarray(at * bytes, (at + count) * bytes));
    if (decode) {
      for (let i = 0; i < count; i++) target[at + i] = decode(values[i] as number);
    } else {
      (target as Float32Array).set(values.subarray(0, count) as Float32Array, at);
    }
  }
}

/** IEEE 754's binary16, from its bits; all of them are float32s too. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A tensor as a file that numpy reads. */
export function npyFile({ dtype, shape, data }: TensorValue): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]!},` : shape.join(', ');
  const fields = `{'descr': '${DESCR[dtype]}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The elements begin at a multiple of 64, as numpy has it.
  const length = Math.ceil((10 + fields.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10 + length, ' ');
  head.write(`${MAGIC}\x01\x00`, 'latin1');
  head.writeUInt16LE(length, 8);
  head.write(fields, 10, 'latin1');
  head[head.length - 1] = 0x0a;
  const elements = data;
  return Buffer.concat([
    head,
    Buffer.from(elements.buffer as ArrayBuffer, elements.byteOffset, elements.byteLength),
  ]);
}
