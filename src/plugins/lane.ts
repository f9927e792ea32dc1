// A short way for plain small forwards, past the framework: what Fastify does for any request costs more than these.
// The lane gives only plain 200 answers. Whatever is not plainly of this form, or goes wrong, goes the usual way, with
// the body as it was read and the forward as it was begun: so errors, limits and logs are the framework's alone.

import type { FastifyInstance, preParsingHookHandler } from 'fastify';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { forwardText, release } from '../models/forward-answer.js';
import { plainForward } from '../models/forward-request.js';
import type { Outputs } from '../models/forwards.js';
import type { Model } from '../models/model.js';
import type { Registry } from '../models/registry.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { SECURITY_HEADERS } from './headers.js';
import type { Refuse } from './refusal.js';

export interface LaneOptions {
  readonly models: Pick<Registry, 'find'>;
  /** Answers a forward that is refused; the lane and the usual way are for the others. */
  readonly refuse: Refuse;
  /** Whether the server serves now: what it refuses, the usual way refuses. */
  readonly admits: (model: Model, bodyBytes: number) => boolean;
  readonly bodyLimitBytes: number;
  /** Told of each answer. */
  readonly durations: { observe(milliseconds: number): void };
}

/** The route, as the framework knows it. */
export const LANE_ROUTE = '/v1/models/:model/forward';
const [BEFORE_NAME, AFTER_NAME] = LANE_ROUTE.split(':model') as [string, string];

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
/** What accepts JSON before anything else that there is. */
const ACCEPTED = new Set([undefined, '*/*', 'application/json', 'application/json, text/plain, */*']);
const CONTENT_TYPES = new Set(['application/json', 'application/json; charset=utf-8']);

/** Longer bodies are not read at once. */
const MAX_BODY_BYTES = 16_384;
/** As text they are below what is compressed (4096 bytes), whatever the numbers and names. */
const MAX_ANSWER_NUMBERS = 128;

const ANSWER_HEADERS = [
  ...SECURITY_HEADERS,
  'vary',
  'accept',
  'content-type',
  'application/json; charset=utf-8',
];

/** What the lane already has of a request that goes the usual way. */
interface Begun {
  readonly body: Buffer;
  readonly outcome: Promise<Outputs> | undefined;
}

const NOTHING = Buffer.alloc(0);

const begun = new WeakMap<IncomingMessage, Begun>();

/** preParsing of the route: the body, where the lane has read it. */
export const laneBody: preParsingHookHandler = (request, _reply, payload, done) => {
  const known = begun.get(request.raw);
  done(null, known === undefined ? payload : Readable.from([known.body]));
};

/** The forward that the lane has begun for a request. */
export function laneOutcome(request: IncomingMessage): Promise<Outputs> | undefined {
  return begun.get(request)?.outcome;
}

/** Puts the lane before the framework, whose listener is the first that the server has. */
export function openLane(
  app: FastifyInstance,
  { models, refuse, admits, bodyLimitBytes, durations }: LaneOptions,
): void {
  const [usual] = app.server.listeners('request') as [RequestListener];
  app.server.removeListener('request', usual);
  const maxBytes = Math.min(bodyLimitBytes, MAX_BODY_BYTES);
  app.server.on('request', (request, response) => {
    const name = wanted(request);
    const model = name === undefined ? undefined : models.find(name);
    if (model === undefined) return usual(request, response);
    if (refuse(model.line, request, response)) return;
    if (!isPlain(request, maxBytes) || !admits(model, Number(request.headers['content-length'])))
      return usual(request, response);
    const start = performance.now();
    let body: Buffer = NOTHING;
    const goOn = (outcome?: Promise<Outputs>): void => {
      begun.set(request, { body, outcome });
      usual(request, response);
    };
    request.on('data', (chunk: Buffer) => {
      body = body === NOTHING ? chunk : Buffer.concat([body, chunk]);
    });
    request.on('end', () => {
      const forward = plainForward(parsed(body));
      if (forward === undefined) return goOn();
      const outcome = model.forward(forward, { gone: () => response.destroyed });
      const refused = (): void => goOn(outcome);
      outcome.then((answer) => {
        const text = shortText(answer);
        if (text === undefined) {
          // Whether or not the usual way comes to answer with it.
          response.once('close', () => release(answer));
          return refused();
        }
        send(response, answer, text);
        durations.observe(performance.now() - start);
      }, refused);
    });
  });
}

/** The name of the model that a forward is for; it is not decoded, and need not be one. */
function wanted({ method, url }: IncomingMessage): string | undefined {
  if (method !== 'POST' || !url?.startsWith(BEFORE_NAME) || !url.endsWith(AFTER_NAME)) return undefined;
  return url.slice(BEFORE_NAME.length, -AFTER_NAME.length);
}

/** Whether a forward is of the lane's form. */
function isPlain({ headers }: IncomingMessage, maxBytes: number): boolean {
  if (!CONTENT_TYPES.has(headers['content-type'] ?? '') || !ACCEPTED.has(headers.accept)) return false;
  const length = headers['content-length'];
  if (length === undefined || Number(length) > maxBytes) return false;
  for (const name in headers) if (!HEADERS.has(name)) return false;
  return true;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** undefined where the answer is not short, or there is something wrong with it. */
function shortText(answer: Outputs): string | undefined {
  const { outputs } = answer;
  if (!(outputs instanceof TensorValue) || outputs.data.length > MAX_ANSWER_NUMBERS) return undefined;
  try {
    return forwardText(answer);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, { epoch, revision }: Outputs, text: string): void {
  response.writeHead(200, [
    ...ANSWER_HEADERS,
    'etag',
    `"${epoch}-${revision}"`,
    'content-length',
    String(Buffer.byteLength(text)),
  ]);
  response.end(text);
}
