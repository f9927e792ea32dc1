// JSON bodies in and out: what is not JSON, or would reach an object's prototype, is 400 with the place named.
// Only JSON bodies are read: a form or text/plain, which any page may send here, is 415.
// A large body with tensors in it arrives in shared memory, where a worker reads its numbers (large-json.ts).

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { ApiError } from '../errors.js';
import { stringifyAnswer } from '../tensor/json.js';
import { collect } from './body.js';
import { LARGE_BYTES, type LargeJson } from './large-json.js';

type Done = (error: Error | null, body?: unknown) => void;

export function readJson(app: FastifyInstance, large: LargeJson): void {
  const secure = app.getDefaultJsonParser('error', 'error');
  const parse = (request: FastifyRequest, text: string, done: Done): void => {
    void secure(request, text, (error, body) => done(error === null ? null : explain(text), body));
  };
  const parsed = (request: FastifyRequest, text: string): Promise<unknown> =>
    new Promise((resolve, reject) =>
      parse(request, text, (error, body) => (error === null ? resolve(body) : reject(error))),
    );
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload: Readable, done: Done) => {
    const announced = Number(request.headers['content-length']);
    if (announced >= LARGE_BYTES && request.routeOptions.config.tensors && payload === request.raw) {
      large.receive(request, payload, { bytes: announced, parsed }).then((body) => done(null, body), done);
      return;
    }
    collect(request, payload, (error, chunks, bytes) => {
      if (error) return done(error);
      if (bytes >= LARGE_BYTES && request.routeOptions.config.tensors) {
        large.place(request, chunks, { bytes, parsed }).then((body) => done(null, body), done);
        return;
      }
      const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
      parse(request, whole.toString('utf8'), done);
    });
  });
  app.setSerializerCompiler(() => serialize);
  app.setReplySerializer(serialize);
}

/** Bytes in shared memory are no Buffer to Fastify, and come here as if they were a body. */
const serialize = (body: unknown): string =>
  Buffer.isBuffer(body) ? (body as unknown as string) : stringifyAnswer(body);

/** Only for a text that was refused: parses it again for the reason. */
function explain(text: string): ApiError {
  try {
    JSON.parse(text);
    return new ApiError('INVALID_JSON', ['it has a key __proto__ or constructor.prototype']);
  } catch (error) {
    return new ApiError('INVALID_JSON', [text === '' ? 'it is empty' : (error as Error).message]);
  }
}
