// Every message of the WebSocket stream, both ways: the schemas are the source of the types and of the documentation.
// Text frames, one JSON object each; tensors may also come and go in binary frames (stream-frames.ts).
//
// Revisions of a model are numbered without a hole, and a subscription looks at every one in order. With `prefix` or
// `kinds` those that do not match are passed over without a message: a gap between two `change` messages then means
// "nothing you asked for". Anything lost is said: `resync` when the log no longer has a revision, `deleted` at the end.

import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.js';
import { didYouMean } from '../nearest.js';
import { bins } from '../tensor/bins-schema.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { MAX_RANK } from '../tensor/shape.js';
import { WATCHED_NUMBERS } from './alert-log.js';
import { CHANGE_KINDS } from './change-log.js';
import { MAX_PATTERN } from '../nn/path-pattern.js';
import { captureSchema, interventionsSchema } from './inside-schema.js';
import { STATUSES } from './training.js';

export const subscriptionId = z.union(
  [z.string().max(128), z.int()],
  'must be a string of at most 128 characters, or a whole number',
);
const revision = z.int().min(0);
const epoch = z.string().max(128);
const modelName = z.string().min(1).max(64);

/** One of some words; a near miss is named. */
function oneOf<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, {
    error: ({ input }) =>
      `must be one of ${words.join(', ')}${typeof input === 'string' ? didYouMean(input, words) : ''}`,
  });
}

const DTYPE_NAMES = Object.keys(DTYPES) as [DType, ...DType[]];

export const DETAILS = ['none', 'stats', 'histogram', 'values'] as const;

// From the client.

export const subscribeMessage = z
  .strictObject({
    type: z.literal('subscribe'),
    /** Comes back in every message of this subscription; absent: the server makes one and says it in `subscribed`. */
    id: subscriptionId.optional(),
    /** Absent or ["*"]: all models, present and future. A name goes on after its model is deleted and made again. */
    models: z.array(modelName).min(1).optional(),
    /**
     * Only parameters one of whose names starts with it; a change that has none is passed over, unless it puts or removes
     * a module there.
     */
    prefix: z.string().max(4096).optional(),
    /** Only parameters of which a name matches one of these paths or globs; as with `prefix`. */
    paths: z.array(z.string().min(1).max(MAX_PATTERN)).min(1).max(64).optional(),
    kinds: z.array(oneOf(CHANGE_KINDS)).min(1).optional(),
    detail: oneOf(DETAILS).default('none'),
    /** With detail "histogram": how many bins, or their edges, ascending. */
    bins: bins.optional(),
    /** The last revision seen: a number for one model, else {model: revision}. Absent: from now on. */
    after: z
      .union(
        [revision, z.record(modelName, revision)],
        'must be a revision, or an object of revisions by model',
      )
      .optional(),
    /** The epoch `after` belongs to: a string for one model, else {model: epoch}. */
    epoch: z
      .union([epoch, z.record(modelName, epoch)], 'must be an epoch, or an object of epochs by model')
      .optional(),
  })
  .refine(({ detail, bins: given }) => given === undefined || detail === 'histogram', {
    path: ['bins'],
    message: 'are those of a histogram: detail must be histogram',
  });

export const unsubscribeMessage = z.strictObject({ type: z.literal('unsubscribe'), id: subscriptionId });

const modulePath = z.string('must be a path, e.g. "0.block 1.0"');

export const forwardMessage = z.strictObject({
  type: z.literal('forward'),
  /** Comes back in the answer: answers come as they are done, which may be in another order. */
  id: subscriptionId,
  /** May be left out where the stream is about one model. */
  model: modelName.optional(),
  /** The module to run alone; "" is the whole network. */
  module: modulePath.default(''),
  /** A tensor as anywhere: nested lists, a number, or an object of shape and data. */
  inputs: z.custom<unknown>((value) => value !== undefined, 'is required'),
  /** As over HTTP: the modules whose outputs are answered too, and what is another in this one forward. */
  capture: captureSchema.optional(),
  interventions: interventionsSchema.optional(),
});

export const pingMessage = z.strictObject({ type: z.literal('ping'), id: subscriptionId.optional() });

export const clientMessage = z.discriminatedUnion('type', [
  subscribeMessage,
  unsubscribeMessage,
  forwardMessage,
  pingMessage,
]);

