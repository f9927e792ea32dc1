// One condition on the statistics of the parameters that a pattern covers. It has a place in the model's log and reads on
// behind every change, on workers; nobody waits for it. Where the log has dropped what came next it looks at the present.

import type { Parameter } from '../nn/module.js';
import type { Condition } from '../nn/condition.js';
import type { Surveys } from '../runtime/surveys.js';
import { numberOf, type StatisticName, type Statistics } from '../tensor/statistics.js';
import type { AlertLog, Alert, WatchedNumbers } from './alert-log.js';
import type { Change, ChangedParameter, ChangeLog } from './change-log.js';
import { GRAD, gradientOf } from './companion.js';
import type { Structure } from './structure.js';
import type { Tensors } from './tensors.js';

/** What is needed of a model. */
export interface WatchedState {
  readonly revision: number;
  readonly structure: Structure;
  readonly tensors: Tensors;
  readonly log: ChangeLog;
  readonly alerts: AlertLog;
  readonly workplace: { readonly surveys: Surveys };
}

export interface WatchpointOptions {
  readonly id: string;
  readonly path: string;
  readonly covers: (path: string) => boolean;
  readonly when: string;
  readonly holds: Condition<StatisticName>;
  readonly on: WatchedNumbers;
}

interface Look {
  /** undefined: there are no such numbers. */
  readonly present: (state: WatchedState, parameter: Parameter) => Promise<Statistics> | undefined;
  /** What of a parameter they are, as changes name it. */
  readonly field: ChangedParameter['field'];
}

const LOOKS: Readonly<Record<WatchedNumbers, Look>> = {
  value: {
    present: ({ tensors, workplace }, parameter) =>
      workplace.surveys.statistics(tensors.get(parameter).region, parameter),
    field: undefined,
  },
  grad: {
    present: ({ tensors, workplace }, parameter) => {
      const gradient = gradientOf(parameter);
      const region = tensors.find(gradient)?.region;
      return region && workplace.surveys.statistics(region, gradient);
    },
    field: GRAD,
  },
};

interface Seen {
  readonly path: string;
  readonly aliases: readonly string[];
  /** undefined: there are no such numbers; null: a worker was lost. */
  readonly stats: Statistics | undefined | null;
}

export class Watchpoint {
  readonly options: WatchpointOptions;
  private readonly model: WatchedState;
  /** Whether the condition holds, by the first name of each parameter covered. */
  private readonly state = new Map<string, boolean>();
  private fired = 0;
  private lastAlert: Alert | undefined;
  /** The last revision looked at, and the tree whose parameters are all known. */
  private place = 0;
  private structure: Structure | undefined;
  private running = true;
  private closed = false;
  private waiting: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(model: WatchedState, options: WatchpointOptions) {
    this.model = model;
    this.options = options;
  }

  /** Looks at the present, without an alert. Rejects with WorkerLostError or PoolClosedError. */
  async begin(): Promise<void> {
    await this.lookAtAll({ quietly: true });
    this.running = false;
    this.run();
  }

  /** Called when there may be a change to look at. */
  run(): void {
    if (this.running || this.closed) return;
    this.running = true;
    void this.follow();
  }

  /** Resolves when all changes of now have been looked at. */
  upToDate(): Promise<void> {
    const { revision, structure } = this.model;
    if (this.closed || (this.place >= revision && this.structure === structure)) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ revision, resolve }));
  }

  /** No alert comes from now on. */
  close(): void {
    this.closed = true;
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  describe() {
    const { id, path, on, when } = this.options;
    const { watchpoint: _watchpoint, on: _on, when: _when, ...last } = this.lastAlert ?? {};
    return {
      id,
      path,
      on,
      when,
      evaluated: this.place,
      state: new Map(this.state),
      fired: this.fired,
      last_alert: this.lastAlert ? last : null,
    };
  }

  /** Between the last look around and `running = false` nothing waits: no change is missed. */
  private async follow(): Promise<void> {
    const { log } = this.model;
    while (!this.closed) {
      if (this.place < this.model.revision) {
        const [change] = this.place + 1 < log.oldest ? [] : log.read(this.place, 1);
        await (change ? this.lookAt(change) : this.lookAtAll());
      } else if (this.structure !== this.model.structure) {
        await this.lookAtAll();
      } else {
        break;
      }
    }
    this.running = false;
  }

  private async lookAt({ revision, parameters }: Change): Promise<void> {
    const wanted = LOOKS[this.options.on].field;
    const covered = parameters.filter(
      ({ path, aliases, field }) => field === wanted && this.covers([path, ...aliases]),
    );
    if (covered.length > 0) {
      const release = this.model.log.hold(revision);
      const seen = await Promise.all(
        covered.map(async ({ path, aliases, snapshot }) => ({
          path,
          aliases,
          stats: await again(() => snapshot?.statistics()),
        })),
      );
      release?.();
      this.settle(revision, seen);
    }
    this.reach(revision);
  }

  /** All parameters covered, as they are now. */
  private async lookAtAll({ quietly = false } = {}): Promise<void> {
    const { structure, revision } = this.model;
    const { present } = LOOKS[this.options.on];
    const covered = [...structure.namesOf].filter(([, names]) => this.covers(names));
    const seen = await Promise.all(
      covered.map(async ([parameter, [path, ...aliases]]) => {
        const look = () => present(this.model, parameter);
        return { path: path!, aliases, stats: await (quietly ? look() : again(look)) };
      }),
    );
    const known = new Set(seen.map(({ path }) => path));
    for (const path of this.state.keys()) if (!known.has(path)) this.state.delete(path);
    this.settle(revision, seen, quietly);
    this.structure = structure;
    this.reach(revision);
  }

  private covers(names: readonly string[]): boolean {
    return names.some((name) => this.options.covers(name));
  }

  private settle(revision: number, seen: readonly Seen[], quietly = false): void {
    if (this.closed) return;
    const { id, holds, when, on } = this.options;
    for (const { path, aliases, stats } of seen) {
      if (stats === null) continue;
      const before = this.state.get(path) ?? false;
      const now = stats !== undefined && holds((name) => numberOf(stats[name]));
      this.state.set(path, now);
      if (!now || before || quietly) continue;
      this.fired++;
      const time = new Date().toISOString();
      this.lastAlert = { revision, time, watchpoint: id, path, aliases, on, when, stats };
      this.model.alerts.append(this.lastAlert);
    }
  }

  private reach(revision: number): void {
    this.place = revision;
    if (this.structure !== this.model.structure) return;
    const reached = this.waiting.filter((waiter) => waiter.revision <= revision);
    this.waiting = this.waiting.filter((waiter) => waiter.revision > revision);
    for (const { resolve } of reached) resolve();
  }
}

/** A worker that is lost is replaced: once more; null where that one is lost too. */
async function again<T>(look: () => Promise<T> | undefined): Promise<T | undefined | null> {
  for (let attempt = 1; attempt <= 2; attempt++) {
    try {
      return await look();
    } catch {
      continue;
    }
  }
  return null;
}
