// Idempotency-Key: a request that was done is not done again. The first answer is kept, and given to whoever sends the same
// request under the same key; another request under it is refused, and one that comes while the first runs, too.
// What was refused for a moment (429, 5xx), or not begun as its client was gone, is forgotten: a retry may do better.

import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Transform, type Readable } from 'node:stream';
import { ApiError } from '../errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request with a key: whose answer is to be kept. */
    kept: Kept | null;
    /** What its body is, as far as it has been read. */
    fingerprint: ReturnType<typeof createHash> | null;
  }
}

export const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;
export const KEY_FAULT = 'must be 1 to 255 visible characters of ASCII';

/** A longer answer is not kept: a retry is told that it was done. */
const MAX_ANSWER_BYTES = 1 << 20;
const HEADERS = ['content-type', 'etag', 'location'] as const;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** null: too long to be kept. */
  readonly body: Buffer | null;
}

interface Kept {
  readonly key: string;
  readonly fingerprint: string;
  readonly at: number;
  answer: Answer | undefined;
}

export interface IdempotencyLimits {
  /** Keys that are kept, the latest. */
  readonly idempotencyKeys: number;
  readonly idempotencySeconds: number;
}

export function keepAnswers(app: FastifyInstance, limits: IdempotencyLimits): void {
  const all = new Map<string, Kept>();
  app.decorateRequest('kept', null);
  app.decorateRequest('fingerprint', null);

  const prune = (): void => {
    const oldest = performance.now() - limits.idempotencySeconds * 1000;
    for (const [key, kept] of all) {
      if (kept.at >= oldest && all.size < limits.idempotencyKeys) return;
      // One that runs stays: it would be done twice.
      if (kept.answer) all.delete(key);
    }
  };

  // What is read of the body is part of what the request is.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const key = keyOf(request);
    if (key === undefined) return done(null, payload);
    if (!KEY_PATTERN.test(key)) {
      const fault = { path: 'header.idempotency-key', message: KEY_FAULT };
      return done(new ApiError('INVALID_REQUEST', [], [fault]));
    }
    const hash = createHash('sha256').update(`${request.method} ${request.url}\n`);
    for (const name of ['content-type', 'if-match']) hash.update(`${String(request.headers[name])}\n`);
    request.fingerprint = hash;
    done(null, hashed(payload as Readable & { receivedEncodedLength?: number }, hash));
  });

  app.addHook('preHandler', (request, reply, done) => {
    if (!request.fingerprint) return done();
    const key = keyOf(request)!;
    const fingerprint = request.fingerprint.digest('base64');
    const known = all.get(key);
    if (!known) {
      prune();
      if (all.size >= limits.idempotencyKeys)
        return done(new ApiError('OVERLOADED', ['too many requests with keys run']));
      const kept = { key, fingerprint, at: performance.now(), answer: undefined };
      all.set(key, (request.kept = kept));
      return done();
    }
    if (known.fingerprint !== fingerprint) return done(new ApiError('IDEMPOTENCY_KEY_REUSED'));
    if (!known.answer) return done(new ApiError('IDEMPOTENCY_KEY_IN_USE'));
    replay(reply, known.answer);
  });

  app.addHook('onSend', (request, reply, payload: unknown, done) => {
    const { kept } = request;
    if (!kept) return done(null, payload);
    const keep = (body: Buffer | null): void => {
      kept.answer = { status: reply.statusCode, headers: headersOf(reply), body };
    };
    if (reply.statusCode === 429 || reply.statusCode >= 499) {
      all.delete(kept.key);
      request.kept = null;
    } else if (payload === undefined || payload === null) keep(Buffer.alloc(0));
    else if (typeof payload === 'string' || Buffer.isBuffer(payload)) {
      const body = Buffer.from(payload as string);
      keep(body.length <= MAX_ANSWER_BYTES ? body : null);
    } else return done(null, overheard(payload as Readable, keep));
    done(null, payload);
  });
}

function keyOf(request: FastifyRequest): string | undefined {
  if (!request.routeOptions.config.changes) return undefined;
  const given = request.headers['idempotency-key'];
  return given === undefined ? undefined : String(given);
}

function hashed(
  payload: Readable & { receivedEncodedLength?: number },
  hash: { update(chunk: Buffer): unknown },
) {
  const through = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      next(null, chunk);
    },
  });
  Object.defineProperty(through, 'receivedEncodedLength', { get: () => payload.receivedEncodedLength });
  payload.on('error', (error) => through.destroy(error));
  return payload.pipe(through);
}

/** The same stream, of which a copy is kept if it is short. */
function overheard(payload: Readable, keep: (body: Buffer | null) => void): Readable {
  const chunks: Buffer[] = [];
  let bytes = 0;
  payload.on('data', (chunk: Buffer | string) => {
    bytes += chunk.length;
    if (bytes <= MAX_ANSWER_BYTES) chunks.push(Buffer.from(chunk as Buffer));
  });
  // Cut off, it was done all the same.
  payload.once('close', () =>
    keep(payload.readableEnded && bytes <= MAX_ANSWER_BYTES ? Buffer.concat(chunks) : null),
  );
  payload.pause();
  return payload;
}

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(
    HEADERS.flatMap((name) => {
      const value = reply.getHeader(name);
      return value === undefined ? [] : [[name, String(value)]];
    }),
  );
}

function replay(reply: FastifyReply, { status, headers, body }: Answer): void {
  reply.header('idempotency-replayed', 'true');
  if (body) {
    reply.code(status).headers(headers);
    if (body.length > 0) reply.send(body);
    else reply.send();
    return;
  }
  throw new ApiError('IDEMPOTENCY_KEY_IN_USE', ['it was done; its answer was too long to be kept']);
}