/** Each type of message a client may send, with its fields. */
export const messageTypes: ReadonlyMap<string, readonly string[]> = new Map(
  clientMessage.options.map(({ shape }) => [shape.type.value, Object.keys(shape)]),
);

/** The header of a binary frame: the tensor's numbers come after it. */
export const forwardHeader = forwardMessage.omit({ inputs: true, capture: true }).extend({
  shape: z.array(z.int('must be a whole number').min(0, 'must not be negative')).max(MAX_RANK),
  dtype: oneOf(DTYPE_NAMES).default('float32'),
});

// From the server.

const errorCode = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);
const dtype = z.enum(DTYPE_NAMES);
const shape = z.array(z.int().min(0));
/** NaN and infinities are strings. */
const number = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);
const tensor = z.strictObject({ dtype, shape, data: z.array(z.unknown()) });

/** The first message on every socket. */
export const helloMessage = z.strictObject({
  type: z.literal('hello'),
  server: z.strictObject({ name: z.string(), version: z.string() }),
  limits: z.strictObject({
    max_message_bytes: z.int(),
    max_subscriptions: z.int(),
    max_models_per_subscription: z.int(),
    max_forwards: z.int(),
    high_water_bytes: z.int(),
    hard_limit_bytes: z.int(),
  }),
});

export const subscribedMessage = z.strictObject({
  type: z.literal('subscribed'),
  id: subscriptionId,
  models: z.record(z.string(), z.strictObject({ revision, epoch: z.string() })),
  /** Where the subscription is about one model: that model's. */
  revision: revision.optional(),
});

export const unsubscribedMessage = z.strictObject({ type: z.literal('unsubscribed'), id: subscriptionId });

export const changedParameter = z.strictObject({
  path: z.string(),
  aliases: z.array(z.string()),
  /** What of the parameter changed, where it is not its value: "grad", or an optimizer's name for its state. */
  field: z.string().optional(),
  index: z.string().nullable(),
  shape,
  dtype,
  /** With detail "values": the tensor at `index` (null: all of it) as of this revision; null where there is none any more. */
  value: tensor.nullable().optional(),
  /** With detail "stats": of the whole parameter as of this revision; null where they could not be computed. */
  stats: z.record(z.string(), z.unknown()).nullable().optional(),
});

export const changeMessage = z.strictObject({
  type: z.literal('change'),
  id: subscriptionId,
  model: z.string(),
  epoch: z.string(),
  revision,
  kind: z.enum(CHANGE_KINDS),
  time: z.iso.datetime(),
  /** With kinds "put_module" and "remove_module": where. */
  module: z.string().optional(),
  parameters: z.array(changedParameter),
});

/** A watchpoint's condition became true. It comes after the change of that revision, perhaps with later ones between. */
export const alertMessage = z.strictObject({
  type: z.literal('alert'),
  id: subscriptionId,
  model: z.string(),
  epoch: z.string(),
  revision,
  time: z.iso.datetime(),
  /** Its id. */
  watchpoint: z.string(),
  path: z.string(),
  aliases: z.array(z.string()),
  on: z.enum(WATCHED_NUMBERS),
  when: z.string(),
  stats: z.record(z.string(), z.unknown()),
});

/** What was to come cannot be told; read the model anew. The next change is the one after `revision`. */
export const resyncMessage = z.strictObject({
  type: z.literal('resync'),
  id: subscriptionId,
  model: z.string(),
  epoch: z.string(),
  revision,
  /** The oldest revision the log still has. */
  oldest: revision,
});

/** The model is gone, at its last revision. */
export const deletedMessage = z.strictObject({
  type: z.literal('deleted'),
  id: subscriptionId,
  model: z.string(),
  /** null where the model was gone before the subscription, which did not say its epoch. */
  epoch: z.string().nullable(),
  revision,
});

/** How far a training job is: at most twenty times a second, and when it is over. */
export const progressMessage = z.strictObject({
  type: z.literal('progress'),
  id: subscriptionId,
  model: z.string(),
  /** The job's id: GET /v1/jobs/{job}. */
  job: z.string(),
  status: z.enum(STATUSES),
  step: z.int(),
  steps: z.int(),
  /** Of the training, from 1: not the model's. */
  epoch: z.int(),
  epochs: z.int(),
  /** Of the last step; null before the first. */
  loss: number.nullable(),
  /** Of each parameter group. */
  lr: z.array(z.number()),
  /** Of all gradients together, before clipping. */
  grad_norm: number.nullable(),
  examples_per_second: z.number(),
  seconds: z.number(),
  seconds_left: z.number().nullable(),
});

