// Reads tensors from parsed JSON: nested lists, a bare number, or {"dtype", "shape", "data"}. First `inspectTensor`, which
// checks all that can be known before memory is taken; then `writeTensor` into that memory. Nothing is allocated by a
// client's shape: its numbers must be there. Lists that a worker has read (placed-list.ts) are not walked again. Writing
// tensors is json-text.ts.

import { didYouMean } from '../nearest.js';
import { DTYPES, type DType } from './dtype.js';
import { FaultList, shown } from './fault.js';
import { knownOf, type JudgedList, type PlacedNumbers } from './placed-list.js';
import { plainRows, writePlainRows } from './plain-rows.js';
import { RawTensor, writeRaw } from './raw-tensor.js';
import { collectShape, listed, MAX_RANK, numel, sameShape, type Shape } from './shape.js';
import { dtypeOf, zeros, type TensorArrays, type TensorData, type TensorValue } from './tensor-value.js';

export { TensorError } from './fault.js';
export { answerPieces, stringifyAnswer } from './json-text.js';

export interface Inspected {
  readonly shape: Shape;
  /** undefined: the client did not say. */
  readonly dtype: DType | undefined;
  /** Every number is whole, as int64 needs it. */
  readonly integral: boolean;
}

/**
 * What a client's tensor says of itself; no memory is taken. Throws TensorError for lists that are ragged or nested too
 * deep, elements that are no numbers, a shape that cannot be or that has another number of elements, an unknown dtype.
 */
export function inspectTensor(value: unknown, path: string): Inspected {
  if (value instanceof RawTensor) return value;
  const plain = plainRows(value);
  if (plain) return plain;
  const faults = new FaultList();
  const outline = outlineOf(value, path, faults);
  const integral = outline !== undefined && checkElements(outline, faults);
  faults.throwIfAny(path);
  return { shape: outline!.shape, dtype: outline!.dtype, integral };
}

/** Whether all are whole numbers; what is no number is a fault. */
function checkElements(outline: Outline, faults: FaultList): boolean {
  const known = knownAs(outline);
  if (known && 'integral' in known) return known.integral;
  if (known) {
    faults.addAll(known.faults, outline.path);
    return false;
  }
  let integral = true;
  walk(outline, faults, (row, fault) => {
    for (let i = 0; i < row.length; i++) {
      const x = row[i];
      if (typeof x === 'number' && x - x === 0) integral &&= x === Math.trunc(x);
      else if (typeof x === 'string' && NON_FINITE.has(x)) integral = false;
      else if (typeof x !== 'boolean') fault(i, notANumber(x));
    }
  });
  return integral;
}

/** What `inspectTensor` has against a list, for those who get it as a placed list; undefined where that is nothing. */
export function judgeList(list: readonly unknown[]): JudgedList | undefined {
  const faults = new FaultList();
  const outline = outlineOf(list, '', faults);
  if (!outline) return undefined;
  checkElements(outline, faults);
  return faults.empty ? undefined : { shape: outline.shape, faults: faults.found };
}

/**
 * Writes a client's tensor, row-major, in the target's dtype. A finite number beyond float32 becomes infinite, as in
 * PyTorch; an integer beyond its type, or beyond 2^53, is a fault. `target` has the inspected number of elements;
 * where TensorError is thrown, some of them may be written.
 */
export function writeTensor(value: unknown, target: TensorData, path: string): void {
  if (value instanceof RawTensor) {
    const write = WRITERS[dtypeOf(target)] as WriteRow<TensorData>;
    return writeRaw(value, target, { path, write });
  }
  if (target instanceof Float32Array && writePlainRows(value, target)) return;
  const faults = new FaultList();
  const outline = outlineOf(value, path, faults);
  if (outline && numel(outline.shape) !== target.length) {
    const message = `has ${numel(outline.shape)} elements where ${target.length} are wanted`;
    faults.add(() => ({ path, message }));
  } else if (outline && !writePlaced(knownAs(outline), target)) {
    const write = WRITERS[dtypeOf(target)] as WriteRow<TensorData>;
    let at = 0;
    walk(outline, faults, (row, fault) => {
      write(row, target, at, fault);
      at += row.length;
    });
  }
  faults.throwIfAny(path);
}

export interface DecodeOptions {
  /** Absent: as the client says, or float32. */
  readonly dtype?: DType;
  /** Where the tensor stands in the request. */
  readonly path: string;
}

