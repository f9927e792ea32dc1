// One client on the stream: reads its messages, answers each, and ends with its socket.
// A message that is wrong is answered with what is wrong; the socket lives on.

import { ApiError } from '../errors.js';
import type { ChangeTexts } from '../models/change-text.js';
import { Outbox, type OutboxLimits, type Socket } from '../models/outbox.js';
import {
  clientMessage,
  messageTypes,
  subscriptionId,
  type ClientMessage,
  type HelloMessage,
  type SubscriptionId,
} from '../models/stream-messages.js';
import { Subscriber, type Directory, type SubscriptionLimits } from '../models/subscriptions.js';
import { didYouMean, nearest } from '../nearest.js';
import { faultsOf } from './schema.js';

export type StreamLimits = OutboxLimits &
  SubscriptionLimits & {
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
  readonly directory: Directory;
  readonly texts: ChangeTexts;
  readonly limits: StreamLimits;
  readonly hello: HelloMessage;
  readonly only?: string | undefined;
  readonly log: { info(fields: object, text: string): void; error(fields: object, text: string): void };
}

type Handlers = {
  readonly [T in ClientMessage['type']]: (message: Extract<ClientMessage, { type: T }>) => void;
};

export class StreamSession {
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #subscriber: Subscriber;
  #missedBeats = 0;
  #ended = false;

  constructor(options: SessionOptions) {
    const { socket, directory, texts, limits, only } = options;
    this.#options = options;
    this.#outbox = new Outbox(socket, limits, ({ code, error }) => {
      this.close();
      // The client's answer to the closing frame is still to be read.
      socket.resume();
      if (error === undefined) options.log.info({ code }, 'a client of the stream was given up');
      else options.log.error({ code, err: error }, 'a client of the stream was given up');
    });
    this.#subscriber = new Subscriber({ directory, outbox: this.#outbox, texts, limits, only });
    this.#outbox.send(options.hello);
  }

  receive(data: { toString(): string }, isBinary: boolean): void {
    this.alive();
    if (this.#ended) return;
    let given: unknown;
    try {
      given = isBinary ? refuseBinary() : parseJson(data.toString());
      this.#answer(parseMessage(given));
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
    this.#outbox.dispose();
  }

  readonly #resume = (): void => this.#options.socket.resume();

  readonly #handlers: Handlers = {
    subscribe: (message) => this.#subscriber.subscribe(message),
    unsubscribe: ({ id }) => this.#subscriber.unsubscribe(id),
    ping: ({ id }) => this.#outbox.send({ type: 'pong', ...(id !== undefined && { id }) }),
  };

  #answer<T extends ClientMessage['type']>(message: Extract<ClientMessage, { type: T }>): void {
    const handler = this.#handlers[message.type];
    handler(message);
  }

  #tellError(error: unknown, given: unknown): void {
    if (!(error instanceof ApiError)) return this.#outbox.fail(error);
    const id = idOf(given);
    const { code, message: detail, errors = [] } = error;
    this.#outbox.send({ type: 'error', ...(id !== undefined && { id }), code, detail, errors: [...errors] });
  }
}

function refuseBinary(): never {
  throw invalid('', 'binary frames are not served here; send text');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError('INVALID_JSON', [], [{ path: '', message: (error as Error).message }]);
  }
}

function parseMessage(given: unknown): ClientMessage {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid('', 'a message is a JSON object with a type');
  }
  const type: unknown = 'type' in given ? given.type : undefined;
  const fields = typeof type === 'string' ? messageTypes.get(type) : undefined;
  if (fields === undefined) {
    const types = [...messageTypes.keys()];
    const near = typeof type === 'string' ? didYouMean(type, types) : '';
    throw invalid('type', type === undefined ? 'is required' : `must be one of ${types.join(', ')}${near}`);
  }
  const parsed = clientMessage.safeParse(given, {
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
