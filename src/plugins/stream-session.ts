// One client on the stream: reads its messages, answers each, and ends with its socket.
// A message that is wrong is answered with what is wrong; the socket lives on.

import type { z } from 'zod';
import { ApiError, problem } from '../errors.js';
import type { ChangeTexts } from '../models/change-text.js';
import { explain } from '../models/failures.js';
import { insideRequest } from '../models/inside.js';
import { Outbox, type Connection, type OutboxLimits, type Socket } from '../models/outbox.js';
import { StreamForwards, type RunnableDirectory } from '../models/stream-forwards.js';
import { frameTensor, readFrame, type Frame } from '../models/stream-frames.js';
import {
  clientMessage,
  forwardHeader,
  messageTypes,
  plainForward,
  subscriptionId,
  type ClientMessage,
  type ForwardHeader,
  type ForwardMessage,
  type HelloMessage,
  type SubscriptionId,
} from '../models/stream-messages.js';
import { Subscriber, type Directory, type SubscriptionLimits } from '../models/subscriptions.js';
import { didYouMean, nearest } from '../nearest.js';
import { faultsOf } from './schema.js';

export type StreamLimits = OutboxLimits &
  SubscriptionLimits & {
    /** That are not answered yet. */
    readonly maxForwards: number;
    /** A client from which nothing came for two of these is gone. */
    readonly heartbeatMs: number;
    /** Characters of written values kept for those who watch the same. */
    readonly keptTextLength: number;
  };

/** What is needed of a WebSocket besides sending; `ws` has it. */
export interface SessionSocket extends Socket {
  pause(): void;
  resume(): void;
  ping(): void;
  terminate(): void;
}

export interface SessionOptions {
  readonly socket: SessionSocket;
  readonly connection: Connection;
  readonly directory: Directory;
  readonly models: RunnableDirectory;
  readonly texts: ChangeTexts;
  readonly limits: StreamLimits;
  readonly hello: HelloMessage;
  readonly only?: string | undefined;
  readonly log: { info(fields: object, text: string): void; error(fields: object, text: string): void };
}

type Handlers = {
  readonly [T in ClientMessage['type']]: (
    message: Extract<ClientMessage, { type: T }>,
    bytes: number,
  ) => void;
};

const headerFields = Object.keys(forwardHeader.shape);

export class StreamSession {
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #subscriber: Subscriber;
  readonly #forwards: StreamForwards;
  #missedBeats = 0;
  #ended = false;

  constructor(options: SessionOptions) {
    const { socket, connection, directory, models, texts, limits, only } = options;
    this.#options = options;
    const onClosed = ({ code, error }: { readonly code: number; readonly error?: unknown }): void => {
      this.close();
      // The client's answer to the closing frame is still to be read.
      socket.resume();
      if (error === undefined) options.log.info({ code }, 'a client of the stream was given up');
      else options.log.error({ code, err: error }, 'a client of the stream was given up');
    };
    const outbox = new Outbox({ socket, connection, limits, onClosed });
    this.#outbox = outbox;
    this.#subscriber = new Subscriber({ directory, outbox, texts, limits, only });
    const refuse = (error: unknown, id: SubscriptionId): void => this.#tellError(error, { id });
    this.#forwards = new StreamForwards({ models, outbox, limits, refuse });
    this.#outbox.send(options.hello);
  }

  receive(data: Buffer, isBinary: boolean): void {
    this.alive();
    if (this.#ended) return;
    let given: unknown;
    try {
      if (isBinary) {
        const frame = readFrame(data);
        given = frame.header;
        this.#answerFrame(frame, data.length);
      } else {
        given = parseJson(data.toString());
        this.#answer(given, data.length);
      }
    } catch (error) {
      this.#tellError(error, given);
    }
    // Answers to a client that asks and does not read would pile up: it is not read either until it does.
    if (this.#outbox.admitsHistory(this.#resume)) return;
    this.#options.socket.pause();
  }

  alive(): void {
    this.#missedBeats = 0;
  }

  /** Called at each heartbeat. */
  beat(): void {
    if (this.#missedBeats >= 2) return this.#options.socket.terminate();
    this.#missedBeats++;
    this.#options.socket.ping();
  }

  close(): void {
    this.#ended = true;
    this.#subscriber.close();
    this.#forwards.close();
    this.#outbox.dispose();
  }

  readonly #resume = (): void => this.#options.socket.resume();

  readonly #handlers: Handlers = {
    subscribe: (message) => this.#subscriber.subscribe(message),
    unsubscribe: ({ id }) => this.#subscriber.unsubscribe(id),
    forward: (message, bytes) => this.#forward(message, bytes),
    ping: ({ id }) => this.#outbox.send({ type: 'pong', ...(id !== undefined && { id }) }),
  };

  #answer(given: unknown, bytes: number): void {
    const forward = plainForward(given);
    if (forward?.frame === false) this.#forward(forward, bytes);
    else this.#handle(parseMessage(given), bytes);
  }

  #handle<T extends ClientMessage['type']>(
    message: Extract<ClientMessage, { type: T }>,
    bytes: number,
  ): void {
    const handler = this.#handlers[message.type];
    handler(message, bytes);
  }

