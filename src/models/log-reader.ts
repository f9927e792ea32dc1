// One subscription's place in one model's log. Sends what fits: the client has been told of every change up to the place.
// Waits for workers (statistics) and for the client's socket, never the other way round.

import { PathPattern } from '../nn/path-pattern.js';
import type { Alert } from './alert-log.js';
import type { Change, ChangedParameter } from './change-log.js';
import type { ChangeTexts } from './change-text.js';
import type { Outbox } from './outbox.js';
import type { SubscribeMessage, SubscriptionId } from './stream-messages.js';
import type { Watchable } from './subscriptions.js';

export interface LogReaderOptions {
  readonly id: SubscriptionId;
  readonly model: Watchable;
  /** The last revision the client has seen; -1 where that was of another epoch. */
  readonly after: number;
  /** Whether the client is to be told of alerts from `after` on, or only of those to come. */
  readonly resumes: boolean;
  readonly request: Pick<SubscribeMessage, 'detail' | 'bins' | 'prefix' | 'paths' | 'kinds'>;
  readonly outbox: Outbox;
  readonly texts: ChangeTexts;
  /** The model is gone and its client knows; the successor has its name now. */
  readonly onEnd: (successor: Watchable | undefined) => void;
}

/** What to do after a step: the next, wait to be called again, or wait for a worker first. */
type Step = 'again' | 'wait' | Promise<void>;

export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #kinds: ReadonlySet<string> | undefined;
  readonly #patterns: readonly PathPattern[] | undefined;
  #place: number;
  /** In the log of alerts. */
  #alertPlace: number;
  /** Whether the client has been sent all there was: what comes then is live, not history. */
  #live = false;
  /** The model's last revision, once it is gone. */
  #last: number | undefined;
  #successor: Watchable | undefined;
  #stopListening: readonly (() => void)[] = [];
  #running = false;
  #stopped = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#place = options.after;
    const { alerts } = options.model;
    this.#alertPlace = options.resumes ? alerts.placeOf(options.after) : alerts.end;
    this.#kinds = options.request.kinds && new Set(options.request.kinds);
    this.#patterns = options.request.paths?.map((path) => new PathPattern(path));
  }

  start(): void {
    const { log, alerts } = this.#options.model;
    this.#stopListening = [log.subscribe(this.#run), alerts.subscribe(this.#run)];
    this.#run();
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stopListening) stop();
    this.#stopListening = [];
  }

  /** The model was removed: its client is sent what the log still has, then `deleted`. */
  end(model: Watchable): void {
    if (model === this.#successor) this.#successor = undefined;
    if (model !== this.#options.model) return;
    this.#last = model.log.revision;
    this.#run();
  }

  /** Another model has the name of the one that ended. */
  succeed(model: Watchable): void {
    if (model !== this.#options.model) this.#successor = model;
  }

  /** Called by the log's appends, in the middle of a change to the model: nothing may be thrown there. */
  readonly #run = (): void => {
    if (this.#running) return;
    this.#running = true;
    try {
      let step: Step = 'again';
      while (!this.#stopped && step === 'again') {
        step = this.#step();
        if (step instanceof Promise) {
          void step.then(this.#runAgain, this.#fail);
          return;
        }
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#running = false;
  };

  readonly #runAgain = (): void => {
    this.#running = false;
    this.#run();
  };

  readonly #fail = (error: unknown): void => {
    this.stop();
    this.#options.outbox.fail(error);
  };

  #step(): Step {
    const { outbox, model } = this.#options;
    const { log } = model;
    const alert = this.#dueAlert();
    if (!alert && this.#place >= (this.#last ?? log.revision)) {
      this.#live = true;
      return this.#last === undefined ? 'wait' : this.#finish(this.#last);
    }
    const admitted = this.#live ? outbox.admitsLive(this.#run) : outbox.admitsHistory(this.#run);
    if (!admitted) return 'wait';
    if (alert) return this.#alert(alert);
    const change = this.#place + 1 < log.oldest ? undefined : log.read(this.#place, 1)[0];
    if (change !== undefined) return this.#tell(change);
    return this.#resync();
  }

  #tell(change: Change): Step {
    const { id, model, outbox, texts, request } = this.#options;
    const parameters = this.#matching(change);
    this.#place = change.revision;
    if (parameters === undefined) return 'again';
    const identity = { id, model: model.name, epoch: model.epoch };
    const text = texts.write(identity, change, { ...request, parameters });
    if (typeof text === 'string') {
      outbox.sendText(text);
      return 'again';
    }
    const release = model.log.hold(change.revision);
    return text.then((late) => void (this.#stopped || outbox.sendText(late))).finally(release);
  }

  /** An alert comes after the change at which it was found, as soon as it can. */
  #dueAlert(): Alert | undefined {
    const next = this.#options.model.alerts.next(this.#alertPlace);
    return next && next.alert.revision <= this.#place ? next.alert : undefined;
  }

  #alert(alert: Alert): Step {
    const { id, model, outbox } = this.#options;
    this.#alertPlace = model.alerts.next(this.#alertPlace)!.after;
    const { path, aliases, stats } = alert;
    if (![path, ...aliases].some((name) => this.#covers(name))) return 'again';
    const { name, epoch } = model;
    const told = { ...alert, aliases: [...aliases], stats: { ...stats } };
    outbox.send({ type: 'alert', id, model: name, epoch, ...told });
    return 'again';
  }

  /** The changed parameters asked for; undefined where the change is not. */
  #matching(change: Change): readonly ChangedParameter[] | undefined {
    if (this.#kinds && !this.#kinds.has(change.kind)) return undefined;
    const { prefix = '' } = this.#options.request;
    if (prefix === '' && !this.#patterns) return change.parameters;
    // A module at the prefix, below it or above it: what the client looks at is another tree now.
    const moved = change.module !== undefined && overlap(`${change.module}.`, prefix);
    const matching = change.parameters.filter(
      ({ path, aliases }) => this.#covers(path) || aliases.some((alias) => this.#covers(alias)),
    );
    return moved || matching.length > 0 ? matching : undefined;
  }

  /** Whether a name is one of those asked for. */
  #covers(name: string): boolean {
    const { prefix = '' } = this.#options.request;
    return name.startsWith(prefix) && (!this.#patterns || this.#patterns.some((one) => one.matches(name)));
  }

  /** The log no longer has what would come next: the client is to read the model anew. */
  #resync(): Step {
    const { id, model, outbox } = this.#options;
    const { revision, oldest } = model.log;
    this.#place = revision;
    outbox.send({ type: 'resync', id, model: model.name, epoch: model.epoch, revision, oldest });
    return 'again';
  }

  #finish(revision: number): Step {
    const { id, model, outbox, onEnd } = this.#options;
    this.stop();
    outbox.send({ type: 'deleted', id, model: model.name, epoch: model.epoch, revision });
    onEnd(this.#successor);
    return 'wait';
  }
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}
