// Tensors as JSON text in shared memory. A worker reads the lists of numbers in a request's body and leaves a small text
// with a marker for each, which the main thread parses (`readBody`, `restoreBody`); and writes the numbers of an answer
// (`writeText`). A long list that is none of regular numbers is judged by those who always have, but on the worker too.

import { randomUUID } from 'node:crypto';
import type { Kernels } from '../graph/kernels.js';
import type { DType } from '../tensor/dtype.js';
import { numbersText } from '../tensor/json-text.js';
import { judgeList } from '../tensor/json.js';
import { placedList, type JudgedList, type PlacedNumbers } from '../tensor/placed-list.js';
import { numel, type Shape } from '../tensor/shape.js';
import { viewAt } from './memory-view.js';
import type { Placed } from './protocol.js';

/** Where a text stands. Behind it are TEXT_PADDING bytes more that are its own: vectors read past its end. */
export interface TextPlace {
  readonly address: number;
  readonly bytes: number;
}
export const TEXT_PADDING = 64;

/** A list that the main thread need not look into. Places are bytes from the text's first. */
export type ReadList = { readonly from: number; readonly to: number } & (
  | JudgedList
  | (Omit<PlacedNumbers, 'floats'> & {
      /** Of float32[numel(shape)]. */
      readonly address: number;
    })
);

export type Reading =
  | {
      /** The text with the string `marker` + i in the place of list i. No key of an object is in a list. */
      readonly skeleton: string;
      /** Another one for each body, so that no client's string is one. */
      readonly marker: string;
      readonly lists: readonly ReadList[];
    }
  /** It is not JSON: what JSON.parse says of the whole. */
  | { readonly wrong: string };

/** Lists of fewer numbers stay in the text: below, a list costs more than its numbers. No shape has as many extents. */
const LEAST_NUMBERS = 128;

/** A reading in memory, in words, as src/kernels/text-read.ts has it: first what the caller sets, then what it finds. */
const WORD = {
  at: 0,
  end: 1,
  out: 2,
  outEnd: 3,
  least: 4,
  depth: 5,
  after: 6,
  rank: 7,
  from: 8,
  first: 9,
  traits: 10,
};
/** Bytes: two float64, and a word for each extent. */
const [MIN, MAX, EXTENTS] = [48, 56, 64];
const READING_BYTES = 576;
const TRAIT = { notWhole: 1, booleans: 2, notFinite: 4 };
/** What reading tells: the end, a list, a number for JavaScript, a list that began with numbers and went on otherwise. */
const [NO_MORE, LIST, HARD, ODD] = [0, 1, 2, 3];

/** The most numbers that the lists of a JSON text can have. */
export function mostNumbers(kernels: Kernels, { address, bytes }: TextPlace): number {
  return kernels.count_byte(address, bytes, 0x2c) + 1;
}

/** The bytes that `readBody` needs for so many numbers. */
export function readingRoom(numbers: number): number {
  return READING_BYTES + numbers * 4;
}

export interface ReadOrder {
  readonly text: TextPlace;
  /** For the lists' numbers: `readingRoom` bytes at a multiple of 8. What has no room stays in the text. */
  readonly room: { readonly address: number; readonly bytes: number };
  readonly leastNumbers?: number;
}

/** Reads a body. Its bytes are those of JSON, or of anything else. */
export function readBody(memory: WebAssembly.Memory, kernels: Kernels, order: ReadOrder): Reading {
  const { text, room, leastNumbers = LEAST_NUMBERS } = order;
  const { address, bytes } = text;
  const body = bufferAt(memory, text);
  // Neither a digit nor white space: no number goes on behind the end.
  viewAt(memory, address, bytes + TEXT_PADDING, 'bool')[bytes] = 0;
  const { buffer } = viewAt(memory, room.address, READING_BYTES, 'bool');
  const words = new Uint32Array(buffer, room.address, READING_BYTES / 4);
  const view = new DataView(buffer, room.address, READING_BYTES);
  const next = (): number => kernels.next_list(room.address);
  const word = (name: keyof typeof WORD): number => words[WORD[name]]!;
  const textOf = (from: number, to: number): string => body.toString('utf8', from, to);
  const first = room.address + READING_BYTES;
  const outEnd = first + Math.floor((room.bytes - READING_BYTES) / 4) * 4;
  words.set([address, address + bytes, first, outEnd, leastNumbers, 0]);

  const lists: ReadList[] = [];
  const marker = `${randomUUID()} `;
  const wrong = (): Reading => ({ wrong: whatIsWrong(textOf(0, bytes)) });
  let skeleton = '';
  let told = 0;
  const keepApart = (list: ReadList): void => {
    skeleton += `${textOf(told, list.from)}"${marker}${lists.length}"`;
    told = list.to;
    lists.push(list);
  };
  /** So that each byte is looked at once: what is in an odd list that stays in the text is not tried again. */
  let oddUntil = 0;
  for (let found = next(); found !== NO_MORE; found = next()) {
    const from = word('from') - address;
    const to = word('at') - address;
    if (found === HARD) {
      found = kernels.take_number(room.address, Number(textOf(to, word('after') - address)));
    }
    if (found === LIST) {
      const traits = word('traits');
      keepApart({
        from,
        to,
        shape: [...words.subarray(EXTENTS / 4, EXTENTS / 4 + word('rank'))],
        address: word('first'),
        integral: (traits & (TRAIT.notWhole | TRAIT.notFinite)) === 0,
        booleans: (traits & TRAIT.booleans) !== 0,
        min: view.getFloat64(MIN, true),
        max: view.getFloat64(MAX, true),
      });
    } else if (found === ODD && from >= oddUntil) {
      const end = kernels.list_end(address + from, address + bytes) >>> 0;
      if (end === 0) return wrong();
      oddUntil = end - address;
      const judged = judge(textOf(from, oddUntil));
      if (!judged) continue;
      keepApart({ ...judged, from, to: oddUntil });
      words[WORD.at] = end;
    }
  }
  skeleton += textOf(told, bytes);
  return isJson(skeleton) ? { skeleton, marker, lists } : wrong();
}

