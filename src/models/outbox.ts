// What is on its way to one client. Its socket is never waited for: readers of history write while little is unsent and
// go on when the client has read; what is live may pile up to the hard limit, and a client that leaves it there is closed.
// The invariant: unsent bytes stay below the hard limit and one message.

import { CLOSE_CODES, type ServerMessage } from './stream-messages.js';

/** What is needed of a WebSocket; `ws` has it. */
export interface Socket {
  readonly bufferedAmount: number;
  send(text: string, sent: () => void): void;
  close(code: number, reason: string): void;
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

export class Outbox {
  readonly limits: OutboxLimits;
  readonly #socket: Socket;
  readonly #onClosed: (reason: { readonly code: number; readonly error?: unknown }) => void;
  readonly #waiting = new Set<() => void>();
  #grace: NodeJS.Timeout | undefined;
  #closed = false;

  /** `onClosed` is called once, when the server gives the client up. */
  constructor(
    socket: Socket,
    limits: OutboxLimits,
    onClosed: (reason: { readonly code: number; readonly error?: unknown }) => void,
  ) {
    this.#socket = socket;
    this.limits = limits;
    this.#onClosed = onClosed;
  }

  get reading(): boolean {
    return this.#socket.bufferedAmount <= this.limits.highWaterBytes;
  }

  send(message: ServerMessage): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    if (!this.#closed) this.#socket.send(text, this.#sent);
  }

  /** Whether history may be written now; if not, `resume` is called once when it may. */
  admitsHistory(resume: () => void): boolean {
    if (this.#closed || this.reading) return true;
    this.#waiting.add(resume);
    return false;
  }

  /** Whether a change that was just made may be written now; if not, `resume` is called once, or the socket is closed. */
  admitsLive(resume: () => void): boolean {
    if (this.#closed || this.#socket.bufferedAmount <= this.limits.hardLimitBytes) return true;
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

  #close(code: number, reason: string, error?: unknown): void {
    if (this.#closed) return;
    this.dispose();
    this.#socket.close(code, reason);
    this.#onClosed({ code, ...(error !== undefined && { error }) });
  }

  readonly #sent = (): void => {
    if (!this.reading) return;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  };
}
