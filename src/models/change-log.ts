// A model's changes in the order they were made: revisions 1, 2, 3, ... without a hole, the newest of them kept in memory.
// Bounded in entries and in the bytes of their snapshots; the newest change is kept even where it alone passes the limit.
// Readers hold a place (a revision) and read on from it; a listener is only told that there is more.

import type { Bins } from '../tensor/bins.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { Statistics } from '../tensor/statistics.js';
import type { TensorValue } from '../tensor/tensor-value.js';

export const CHANGE_KINDS = [
  'build',
  'patch',
  'init',
  'tie',
  'untie',
  'load',
  'put_module',
  'remove_module',
  'materialize',
  'freeze',
  'forward',
  'backward',
  'zero_grad',
  'train',
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** A parameter's values as of one revision. It belongs to one change, whose log releases it once. */
export interface Snapshot {
  /** What keeping it costs. */
  readonly bytes: number;
  /** A view of the values at `index` (null: all); it is to be encoded at once, not kept. */
  read(index: string | null): TensorValue;
  /** Statistics of the whole parameter, computed on a worker and kept; with a histogram where bins are given. */
  statistics(bins?: Bins): Promise<Statistics>;
  release(): void;
}

export interface ChangedParameter {
  /** The storage's first name, and its others. */
  readonly path: string;
  readonly aliases: readonly string[];
  /** The companion that changed (`grad`), where it is not the value. */
  readonly field?: string | undefined;
  /** The slice that changed; null is all of it. */
  readonly index: string | null;
  readonly shape: Shape;
  readonly dtype: DType;
  /** null: there are no values any more. */
  readonly snapshot: Snapshot | null;
}

export interface Change {
  readonly revision: number;
  readonly kind: ChangeKind;
  /** ISO 8601. */
  readonly time: string;
  /** Where a module was put or removed. */
  readonly module?: string | undefined;
  readonly parameters: readonly ChangedParameter[];
}

export interface ChangeLogLimits {
  readonly entries: number;
  readonly bytes: number;
}

interface Entry {
  readonly change: Change;
  readonly bytes: number;
  holds: number;
  dropped: boolean;
}

export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  // Consecutive revisions, the oldest first: the place of a revision is its distance from the oldest.
  #entries: Entry[] = [];
  #bytes = 0;
  #revision = 0;
  #ended = false;
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(limits: ChangeLogLimits) {
    this.#limits = limits;
  }

  /** The last revision given out; 0 before the first. Survives `clear`. */
  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision that `read` can still answer; `revision + 1` where there is none. */
  get oldest(): number {
    return this.#revision - this.#entries.length + 1;
  }

  /** Bytes of the snapshots kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes over the change's snapshots. Throws where the revision does not follow the last: nothing is taken then. */
  append(change: Change): void {
    if (change.revision !== this.#revision + 1) {
      throw new Error(`revision ${change.revision} cannot follow revision ${this.#revision}`);
    }
    let bytes = 0;
    for (const snapshot of snapshotsOf(change)) bytes += snapshot.bytes;
    this.#entries.push({ change, bytes, holds: 0, dropped: false });
    this.#bytes += bytes;
    this.#revision = change.revision;
    this.#trim();
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** The changes after a revision, in order. Those older than `oldest` are missing: compare before. */
  read(after: number, limit = Infinity): Change[] {
    const start = Math.max(0, after + 1 - this.oldest);
    return this.#entries.slice(start, start + limit).map((entry) => entry.change);
  }

  /**
   * Keeps a change's snapshots readable, even if the log drops it meanwhile, until the answer is called.
   * Undefined where the log no longer has that revision.
   */
  hold(revision: number): (() => void) | undefined {
    const entry = this.#entries[revision - this.oldest];
    if (entry === undefined) return undefined;
    entry.holds++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      entry.holds--;
      if (entry.dropped && entry.holds === 0) release(entry);
    };
  }

  /** The listener is called after each append, in the appending call: it must not throw. Returns its removal. */
  subscribe(listener: (change: Change) => void): () => void {
    // Wrapped, so that a function that listens twice is two listeners.
    const wrapped = (change: Change): void => listener(change);
    this.#listeners.add(wrapped);
    return () => {
      this.#listeners.delete(wrapped);
      if (this.#ended && this.#listeners.size === 0) this.clear();
    };
  }

  /** Nothing more will be appended: what is kept is released once the last listener has left. */
  end(): void {
    this.#ended = true;
    if (this.#listeners.size === 0) this.clear();
  }

  /** Releases all that is kept. The numbering goes on where it was. */
  clear(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    for (const entry of entries) drop(entry);
  }

  #trim(): void {
    while (
      this.#entries.length > 1 &&
      (this.#entries.length > this.#limits.entries || this.#bytes > this.#limits.bytes)
    ) {
      const entry = this.#entries.shift();
      if (entry === undefined) return;
      this.#bytes -= entry.bytes;
      drop(entry);
    }
  }
}

function drop(entry: Entry): void {
  entry.dropped = true;
  if (entry.holds === 0) release(entry);
}

function release(entry: Entry): void {
  for (const snapshot of snapshotsOf(entry.change)) snapshot.release();
}

/** Parameters of one change may share a snapshot: it counts, and is released, once. */
function snapshotsOf(change: Change): Set<Snapshot> {
  return new Set(change.parameters.flatMap(({ snapshot }) => snapshot ?? []));
}
