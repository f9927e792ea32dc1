// A short way for plain small forwards, past the framework: what Fastify does for any request costs more than these.
// The lane gives only plain 200 answers. Whatever is not plainly of this form, or goes wrong, goes the usual way, with
// the body as it was read and the forward as it was begun: so errors, limits and logs are the framework's alone.

import type { FastifyInstance, preParsingHookHandler } from 'fastify';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { plainForward } from '../models/forward-request.js';
import type { Body } from '../models/model.js';
import type { Registry } from '../models/registry.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { stringifyAnswer } from '../tensor/json.js';
import { SECURITY_HEADERS } from './headers.js';

export interface LaneOptions {
  readonly models: Pick<Registry, 'find'>;
  /** Whether the server serves now: what it refuses, the usual way refuses. */
  readonly admits: () => boolean;
  /** Told of each answer. */
  readonly durations: { observe(milliseconds: number): void };
}

/** The route, as the framework knows it. */
export const LANE_ROUTE = '/v1/models/:model/forward';
const URL_PATTERN = /^\/v1\/models\/([A-Za-z0-9._-]{1,64})\/forward$/;

/** What says nothing that an answer of the lane depends on. With any other header a request goes the usual way. */
const HEADERS = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
]);
const CONTENT_TYPES = new Set(['application/json', 'application/json; charset=utf-8']);

/** Longer bodies are not read at once. */
const MAX_BODY_BYTES = 16_384;
/** Longer answers may be compressed. */
const MAX_ANSWER_NUMBERS = 128;

/** What the lane already has of a request that goes the usual way. */
interface Begun {
  readonly body: Buffer;
  readonly outcome?: Promise<Body>;
}

const begun = new WeakMap<IncomingMessage, Begun>();

/** preParsing of the route: the body, where the lane has read it. */
export const laneBody: preParsingHookHandler = (request, _reply, payload, done) => {
  const known = begun.get(request.raw);
  done(null, known === undefined ? payload : Readable.from([known.body]));
};

/** The forward that the lane has begun for a request. */
export function laneOutcome(request: IncomingMessage): Promise<Body> | undefined {
  return begun.get(request)?.outcome;
}

/** Puts the lane before the framework. */
export function openLane(app: FastifyInstance, options: LaneOptions): void {
  const [usual] = app.server.listeners('request') as [RequestListener];
  app.server.removeListener('request', usual);
  app.server.on('request', (request, response) => {
    const model = wanted(request);
    const found = model === undefined || !options.admits() ? undefined : options.models.find(model);
    if (found === undefined) return usual(request, response);
    const start = performance.now();
    let body: Buffer | undefined;
    request.on('data', (chunk: Buffer) => {
      body = body === undefined ? chunk : Buffer.concat([body, chunk]);
    });
    request.on('end', () => {
      const read = body ?? Buffer.alloc(0);
      const plain = plainForward(parsed(read));
      if (plain === undefined) {
        begun.set(request, { body: read });
        return usual(request, response);
      }
      const outcome = found.forward(plain);
      const goOn = (): void => {
        begun.set(request, { body: read, outcome });
        usual(request, response);
      };
      outcome.then((result) => {
        if (!isShort(result)) return goOn();
        send(response, result);
        options.durations.observe(performance.now() - start);
      }, goOn);
    });
  });
}

/** The name of the model that a request of the lane's form is about. */
function wanted({ method, url, headers }: IncomingMessage): string | undefined {
  if (method !== 'POST' || url === undefined) return undefined;
  const model = URL_PATTERN.exec(url)?.[1];
  if (model === undefined || !CONTENT_TYPES.has(headers['content-type'] ?? '')) return undefined;
  const length = headers['content-length'];
  if (length === undefined || Number(length) > MAX_BODY_BYTES) return undefined;
  for (const name in headers) if (!HEADERS.has(name)) return undefined;
  return model;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function isShort({ outputs }: Body): boolean {
  return outputs instanceof TensorValue && outputs.data.length <= MAX_ANSWER_NUMBERS;
}

function send(response: ServerResponse, body: Body): void {
  const text = stringifyAnswer(body);
  response.writeHead(200, [
    ...SECURITY_HEADERS,
    'etag',
    `"${String(body.epoch)}-${String(body.revision)}"`,
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(text)),
  ]);
  response.end(text);
}