/** Both steps, into memory of its own. Throws TensorError. */
export function decodeTensor(value: unknown, { dtype, path }: DecodeOptions): TensorValue {
  const inspected = inspectTensor(value, path);
  const tensor = zeros(dtype ?? inspected.dtype ?? 'float32', inspected.shape);
  writeTensor(value, tensor.data, path);
  return tensor;
}

/** A client's tensor, its parts told apart: what it is, and how its lists are to be walked. */
interface Outline {
  readonly shape: Shape;
  readonly dtype: DType | undefined;
  readonly data: unknown;
  readonly path: string;
  /** The extents of the lists: the shape, or its number of elements where they are in one list. */
  readonly lists: Shape;
}

/** undefined where a fault leaves nothing to walk. */
function outlineOf(value: unknown, path: string, faults: FaultList): Outline | undefined {
  if (typeof value !== 'object' || value === null || isList(value)) {
    const shape = nestedShape(value, path, faults);
    return shape && { shape, dtype: undefined, data: value, path, lists: shape };
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const name of fields.keys()) {
    if (FIELDS.includes(name)) continue;
    faults.add(() => ({
      path: `${path}.${name.slice(0, 80)}`,
      message: `is no field of a tensor${didYouMean(name, FIELDS)}`,
    }));
  }
  const dtype = fields.get('dtype');
  const known = typeof dtype === 'string' && Object.hasOwn(DTYPES, dtype);
  if (dtype !== undefined && !known) {
    const near = typeof dtype === 'string' ? didYouMean(dtype, Object.keys(DTYPES)) : '';
    const message = `must be one of ${Object.keys(DTYPES).join(', ')}, not ${shown(dtype)}${near}`;
    faults.add(() => ({ path: `${path}.dtype`, message }));
  }
  for (const name of ['shape', 'data']) {
    if (!fields.has(name)) faults.add(() => ({ path: `${path}.${name}`, message: 'is required' }));
  }
  if (!fields.has('shape')) return undefined;
  const shape = collectShape(fields.get('shape'), `${path}.shape`, faults);
  if (!shape || !fields.has('data')) return undefined;
  const data = fields.get('data');
  const outline = { shape, dtype: known ? (dtype as DType) : undefined, data, path: `${path}.data` };
  if (!isList(data) || isNested(data) || shape.length === 1) return { ...outline, lists: shape };
  if (data.length !== numel(shape)) {
    const message = `shape '${listed(shape)}' is invalid for input of size ${data.length}`;
    faults.add(() => ({ path: `${path}.data`, message }));
    return undefined;
  }
  return { ...outline, lists: [data.length] };
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

function isNested(list: readonly unknown[]): boolean {
  const known = knownOf(list);
  return known ? known.shape.length > 1 : isList(list[0]);
}

const FIELDS: readonly string[] = ['dtype', 'shape', 'data'];

/** The shape that the first elements tell; whether all the others agree is for `walk` to see. */
function nestedShape(value: unknown, path: string, faults: FaultList): Shape | undefined {
  const known = knownOf(value);
  if (known) return known.shape;
  const shape: number[] = [];
  for (let list = value; isList(list); list = list[0]) {
    shape.push(list.length);
    if (shape.length > MAX_RANK) {
      faults.add(() => ({ path, message: `is nested more than ${MAX_RANK} lists deep` }));
      return undefined;
    }
  }
  return shape;
}

/** What is known of a placed list, where its lists are those that are wanted: then `walk` would find nothing else. */
function knownAs({ data, lists }: Outline): PlacedNumbers | JudgedList | undefined {
  const known = knownOf(data);
  return known && sameShape(known.shape, lists) ? known : undefined;
}

/** Up to here float32 tells every whole number. */
const MOST_WHOLE = 2 ** 24;

/** false where float32 does not tell the target's elements exactly, or some of them are none: `walk` will tell. */
function writePlaced(known: PlacedNumbers | JudgedList | undefined, target: TensorData): boolean {
  if (!known || 'faults' in known) return false;
  const { floats, integral, booleans, min, max } = known;
  const dtype = dtypeOf(target);
  const whole = integral && Math.max(-min, max) <= MOST_WHOLE;
  if (dtype === 'bool' ? !whole || min < 0 || max > 1 : booleans || (dtype !== 'float32' && !whole))
    return false;
  if (dtype === 'int64') setInt64(target as BigInt64Array, floats);
  else (target as Exclude<TensorData, BigInt64Array>).set(floats);
  return true;
}

/** By halves: a BigInt for each of a million numbers would cost more than all else. */
function setInt64({ buffer, byteOffset }: BigInt64Array, floats: Float32Array): void {
  const halves = new Int32Array(buffer, byteOffset, floats.length * 2);
  for (let i = 0; i < floats.length; i++) {
    const x = floats[i]!;
    halves[2 * i] = x;
    halves[2 * i + 1] = x < 0 ? -1 : 0;
  }
}

type RowFault = (index: number, message: string) => void;
type Visit = (row: readonly unknown[], fault: RowFault) => void;

/** Visits the innermost lists in order; those of another length, or no lists at all, are faults. */
function walk({ data, lists, path }: Outline, faults: FaultList, visit: Visit): void {
  const at: number[] = [];
  const place = (index?: number): string =>
    [path, ...at.map((i) => `[${i}]`), index === undefined ? '' : `[${index}]`].join('');
  const elementFault: RowFault = (index, message) => faults.add(() => ({ path: place(index), message }));
  const enter = (list: unknown): void => {
    const dim = at.length;
    if (!isList(list) || list.length !== lists[dim]) {
      const got = isList(list) ? list.length : shown(list);
      const message = `expected sequence of length ${lists[dim]} at dim ${dim} (got ${got})`;
      return faults.add(() => ({ path: place(), message }));
    }
    if (dim === lists.length - 1) return visit(list, elementFault);
    for (let i = 0; i < list.length; i++) {
      at.push(i);
      enter(list[i]);
      at.pop();
    }
  };
  if (lists.length > 0) enter(data);
  else visit([data], (_index, message) => faults.add(() => ({ path, message })));
}

const NON_FINITE: ReadonlyMap<unknown, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

function notANumber(x: unknown): string {
  if (typeof x !== 'number') return `must be a number, not ${shown(x)}`;
  return 'is too large for a number; "Infinity" is written as a string'; // JSON.parse makes Infinity of 1e400
}

function notABool(dtype: DType): string {
  return `must be a number: true and false are of dtype bool, not ${dtype}`;
}

/** Writes a row's elements from target[at] on. */
type WriteRow<D> = (row: readonly unknown[], target: D, at: number, fault: RowFault) => void;

const WRITERS: { readonly [D in DType]: WriteRow<TensorArrays[D]> } = {
  float32(row, target, at, fault) {
    for (let i = 0; i < row.length; i++) {
      const x = row[i];
      if (typeof x === 'number' && x - x === 0) target[at + i] = x;
      else if (typeof x === 'string' && NON_FINITE.has(x)) target[at + i] = NON_FINITE.get(x)!;
      else fault(i, typeof x === 'boolean' ? notABool('float32') : notANumber(x));
    }
  },
  int64(row, target, at, fault) {
    for (let i = 0; i < row.length; i++) {
      const wrong = notAnInteger(row[i], 'int64');
      if (wrong === undefined) target[at + i] = BigInt(row[i] as number);
      else fault(i, wrong);
    }
  },
  int32(row, target, at, fault) {
    for (let i = 0; i < row.length; i++) {
      const wrong = notAnInteger(row[i], 'int32');
      if (wrong === undefined) target[at + i] = row[i] as number;
      else fault(i, wrong);
    }
  },
  bool(row, target, at, fault) {
    for (let i = 0; i < row.length; i++) {
      const x = row[i];
      if (typeof x === 'boolean' || x === 0 || x === 1) target[at + i] = Number(x);
      else fault(i, `must be true or false, not ${shown(x)}`);
    }
  },
};

function notAnInteger(x: unknown, dtype: 'int64' | 'int32'): string | undefined {
  if (typeof x === 'boolean') return notABool(dtype);
  if (NON_FINITE.has(x)) return `value cannot be converted to type ${dtype} without overflow`;
  if (typeof x !== 'number' || !Number.isFinite(x)) return notANumber(x);
  if (!Number.isInteger(x)) return `${x} is not an integer: expected dtype ${dtype} but found float32`;
  if (dtype === 'int32' && x !== (x | 0)) return 'value cannot be converted to type int32 without overflow';
  return Number.isSafeInteger(x) ? undefined : `${x} is beyond 2^53: as JSON it is not exact`;
}
