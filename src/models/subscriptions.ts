// What one client watches. Each subscription has a reader per model: a place in that model's log, from which changes are
// sent in order, without a hole or a duplicate. Nothing is queued here: what a client has not been sent is in the log.

import { ApiError, type ErrorCode, type Fault } from '../errors.js';
import type { AlertLog } from './alert-log.js';
import type { ChangeLog } from './change-log.js';
import type { ChangeTexts } from './change-text.js';
import { LogReader } from './log-reader.js';
import type { Outbox } from './outbox.js';
import type { ProgressMessage, SubscribeMessage, SubscriptionId } from './stream-messages.js';

/** A model, as far as its watchers know it. */
export interface Watchable {
  readonly name: string;
  readonly epoch: string;
  readonly revision: number;
  readonly log: ChangeLog;
  readonly alerts: AlertLog;
}

/** The models there are. A model is removed before its log is cleared. */
export interface Directory {
  find(name: string): Watchable | undefined;
  all(): Iterable<Watchable>;
  /** Returns the listener's removal. */
  onAdded(listener: (model: Watchable) => void): () => void;
  onRemoved(listener: (model: Watchable) => void): () => void;
  /** Told where a model's training is, now and then, and when it is over. */
  onProgress(listener: (progress: JobProgress) => void): () => void;
}

/** How far a job is that trains a model. */
export type JobProgress = Omit<ProgressMessage, 'type' | 'id'>;

export interface SubscriptionLimits {
  readonly maxSubscriptions: number;
  readonly maxModelsPerSubscription: number;
}

export interface SubscriberOptions {
  readonly directory: Directory;
  readonly outbox: Outbox;
  readonly texts: ChangeTexts;
  readonly limits: SubscriptionLimits;
  /** The only model this client may watch. */
  readonly only?: string | undefined;
}

interface Subscription {
  readonly id: SubscriptionId;
  readonly request: SubscribeMessage;
  /** null: all, present and future. */
  readonly names: ReadonlySet<string> | null;
  readonly readers: Map<string, LogReader>;
}

/**
 * Where a subscription begins: the last revision its client has seen, -1 if that was of another epoch. Whoever said it
 * may have missed alerts of that revision too: they are told again.
 */
interface Start {
  readonly model: Watchable;
  readonly after: number;
  readonly resumes: boolean;
}