  #forward({ id, inputs, module, model, capture, interventions }: ForwardMessage, bytes: number): void {
    const inside = insideRequest({ capture, interventions });
    this.#forwards.ask({ id, inputs, module, inside, model: this.#modelOf(model), binary: false, bytes });
  }

  #answerFrame({ header, data }: Frame, bytes: number): void {
    const plain = plainForward(header);
    const asked = plain?.frame === true ? plain : parseHeader(header);
    const { id, module, shape, dtype, model, interventions } = asked;
    const inputs = frameTensor(data, { shape, dtype });
    const inside = insideRequest({ interventions });
    this.#forwards.ask({ id, inputs, module, inside, model: this.#modelOf(model), binary: true, bytes });
  }

  #modelOf(model: string | undefined): string {
    const { only } = this.#options;
    if (model === undefined && only === undefined) throw invalid('model', 'is required');
    if (model !== undefined && only !== undefined && model !== only)
      throw invalid('model', `this stream is about ${only} alone; leave model out`);
    return (model ?? only)!;
  }

  #tellError(given: unknown, message: unknown): void {
    const error = explain(given);
    if (!(error instanceof ApiError)) return this.#outbox.fail(error);
    const id = idOf(message);
    const { code, title, status, detail, errors = [] } = problem(error);
    this.#outbox.send({
      type: 'error',
      ...(id !== undefined && { id }),
      code,
      title,
      status,
      detail,
      errors: [...errors],
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError('INVALID_JSON', [], [{ path: '', message: (error as Error).message }]);
  }
}

/** Throws INVALID_REQUEST for what is no object. */
function typeOf(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid('', 'a message is a JSON object with a type');
  }
  return 'type' in given ? given.type : undefined;
}

function parseMessage(given: unknown): ClientMessage {
  const type = typeOf(given);
  const fields = typeof type === 'string' ? messageTypes.get(type) : undefined;
  if (fields === undefined) {
    const types = [...messageTypes.keys()];
    const near = typeof type === 'string' ? didYouMean(type, types) : '';
    throw invalid('type', type === undefined ? 'is required' : `must be one of ${types.join(', ')}${near}`);
  }
  return check(clientMessage, given, fields);
}

function parseHeader(given: unknown): ForwardHeader {
  if (typeOf(given) !== 'forward') throw invalid('type', 'must be forward; other messages are text');
  return check(forwardHeader, given, headerFields);
}

function check<S extends z.ZodType>(schema: S, given: unknown, fields: readonly string[]): z.output<S> {
  const parsed = schema.safeParse(given, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return unknownFields(issue.keys, fields);
      return issue.code === 'invalid_type' && issue.input === undefined ? 'is required' : undefined;
    },
  });
  if (!parsed.success) throw new ApiError('INVALID_REQUEST', [], faultsOf(parsed.error));
  return parsed.data;
}

/** One line for each key, as faultsOf takes them. */
function unknownFields(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => {
      const near = nearest(key, known);
      return near === undefined
        ? `unknown field; the fields are ${known.join(', ')}`
        : `unknown field; did you mean ${near}?`;
    })
    .join('\n');
}

/** A wrong message's id, if that at least is right. */
function idOf(given: unknown): SubscriptionId | undefined {
  if (typeof given !== 'object' || given === null || !('id' in given)) return undefined;
  return subscriptionId.safeParse(given.id).data;
}

function invalid(path: string, message: string): ApiError {
  return new ApiError('INVALID_REQUEST', [], [{ path, message }]);
}
