import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBatch } from '#src/models/frame-batch.js';
import { readFrame } from '#src/models/stream-frames.js';

/** What a client makes of the bytes. */
function received(bytes: Buffer): { data: Buffer; isBinary: boolean }[] {
  const messages: { data: Buffer; isBinary: boolean }[] = [];
  for (let at = 0; at < bytes.length;) {
    const [head, short] = [bytes[at]!, bytes[at + 1]!];
    expect([0x81, 0x82]).toContain(head);
    expect(short).toBeLessThanOrEqual(126);
    const begin = at + (short === 126 ? 4 : 2);
    const end = begin + (short === 126 ? bytes.readUInt16BE(at + 2) : short);
    messages.push({ data: bytes.subarray(begin, end), isBinary: head === 0x82 });
    at = end;
  }
  return messages;
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(0, 1, 124, 125, 126, 127, 5461).map((length) => 'x'.repeat(length)),
  fc.constantFrom(41, 42, 5461).map((length) => '€'.repeat(length)),
);
const frame = fc.record({ header: text, data: fc.uint8Array({ maxLength: 300 }) });

describe('a batch of frames', () => {
  it('is read as the messages that were added, in order, however many', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(text, frame), { maxLength: 60 }), (messages) => {
        const pieces: Buffer[] = [];
        const batch = new FrameBatch(() => pieces.push(Buffer.from(batch.take())));
        const added = messages.filter((message) =>
          typeof message === 'string' ? batch.addText(message) : batch.addFrame(message.header, message.data),
        );
        pieces.push(Buffer.from(batch.take()));
        expect(batch.bytes).toBe(0);
        const read = received(Buffer.concat(pieces)).map(({ data, isBinary }) => {
          if (!isBinary) return data.toString();
          const length = data.readUInt32LE(0);
          return {
            header: data.toString('utf8', 4, 4 + length),
            data: data.subarray(Math.ceil((4 + length) / 8) * 8),
          };
        });
        expect(read).toEqual(
          added.map((message) =>
            typeof message === 'string'
              ? Buffer.from(message).toString()
              : { header: Buffer.from(message.header).toString(), data: Buffer.from(message.data) },
          ),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('takes no message that is longer than what is worth a write of its own', () => {
    const batch = new FrameBatch(() => undefined);
    expect(batch.addText('x'.repeat(16_385))).toBe(false);
    expect(batch.addFrame('{}', new Uint8Array(16_384))).toBe(false);
    expect(batch.bytes).toBe(0);
  });

  it('does not touch again what was taken of it', () => {
    const batch = new FrameBatch(() => undefined);
    batch.addFrame('{"a":1}', Uint8Array.of(1, 2, 3));
    const taken = batch.take();
    const before = Buffer.from(taken);
    for (let i = 0; i < 10_000; i++) {
      batch.addText('other');
      if (i % 7 === 0) batch.take();
    }
    expect(taken).toEqual(before);
    expect(readFrame(taken.subarray(2))).toMatchObject({ header: { a: 1 }, data: Buffer.from([1, 2, 3]) });
  });
});
