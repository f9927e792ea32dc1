import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { receiveInto } from '#src/plugins/body.js';

const CHUNK = 65_536;

/** A body that is there already, as far as its reader is concerned. */
function bodyOf(bytes: number): Readable {
  const chunks = Array.from({ length: bytes / CHUNK }, (_, i) => Buffer.alloc(CHUNK, i + 1));
  return Readable.from(chunks, { objectMode: false, highWaterMark: bytes });
}

describe('a body that is received in memory', () => {
  it('takes at most a quarter of a megabyte and a chunk in a turn, together with others', async () => {
    let turn = 0;
    let most = 0;
    const targets = [0, 1, 2].map(() => new Uint8Array(32 * CHUNK));
    const bodies = targets.map((target) => bodyOf(target.length));
    for (const body of bodies)
      body.on('data', (chunk: Buffer) => (most = Math.max(most, (turn += chunk.length))));
    let done = false;
    const all = Promise.all(bodies.map((body, i) => receiveInto(targets[i]!, body))).then((received) => {
      done = true;
      return received;
    });
    while (!done) {
      turn = 0;
      await nextTurn();
    }
    expect(await all).toEqual(targets.map(() => ({ complete: true })));
    for (const target of targets) {
      for (let i = 0; i < 32; i++) expect(target[i * CHUNK + 7]).toBe(i + 1);
    }
    // Each of the three may have a chunk on its way when the turn's part is used up.
    expect(most).toBeLessThanOrEqual(262_144 + 3 * CHUNK);
  });

  it('says how many bytes came where there are fewer, and that there are more as soon as that shows', async () => {
    expect(await receiveInto(new Uint8Array(3 * CHUNK), bodyOf(2 * CHUNK))).toEqual({
      complete: false,
      bytes: 2 * CHUNK,
    });
    expect(await receiveInto(new Uint8Array(CHUNK + 1), bodyOf(8 * CHUNK))).toEqual({
      complete: false,
      bytes: 2 * CHUNK,
    });
  });

  it('that breaks off is BAD_REQUEST', async () => {
    const body = new Readable({ read: () => undefined });
    const received = receiveInto(new Uint8Array(10), body);
    body.push(Buffer.alloc(5));
    body.destroy();
    await expect(received).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