const ANOTHER_EPOCH = -1;

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #subscriptions = new Map<SubscriptionId, Subscription>();
  readonly #stopListening: readonly (() => void)[];

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#stopListening = [
      options.directory.onAdded((model) => this.#added(model)),
      options.directory.onRemoved((model) => this.#removed(model)),
      options.directory.onProgress((progress) => this.#progressed(progress)),
    ];
  }

  /** Answers `subscribed`, then goes on sending. Throws ApiError with everything wrong; nothing is subscribed then. */
  subscribe(request: SubscribeMessage): void {
    const { outbox, limits } = this.#options;
    if (this.#subscriptions.size >= limits.maxSubscriptions) {
      throw new ApiError('QUOTA_EXCEEDED', [`a socket has at most ${limits.maxSubscriptions} subscriptions`]);
    }
    const { names, starts, gone } = this.#resolve(request);
    const id = request.id ?? this.#freeId();
    const subscription: Subscription = { id, request, names, readers: new Map() };
    this.#subscriptions.set(id, subscription);

    const models = starts.map(
      ({ model: { name, epoch, log } }) => [name, { revision: log.revision, epoch }] as const,
    );
    const [first] = starts;
    outbox.send({
      type: 'subscribed',
      id,
      models: Object.fromEntries(models),
      ...(starts.length === 1 && first && { revision: first.model.log.revision }),
    });
    for (const { name, epoch, after } of gone)
      outbox.send({ type: 'deleted', id, model: name, epoch, revision: after });
    for (const start of starts) this.#follow(subscription, start);
  }

  /** Answers `unsubscribed`; no message of that subscription comes after it. */
  unsubscribe(id: SubscriptionId): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) {
      throw new ApiError(
        'INVALID_REQUEST',
        [],
        [{ path: 'id', message: `there is no subscription ${JSON.stringify(id)}` }],
      );
    }
    this.#subscriptions.delete(id);
    for (const reader of subscription.readers.values()) reader.stop();
    this.#options.outbox.send({ type: 'unsubscribed', id });
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    for (const { readers } of this.#subscriptions.values())
      for (const reader of readers.values()) reader.stop();
    this.#subscriptions.clear();
  }

  #follow(subscription: Subscription, { model, after, resumes }: Start): void {
    const { id, request, readers } = subscription;
    const reader = new LogReader({
      id,
      model,
      after,
      resumes,
      request,
      outbox: this.#options.outbox,
      texts: this.#options.texts,
      onEnd: (successor) => {
        readers.delete(model.name);
        if (successor) this.#follow(subscription, fromFirst(successor));
      },
    });
    readers.set(model.name, reader);
    reader.start();
  }

  /** Progress is of the moment: who does not read it now is not told later, but for the end. */
  #progressed(progress: JobProgress): void {
    const { outbox } = this.#options;
    for (const { id, names, request } of this.#subscriptions.values()) {
      if (names && !names.has(progress.model)) continue;
      if (request.kinds && !request.kinds.includes('train')) continue;
      if (progress.status === 'running' && !outbox.reading) continue;
      outbox.send({ type: 'progress', id, ...progress });
    }
  }

  #added(model: Watchable): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.names && !subscription.names.has(model.name)) continue;
      const before = subscription.readers.get(model.name);
      // The end of the one before is told first.
      if (before) before.succeed(model);
      else this.#follow(subscription, fromFirst(model));
    }
  }

  #removed(model: Watchable): void {
    for (const { readers } of this.#subscriptions.values()) readers.get(model.name)?.end(model);
  }

  #resolve(request: SubscribeMessage) {
    const { directory, limits } = this.#options;
    const faults: Fault[] = [];
    if (request.id !== undefined && this.#subscriptions.has(request.id)) {
      faults.push({ path: 'id', message: `there is already a subscription ${JSON.stringify(request.id)}` });
    }
    const names = this.#names(request.models, faults);
    if (names && names.size > limits.maxModelsPerSubscription) {
      const message = `at most ${limits.maxModelsPerSubscription} models; leave it out to watch all`;
      faults.push({ path: 'models', message });
    }
    const afters = byModel<number>('after', request.after, names, faults);
    const epochs = byModel<string>('epoch', request.epoch, names, faults);
    refuse('INVALID_REQUEST', [], faults);

    const missing = [...(names ?? [])].filter((name) => !directory.find(name));
    refuse(
      'MODEL_NOT_FOUND',
      missing.slice(0, 1),
      missing.map((name) => ({
        path: request.models ? `models[${request.models.indexOf(name)}]` : '',
        message: `there is no model named ${name}`,
      })),
    );

    const present = names ? [...names].map((name) => directory.find(name)) : [...directory.all()];
    const starts: Start[] = [];
    const future: { after: number; revision: number; fault: Fault }[] = [];
    for (const model of present) {
      if (model === undefined) continue;
      const { revision } = model.log;
      const after = afters.get(model.name) ?? revision;
      const epoch = epochs.get(model.name) ?? model.epoch;
      const resumes = afters.has(model.name);
      if (epoch !== model.epoch) starts.push({ model, after: ANOTHER_EPOCH, resumes: false });
      else if (after <= revision) starts.push({ model, after, resumes });
      else {
        const message = `revision ${after} is in the future: ${model.name} is at ${revision}`;
        future.push({ after, revision, fault: { path: `after.${model.name}`, message } });
      }
    }
    const [first] = future;
    refuse(
      'REVISION_UNKNOWN',
      first ? [first.after, first.revision] : [],
      future.map(({ fault }) => fault),
    );

    // Who watches all and was away: what it knew and is no more, it is told of.
    const gone = [...afters]
      .filter(([name]) => !directory.find(name))
      .map(([name, after]) => ({ name, after, epoch: epochs.get(name) ?? null }));
    return { names, starts, gone };
  }

  #names(models: readonly string[] | undefined, faults: Fault[]): ReadonlySet<string> | null {
    const { only } = this.#options;
    if (only !== undefined) {
      if (models?.some((name) => name !== only)) {
        faults.push({ path: 'models', message: `this stream is about ${only} alone; leave models out` });
      }
      return new Set([only]);
    }
    if (models === undefined || models.includes('*')) return null;
    return new Set(models);
  }

  #freeId(): SubscriptionId {
    let number = this.#subscriptions.size + 1;
    while (this.#subscriptions.has(String(number))) number++;
    return String(number);
  }
}

function fromFirst(model: Watchable): Start {
  return { model, after: 0, resumes: true };
}

/** What was given for each model; one value is for one model. */
function byModel<T extends number | string>(
  field: string,
  given: T | Readonly<Record<string, T>> | undefined,
  names: ReadonlySet<string> | null,
  faults: Fault[],
): Map<string, T> {
  if (given === undefined) return new Map();
  if (typeof given === 'object') {
    const entries = new Map(Object.entries(given));
    for (const name of entries.keys()) {
      if (names && !names.has(name))
        faults.push({ path: `${field}.${name}`, message: 'is not among the models watched' });
    }
    return entries;
  }
  if (names?.size === 1) return new Map([...names].map((name) => [name, given]));
  faults.push({ path: field, message: `one ${field} is for one model; give an object with each model's` });
  return new Map();
}

function refuse(code: ErrorCode, values: readonly (string | number)[], faults: readonly Fault[]): void {
  if (faults.length > 0) throw new ApiError(code, values, faults);
}
