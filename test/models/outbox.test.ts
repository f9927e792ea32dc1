// What a client that does not read makes the server keep.

import { expect, it } from 'vitest';
import { Outbox, type SendOptions } from '#src/models/outbox.js';

const LIMIT = 2 ** 20;
const DATA = new Uint8Array(32_768).fill(7);

/** A socket over which nothing goes until it is read. */
function unread() {
  const sent: { data: Uint8Array; read: () => void }[] = [];
  const socket = {
    readyState: 1,
    bufferedAmount: 0,
    send: (data: string | Uint8Array, _options: SendOptions, read: () => void) => {
      sent.push({ data: data as Uint8Array, read });
    },
    close: () => undefined,
  };
  const connection = { cork: () => undefined, uncork: () => undefined, write: () => undefined };
  const limits = { highWaterBytes: LIMIT, hardLimitBytes: LIMIT, graceMs: 1000 };
  return { sent, outbox: new Outbox({ socket, connection, limits, onClosed: () => undefined }) };
}

it('frames hold no more than the hard limit, however much more than their data each of them holds', () => {
  const { sent, outbox } = unread();
  let held = 0;
  const add = (bytes: number): void => {
    held += bytes;
    outbox.addFrame('{}', DATA, { bytes, release: () => (held -= bytes) });
  };
  for (let i = 0; i < 10; i++) add(LIMIT / 4);
  add(LIMIT + 1);
  expect(held).toBe(LIMIT);
  const data = sent.filter(({ data: { length } }) => length === DATA.length).map((message) => message.data);
  expect(data.map((bytes) => bytes.buffer === DATA.buffer)).toEqual([
    ...Array<boolean>(4).fill(true),
    ...Array<boolean>(7).fill(false),
  ]);
  for (const bytes of data) expect(Buffer.from(bytes).equals(DATA)).toBe(true);

  for (const { read } of sent.splice(0)) read();
  expect(held).toBe(0);
  add(LIMIT);
  expect(held).toBe(LIMIT);
});
