// What is on its way to one client. Its socket is never waited for: readers of history write while little is unsent and
// go on when the client has read; what is live may pile up to the hard limit, and a client that leaves it there is closed.
// The invariant: unsent bytes stay below the hard limit and one message; what is held for them, below the hard limit.

import { FrameBatch } from './frame-batch.js';
import { frameHead } from './stream-frames.js';
import { CLOSE_CODES, type ServerMessage } from './stream-messages.js';

/** What is needed of a WebSocket; `ws` has it. */
export interface Socket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array, options: SendOptions, sent: () => void): void;
  close(code: number, reason: string): void;
}

export interface SendOptions {
  readonly binary: boolean;
  /** Whether the message ends here. */
  readonly fin: boolean;
}

/** The network under it; `net.Socket` has it. */
export interface Connection {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, written: () => void): void;
}

/** Of a WebSocket: neither side has begun to close. */
const OPEN = 1;

const TEXT: SendOptions = { binary: false, fin: true };
const BINARY: SendOptions = { binary: true, fin: true };
const BINARY_BEGINS: SendOptions = { binary: true, fin: false };

/** What the data of a frame stand in: the memory that is not free until they are out. */
export interface Held {
  readonly bytes: number;
  release(): void;
}

export interface OutboxLimits {
  /** Below it a client counts as reading: history is sent on. */
  readonly highWaterBytes: number;
  /** Above it nothing more is written. */
  readonly hardLimitBytes: number;
  /**
   * How long a client may stay between the two once the hard limit was passed. Many messages may be made in one turn
   * of the event loop, in which no client can read: passing the limit alone says nothing about the client.
   */
  readonly graceMs: number;
}

export interface OutboxOptions {
  readonly socket: Socket;
  readonly connection: Connection;
  readonly limits: OutboxLimits;
  /** Called once, when the server gives the client up. */
  readonly onClosed: (reason: { readonly code: number; readonly error?: unknown }) => void;
}

export class Outbox {
  readonly limits: OutboxLimits;
  readonly #options: OutboxOptions;
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();
  #grace: NodeJS.Timeout | undefined;
  readonly #batch = new FrameBatch(() => this.#flush());
  #heldBytes = 0;
  #corked = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.limits = options.limits;
  }

  get reading(): boolean {
    return this.#unsent <= this.limits.highWaterBytes;
  }

  /** The bytes that may be sent before nothing more is written. */
  get room(): number {
    return this.limits.hardLimitBytes - this.#unsent;
  }

  send(message: ServerMessage): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    if (this.#closed) return;
    this.#flush();
    this.#cork();
    this.#socket.send(text, TEXT, this.#sent);
  }

  /** One of many short messages: goes out with the others at the end of the turn. */
  addText(text: string): void {
    if (this.#closed) return;
    this.#cork();
    if (!this.#batch.addText(text)) this.sendText(text);
  }

  /**
   * A binary frame. Its data, where they are many, are not copied but held until they are out, unless this client holds
   * much already: what is held may be far more than what is sent.
   */
  addFrame(header: string, data: Uint8Array, held: Held): void {
    if (this.#closed) return held.release();
    this.#cork();
    if (this.#batch.addFrame(header, data)) return held.release();
    this.#flush();
    this.#socket.send(frameHead(header), BINARY_BEGINS, this.#sent);
    if (this.#heldBytes + held.bytes > this.limits.hardLimitBytes) {
      this.#socket.send(Buffer.from(data), BINARY, this.#sent);
      return held.release();
    }
    this.#heldBytes += held.bytes;
    this.#socket.send(data, BINARY, () => {
      this.#heldBytes -= held.bytes;
      held.release();
      this.#sent();
    });
  }

  /** Whether history may be written now; if not, `resume` is called once when it may. */
  admitsHistory(resume: () => void): boolean {
    if (this.#closed || this.reading) return true;
    this.#waiting.add(resume);
    return false;
  }

  /** Whether a change that was just made may be written now; if not, `resume` is called once, or the socket is closed. */
  admitsLive(resume: () => void): boolean {
    if (this.#closed || this.#unsent <= this.limits.hardLimitBytes) return true;
    this.#waiting.add(resume);
    this.#grace ??= setTimeout(() => {
      if (!this.reading) this.#close(CLOSE_CODES.tooSlow, 'too slow');
    }, this.limits.graceMs).unref();
    return false;
  }

  /** For what should not have happened: the client can come back and read on from the last revision it saw. */
  fail(error: unknown): void {
    this.#close(CLOSE_CODES.internalError, 'something went wrong in the server', error);
  }

  /** Nothing is sent, and nobody resumed, from now on. */
  dispose(): void {
    this.#closed = true;
    clearTimeout(this.#grace);
    this.#waiting.clear();
  }

  /** Messages made one right after the other are one write to the network: a message alone costs four times as much. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#options.connection.cork();
    // After all that is settled by now has been answered.
    process.nextTick(this.#uncork);
  }

  get #unsent(): number {
    return this.#socket.bufferedAmount + this.#batch.bytes;
  }

  #flush(): void {
    if (this.#batch.bytes === 0) return;
    const bytes = this.#batch.take();
    if (this.#socket.readyState === OPEN) this.#options.connection.write(bytes, this.#sent);
  }

  readonly #uncork = (): void => {
    this.#flush();
    this.#corked = false;
    this.#options.connection.uncork();
  };

  #close(code: number, reason: string, error?: unknown): void {
    if (this.#closed) return;
    this.#flush();
    this.dispose();
    this.#socket.close(code, reason);
    this.#options.onClosed({ code, ...(error !== undefined && { error }) });
  }

  readonly #sent = (): void => {
    if ((this.#waiting.size === 0 && this.#grace === undefined) || !this.reading) return;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  };
}
