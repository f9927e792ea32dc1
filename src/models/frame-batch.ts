// The short messages of one turn, as the frames they are (RFC 6455, of a server: whole and not masked), one behind the
// other in one piece of memory for one write to the network. A library's objects and writes for each message would cost
// as much as all else that is done to answer a small forward.

import { frameBytes, writeFrame } from './stream-frames.js';

const SLAB_BYTES = 65_536;
/** Of a message, whatever its text; a longer one is worth a write of its own. */
const MAX_MESSAGE_BYTES = 16_384;
/** Before a message of that length; one of at most 125 bytes has two. */
const FRAME_HEAD_BYTES = 4;
const UTF8_BYTES = 3;

const TEXT = 0x81;
const BINARY = 0x82;

export class FrameBatch {
  /** Is written to once: what was taken of it is on its way, and not touched again. */
  #slab = Buffer.allocUnsafeSlow(0);
  #start = 0;
  #end = 0;
  readonly #full: () => void;

  /** `full` is called where a message does not fit behind the others; it takes them. */
  constructor(full: () => void) {
    this.#full = full;
  }

  get bytes(): number {
    return this.#end - this.#start;
  }

  /** False for a text that is too long. */
  addText(text: string): boolean {
    if (!this.#admits(UTF8_BYTES * text.length)) return false;
    const begin = this.#end + FRAME_HEAD_BYTES;
    this.#close(TEXT, this.#slab.write(text, begin));
    return true;
  }

  /** A binary frame of the stream (stream-frames.ts); false where it is too long. */
  addFrame(header: string, data: Uint8Array): boolean {
    if (!this.#admits(frameBytes(header, data))) return false;
    this.#close(BINARY, writeFrame(this.#slab, this.#end + FRAME_HEAD_BYTES, { header, data }));
    return true;
  }

  /** All that was added since the last call. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  /** Makes room for a message of so many bytes. */
  #admits(bytes: number): boolean {
    if (bytes > MAX_MESSAGE_BYTES) return false;
    if (this.#end + FRAME_HEAD_BYTES + bytes > this.#slab.length) {
      if (this.bytes > 0) this.#full();
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = this.#end = 0;
    }
    return true;
  }

  /** Puts the head before a message that stands where it would have four bytes. */
  #close(head: number, length: number): void {
    const slab = this.#slab;
    const at = this.#end;
    slab[at] = head;
    if (length > 125) {
      slab[at + 1] = 126;
      slab.writeUInt16BE(length, at + 2);
      this.#end = at + FRAME_HEAD_BYTES + length;
    } else {
      slab[at + 1] = length;
      slab.copyWithin(at + 2, at + FRAME_HEAD_BYTES, at + FRAME_HEAD_BYTES + length);
      this.#end = at + 2 + length;
    }
  }
}