/** What a forward gives, and the revision it belongs to. */
export const outputsMessage = z.strictObject({
  type: z.literal('outputs'),
  id: subscriptionId,
  model: z.string(),
  epoch: z.string(),
  revision,
  outputs: z.union([tensor, z.record(z.string(), tensor)]),
  /** By the paths of modules: tensors, or statistics. */
  captured: z.record(z.string(), z.union([tensor, z.record(z.string(), z.unknown())])).optional(),
});

/** The header of a binary frame, which answers a binary frame. */
export const outputsHeader = outputsMessage.omit({ outputs: true, captured: true }).extend({ shape, dtype });

export const pongMessage = z.strictObject({ type: z.literal('pong'), id: subscriptionId.optional() });

/** What is wrong with a message of the client's; the socket lives on. `id` is that message's, where it had one. */
export const errorMessage = z.strictObject({
  type: z.literal('error'),
  id: subscriptionId.optional(),
  code: errorCode,
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z.array(z.strictObject({ path: z.string(), message: z.string() })),
});

export const serverMessage = z.discriminatedUnion('type', [
  helloMessage,
  subscribedMessage,
  unsubscribedMessage,
  changeMessage,
  alertMessage,
  resyncMessage,
  deletedMessage,
  progressMessage,
  outputsMessage,
  pongMessage,
  errorMessage,
]);

export type SubscriptionId = z.infer<typeof subscriptionId>;
export type SubscribeMessage = z.infer<typeof subscribeMessage>;
export type ForwardMessage = z.infer<typeof forwardMessage>;
export type ForwardHeader = z.infer<typeof forwardHeader>;
export type ClientMessage = z.infer<typeof clientMessage>;
export type HelloMessage = z.infer<typeof helloMessage>;
export type ChangeMessage = z.infer<typeof changeMessage>;
export type ProgressMessage = z.infer<typeof progressMessage>;
export type ServerMessage = z.infer<typeof serverMessage>;

/** The fields of a forward, told by text or by a frame's header. */
export type PlainForward =
  ({ readonly frame: false } & ForwardMessage) | ({ readonly frame: true } & ForwardHeader);

/**
 * A forward with nothing wrong about its fields; undefined for any other message, of which the schemas say what it is.
 * They would take longer than all the rest of a small forward.
 */
export function plainForward(given: unknown): PlainForward | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  let type: unknown;
  let id: SubscriptionId | undefined;
  let model: string | undefined;
  let module = '';
  let inputs: unknown;
  let shape: number[] | undefined;
  let dtype: DType | undefined;
  // JSON's objects have no fields but their own; a pair for each of them would be to be made.
  for (const name in given) {
    const value = (given as Readonly<Record<string, unknown>>)[name];
    if (name === 'type') type = value;
    else if (name === 'inputs') inputs = value;
    else if (name === 'id' && isId(value)) id = value;
    else if (name === 'model' && isName(value)) model = value;
    else if (name === 'module' && typeof value === 'string') module = value;
    else if (name === 'shape' && isShape(value)) shape = value;
    else if (name === 'dtype' && isDType(value)) dtype = value;
    else return undefined;
  }
  if (type !== 'forward' || id === undefined) return undefined;
  if (shape === undefined) {
    if (inputs === undefined || dtype !== undefined) return undefined;
    return { frame: false, type, id, model, module, inputs };
  }
  return inputs === undefined
    ? { frame: true, type, id, model, module, shape, dtype: dtype ?? 'float32' }
    : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}

function isShape(value: unknown): value is number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK) return false;
  return value.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0);
}

function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(DTYPES, value);
}

function isId(value: unknown): value is SubscriptionId {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value.length <= 128);
}

/** Why the server closed a socket (RFC 6455, 7.4). */
export const CLOSE_CODES = {
  goingAway: 1001,
  internalError: 1011,
  tooSlow: 4008,
} as const;
