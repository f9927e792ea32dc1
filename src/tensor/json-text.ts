// Writes answers: JSON.stringify's rules, with tensors anywhere in the body written as {"dtype", "shape", "data"}.
// Numbers are put down as bytes, a block at a time: a string for each of a million numbers would cost more than they do.

import type { DType } from './dtype.js';
import { MAX_TEXT, writeFloat32 } from './float-text.js';
import { TensorValue, type TensorArrays, type TensorData } from './tensor-value.js';

export interface AnswerOptions {
  /** `data` as one row-major list, or as lists in lists (a scalar: the bare number). */
  readonly layout?: 'flat' | 'nested';
}

/**
 * The text of a body. As JSON.stringify, but: tensors as said above, and a Map is an object (its keys may be any string).
 * Throws TypeError for a bigint or function where JSON.stringify does, and for a body that is nothing.
 */
export function stringifyAnswer(body: unknown, options: AnswerOptions = {}): string {
  return bodyText(body, { nested: options.layout === 'nested', least: Infinity, apart: [] });
}

/**
 * The same, in pieces: tensors of at least `least` elements stand between texts, to be written there by `numbersText` or
 * a worker.
 */
export function answerPieces(
  body: unknown,
  { layout, least }: AnswerOptions & { readonly least: number },
): (string | TensorValue)[] {
  const apart: TensorValue[] = [];
  const text = bodyText(body, { nested: layout === 'nested', least, apart });
  if (apart.length === 0) return [text];
  return text.split(APART).flatMap((piece, i) => (i === 0 ? [piece] : [apart[i - 1]!, piece]));
}

/** Stands for a tensor that is written apart. In JSON it is always escaped, so no text has one of its own. */
const APART = '\0';

interface Style {
  readonly nested: boolean;
  readonly least: number;
  /** The tensors written apart, in order. */
  readonly apart: TensorValue[];
}

function bodyText(body: unknown, style: Style): string {
  const text = valueText(body, '', style);
  if (text === undefined) throw new TypeError('an answer needs a body');
  return text;
}

/** undefined where JSON.stringify leaves the value out. */
function valueText(value: unknown, key: string, style: Style): string | undefined {
  if (typeof value === 'string') return stringText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value instanceof TensorValue) return tensorText(value, style);
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return valueText((value as { toJSON(key: string): unknown }).toJSON(key), key, style);
  }
  if (Array.isArray(value)) {
    let text = '';
    for (let i = 0; i < value.length; i++) {
      text += (i === 0 ? '' : ',') + (valueText(value[i], String(i), style) ?? 'null');
    }
    return `[${text}]`;
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean)
    return JSON.stringify(value);
  let text = '';
  const entries = value instanceof Map ? (value as Map<string, unknown>) : Object.entries(value);
  for (const [name, child] of entries) {
    const written = valueText(child, name, style);
    if (written !== undefined) text += `${text === '' ? '' : ','}${stringText(name)}:${written}`;
  }
  return `{${text}}`;
}

// What JSON.stringify escapes. Lone surrogates are among these; whole pairs are sent its way for simplicity.
// eslint-disable-next-line no-control-regex
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

function stringText(value: string): string {
  return ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
}

function tensorText(tensor: TensorValue, { nested, least, apart }: Style): string {
  const { dtype, shape, data } = tensor;
  const isApart = data.length >= least;
  if (isApart) apart.push(tensor);
  const numbers = isApart ? APART : numbersText(tensor, nested ? shape : [data.length]);
  return `{"dtype":"${dtype}","shape":[${shape.join(',')}],"data":${numbers}}`;
}

const BLOCK = 1 << 15;
const block = Buffer.alloc(BLOCK + MAX_TEXT);
let used = 0;
let written = '';

function flush(): void {
  written += block.toString('latin1', 0, used);
  used = 0;
}

function put(byte: number): void {
  if (used >= BLOCK) flush();
  block[used++] = byte;
}

const COMMA = 0x2c;
const [OPEN, CLOSE] = [0x5b, 0x5d];

/** The numbers of a tensor in lists as `layout` says: its shape, or all in one list. */
export function numbersText({ dtype, data }: TensorValue, layout: readonly number[]): string {
  used = 0;
  written = '';
  putLists(layout, 0, 0, { put: ROWS[dtype] as PutRow<TensorData>, data });
  if (used > 0) flush();
  const text = written;
  written = '';
  return text;
}

type PutRow<D> = (data: D, start: number, end: number) => void;

/** Answers where the list's elements end. */
function putLists(
  layout: readonly number[],
  dimension: number,
  start: number,
  row: { put: PutRow<TensorData>; data: TensorData },
): number {
  if (dimension === layout.length) {
    row.put(row.data, start, start + 1);
    return start + 1;
  }
  const extent = layout[dimension]!;
  put(OPEN);
  if (dimension === layout.length - 1) {
    row.put(row.data, start, start + extent);
    start += extent;
  } else {
    for (let i = 0; i < extent; i++) {
      if (i > 0) put(COMMA);
      start = putLists(layout, dimension + 1, start, row);
    }
  }
  put(CLOSE);
  return start;
}

function putText(text: string): void {
  if (used + text.length > BLOCK) flush();
  used += block.write(text, used, 'latin1');
}

/** Elements start to end, with commas between. */
const ROWS: { readonly [D in DType]: PutRow<TensorArrays[D]> } = {
  float32(data, start, end) {
    for (let i = start; i < end; i++) {
      if (used >= BLOCK) flush();
      if (i > start) block[used++] = COMMA;
      used = writeFloat32(block, used, data[i]!);
    }
  },
  int64: putEach,
  int32: putEach,
  bool(data, start, end) {
    for (let i = start; i < end; i++) {
      if (i > start) put(COMMA);
      putText(data[i] === 0 ? 'false' : 'true');
    }
  },
};

function putEach(data: BigInt64Array | Int32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    if (i > start) put(COMMA);
    putText(String(data[i]!));
  }
}
