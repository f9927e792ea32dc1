// Reads a request's body from its stream, bounded, and into memory that is there already.

import type { FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { ApiError } from '../errors.js';

/** What unpacks a compressed body counts what came over the wire. */
type Payload = Readable & { readonly receivedEncodedLength?: number };

/** Calls back with the body's chunks, or with BODY_TOO_LARGE or BAD_REQUEST. */
export function collect(
  request: FastifyRequest,
  payload: Payload,
  done: (error: Error | null, chunks: Buffer[], bytes: number) => void,
): void {
  const limit = request.server.initialConfig.bodyLimit!;
  const announced = Number(request.headers['content-length']);
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (announced > limit) return done(tooLarge(limit), chunks, 0);
  const settle = (error: Error | null): void => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
    done(error, chunks, bytes);
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > limit || (payload.receivedEncodedLength ?? 0) > limit) settle(tooLarge(limit));
  };
  const onEnd = (): void => {
    const received = payload.receivedEncodedLength ?? bytes;
    settle(Number.isNaN(announced) || received === announced ? null : wrongLength());
  };
  const onError = (error: Error): void => settle(told(error));
  payload.on('data', onData).on('end', onEnd).on('error', onError);
  // What unpacks a compressed body was paused, and listening alone does not wake it.
  payload.resume();
}

/** The same, as a promise. */
export function collected(
  request: FastifyRequest,
  payload: Payload,
): Promise<{ readonly chunks: Buffer[]; readonly bytes: number }> {
  return new Promise((resolve, reject) =>
    collect(request, payload, (error, chunks, bytes) =>
      error === null ? resolve({ chunks, bytes }) : reject(error),
    ),
  );
}

/** What came in place of the bytes that were expected. */
export type Received = { readonly complete: true } | { readonly complete: false; readonly bytes: number };

/** What is copied in one turn of the event loop, of all bodies together: a fifth of a millisecond. */
const TURN_BYTES = 262_144;

/** Node reads 2 MB of a connection before it looks at the others: a body that had its part of a turn waits for the next. */
class Turns {
  private left = TURN_BYTES;
  private readonly waiting = new Set<() => void>();

  /** Counts bytes that were read; true: no more in this turn, and `next` is called in the next one. */
  spend(bytes: number, next: () => void): boolean {
    if (this.left === TURN_BYTES) setImmediate(() => this.begin());
    this.left -= bytes;
    if (this.left > 0) return false;
    this.waiting.add(next);
    return true;
  }

  private begin(): void {
    this.left = TURN_BYTES;
    const next = [...this.waiting];
    this.waiting.clear();
    for (const resume of next) resume();
  }
}

const turns = new Turns();

/** Copies a body's bytes into `target` as they arrive. Rejects with BAD_REQUEST where the client hangs up. */
export function receiveInto(target: Uint8Array, payload: Payload): Promise<Received> {
  return new Promise((resolve, reject) => {
    let at = 0;
    const resume = (): void => void payload.resume();
    const settle = (end: () => void): void => {
      payload.off('data', onData).off('end', onEnd).off('close', onClose);
      end();
    };
    const onData = (chunk: Buffer): void => {
      const end = at + chunk.length;
      if (end > target.length) return settle(() => resolve({ complete: false, bytes: end }));
      target.set(chunk, at);
      at = end;
      if (turns.spend(chunk.length, resume)) payload.pause();
    };
    const onEnd = (): void =>
      settle(() => resolve(at === target.length ? { complete: true } : { complete: false, bytes: at }));
    const onError = (error: Error): void => settle(() => reject(told(error)));
    const onClose = (): void =>
      settle(() => reject(new ApiError('BAD_REQUEST', ['the body ended too early'])));
    payload.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    resume();
  });
}

export function tooLarge(limitBytes: number): ApiError {
  return new ApiError('BODY_TOO_LARGE', [limitBytes]);
}

export function wrongLength(): ApiError {
  return new ApiError('BAD_REQUEST', ['Content-Length is not the length of the body']);
}

/** A stream's error as the client's: it hung up, or what it sent does not unpack. */
function told(error: Error & { statusCode?: number }): Error {
  return error.statusCode === undefined ? new ApiError('BAD_REQUEST', ['the body ended too early']) : error;
}
