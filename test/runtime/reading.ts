// What the tests of reading share: a text in memory, read as a worker does, with a guard behind the room it may use.

import { mostNumbers, readBody, readingRoom, restoreBody } from '#src/runtime/text.js';
import { expect } from 'vitest';
import { FIRST, kernels, memory } from '../kernels/text.js';

export const GUARD = 0xa5;

export interface Options {
  readonly leastNumbers?: number;
  /** What stands behind the text; reading may look at it and must not believe it. */
  readonly behind?: string;
  readonly with?: typeof kernels;
}

export function read(
  bytes: Uint8Array | string,
  { leastNumbers = 1, behind = '7]', with: reader = kernels }: Options = {},
) {
  const body = Buffer.from(bytes);
  const text = { address: FIRST, bytes: body.length };
  const all = Buffer.from(memory.buffer);
  all.fill(behind, FIRST, FIRST + body.length + 64);
  all.set(body, FIRST);
  const room = { address: (FIRST + body.length + 71) & ~7, bytes: readingRoom(mostNumbers(kernels, text)) };
  all[room.address + room.bytes] = GUARD;
  const reading = readBody(memory, reader, { text, room, leastNumbers });
  expect(all[room.address + room.bytes]).toBe(GUARD);
  return reading;
}

/** The body as routes get it; undefined where it is not JSON. */
export function bodyOf(text: string, options?: Options): unknown {
  const reading = read(text, options);
  if ('wrong' in reading) return undefined;
  return restoreBody(JSON.parse(reading.skeleton), reading, { memory, address: FIRST });
}

/** The lists whose numbers were read. */
export function listsOf(text: string, options?: Options) {
  const reading = read(text, options);
  return 'wrong' in reading ? [] : reading.lists.filter((list) => 'address' in list);
}