/** undefined: there is nothing against it, or it is for the parser of the whole, who sees every key of an object. */
function judge(text: string): JudgedList | undefined {
  if (text.includes('{') || !isJson(text)) return undefined;
  return judgeList(JSON.parse(text) as unknown[]);
}

/** As the parser of requests has it, which passes over a byte order mark. */
function isJson(text: string): boolean {
  return whatIsWrong(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) === '';
}

function whatIsWrong(text: string): string {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

function bufferAt(memory: WebAssembly.Memory, { address, bytes }: TextPlace): Buffer {
  return Buffer.from(viewAt(memory, address, bytes, 'bool').buffer, address, bytes);
}

/**
 * Puts the lists where their markers stand in the parsed skeleton, and answers the body. The text and the room must be
 * held as long as the body is in use.
 */
export function restoreBody(
  parsed: unknown,
  reading: Extract<Reading, { skeleton: string }>,
  { memory, address }: { readonly memory: WebAssembly.Memory; readonly address: number },
): unknown {
  const { marker, lists } = reading;
  const place = (list: ReadList): unknown => {
    const text = { address: address + list.from, bytes: list.to - list.from };
    const found =
      'faults' in list
        ? list
        : { ...list, floats: viewAt(memory, list.address, numel(list.shape), 'float32') };
    return placedList(found, () => bufferAt(memory, text).toString());
  };
  const root = { body: parsed };
  const open: object[] = lists.length === 0 ? [] : [root];
  for (let node = open.pop(); node; node = open.pop()) {
    for (const [key, value] of Object.entries(node)) {
      if (typeof value === 'object' && value !== null) open.push(value as object);
      if (typeof value !== 'string' || !value.startsWith(marker)) continue;
      const list = place(lists[Number(value.slice(marker.length))]!);
      Object.defineProperty(node, key, { value: list, writable: true, enumerable: true, configurable: true });
    }
  }
  return root.body;
}

export type Layout = 'flat' | 'nested';

/** Elements, in row-major order. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/** The most bytes of an element with its comma. */
const WIDTH: Record<DType, number> = { float32: 24, int64: 21, int32: 12, bool: 6 };
/** Stores are as wide as vectors, past the last number too. */
const SLACK = 64;
const LISTS_BYTES = 4 * 64;

/** The extents of the lists in which the numbers stand. */
function extents(shape: Shape, layout: Layout): Shape {
  return layout === 'nested' ? shape : [numel(shape)];
}

/** The bytes of memory that writing the numbers, or a part of them, needs; the text itself is shorter. */
export function textRoom(
  { shape, dtype }: Omit<Placed, 'address'>,
  layout: Layout,
  { from, to }: Part = { from: 0, to: numel(shape) },
): number {
  let brackets = 0;
  let lists = 1;
  for (const extent of extents(shape, layout)) {
    brackets += 3 * Math.min(lists, to === from ? Infinity : to - from + 1);
    lists *= extent;
  }
  return WIDTH[dtype] * (to - from) + brackets + SLACK + LISTS_BYTES;
}

export interface TextOrder {
  readonly tensor: Placed;
  readonly layout: Layout;
  /** Where the text goes, and its room: `textRoom` bytes or more. */
  readonly out: number;
  readonly room: number;
  /** The parts' texts, one behind the other, are the whole's. Absent: all. */
  readonly part?: Part;
}

/** Writes a tensor's numbers as an answer has them; the bytes of the text. */
export function writeText(memory: WebAssembly.Memory, kernels: Kernels, order: TextOrder): number {
  const { tensor, layout, out, room } = order;
  const { address, shape, dtype } = tensor;
  const count = numel(shape);
  if (count === 0) {
    const data = viewAt(memory, address, 0, dtype);
    const text = numbersText({ dtype, shape, data }, extents(shape, layout));
    return bufferAt(memory, { address: out, bytes: room }).write(text, 'latin1');
  }
  const { from, to } = order.part ?? { from: 0, to: count };
  const lists = sizes(extents(shape, layout));
  const listsAt = Math.floor((out + room - LISTS_BYTES) / 4) * 4;
  viewAt(memory, listsAt, lists.length, 'int32').set(lists);
  const write = kernels[`write_${dtype}`];
  return write(address, listsAt, lists.length, from, to, out);
}

/** How many elements a list of each depth has. */
function sizes(lists: Shape): number[] {
  return lists.map((_, depth) => numel(lists.slice(depth)));
}
