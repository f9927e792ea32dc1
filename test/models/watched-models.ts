// Models as their watchers see them: a log that is filled by hand, with snapshots whose holds are counted.

import { AlertLog } from '#src/models/alert-log.js';
import {
  ChangeLog,
  type Change,
  type ChangedParameter,
  type ChangeKind,
  type Snapshot,
} from '#src/models/change-log.js';
import type { Directory, JobProgress, Watchable } from '#src/models/subscriptions.js';
import type { Statistics } from '#src/tensor/statistics.js';
import { TensorValue } from '#src/tensor/tensor-value.js';

export class CountedSnapshot implements Snapshot {
  readonly bytes: number;
  releases = 0;
  reads = 0;
  readonly #values: readonly number[];
  readonly #statistics: () => Promise<Record<string, unknown>>;

  constructor(values: readonly number[], statistics = () => Promise.resolve({})) {
    this.bytes = 4 * values.length;
    this.#values = values;
    this.#statistics = statistics;
  }

  /** The only index understood is one number: the element there. */
  read(index: string | null): TensorValue {
    if (this.releases > 0) throw new Error('read after its release');
    this.reads++;
    if (index === null)
      return new TensorValue('float32', [this.#values.length], Float32Array.from(this.#values));
    return new TensorValue('float32', [], Float32Array.of(this.#values[Number(index)]!));
  }

  statistics(): Promise<Statistics> {
    if (this.releases > 0) throw new Error('read after its release');
    return this.#statistics() as Promise<unknown> as Promise<Statistics>;
  }

  release(): void {
    this.releases++;
  }
}

export interface ParameterSketch {
  path?: string;
  aliases?: string[];
  index?: string | null;
  values?: readonly number[];
  snapshot?: Snapshot;
}

export function changed({
  path = '0.weight',
  aliases = [],
  index = null,
  ...sketch
}: ParameterSketch = {}): ChangedParameter {
  const { values = [1, 2], snapshot = new CountedSnapshot(values) } = sketch;
  return { path, aliases, index, shape: [values.length], dtype: 'float32', snapshot };
}

export function change(
  revision: number,
  parameters: readonly ChangedParameter[] = [changed()],
  kind: ChangeKind = 'patch',
): Change {
  return { revision, kind, time: '2026-01-02T03:04:05.678Z', parameters };
}

export class WatchedModel implements Watchable {
  readonly name: string;
  readonly epoch: string;
  readonly log: ChangeLog;
  readonly alerts = new AlertLog();

  constructor(name: string, { epoch = `${name}-epoch`, entries = 100, bytes = 2 ** 30 } = {}) {
    this.name = name;
    this.epoch = epoch;
    this.log = new ChangeLog({ entries, bytes });
  }

  get revision(): number {
    return this.log.revision;
  }

  /** Appends the next change. */
  change(parameters?: readonly ChangedParameter[], kind?: ChangeKind): number {
    this.log.append(change(this.log.revision + 1, parameters, kind));
    return this.log.revision;
  }
}

export class ModelDirectory implements Directory {
  readonly #models = new Map<string, WatchedModel>();
  readonly #added = new Set<(model: Watchable) => void>();
  readonly #removed = new Set<(model: Watchable) => void>();
  readonly #progressed = new Set<(progress: JobProgress) => void>();

  constructor(...models: readonly WatchedModel[]) {
    for (const model of models) this.add(model);
  }

  get listeners(): number {
    return this.#added.size + this.#removed.size + this.#progressed.size;
  }

  find(name: string): WatchedModel | undefined {
    return this.#models.get(name);
  }

  all(): Iterable<WatchedModel> {
    return this.#models.values();
  }

  onAdded(listener: (model: Watchable) => void): () => void {
    this.#added.add(listener);
    return () => void this.#added.delete(listener);
  }

  onProgress(listener: (progress: JobProgress) => void): () => void {
    this.#progressed.add(listener);
    return () => void this.#progressed.delete(listener);
  }

  onRemoved(listener: (model: Watchable) => void): () => void {
    this.#removed.add(listener);
    return () => void this.#removed.delete(listener);
  }

  add(model: WatchedModel): void {
    this.#models.set(model.name, model);
    for (const listener of this.#added) listener(model);
  }

  /** As the registry does: the model is gone, then told of, then its log is cleared. */
  remove(name: string): void {
    const model = this.#models.get(name)!;
    this.#models.delete(name);
    for (const listener of this.#removed) listener(model);
    model.log.clear();
  }
}
