// The alerts of a model's watchpoints in the order in which they were found, the newest of them kept in memory.
// Readers hold a place and read on from it; a listener is only told that there is more.

import type { Statistics } from '../tensor/statistics.js';

export const WATCHED_NUMBERS = ['value', 'grad'] as const;
/** Of what numbers of a parameter statistics are looked at. */
export type WatchedNumbers = (typeof WATCHED_NUMBERS)[number];

/** A condition became true. */
export interface Alert {
  /** The first at which it was seen to be true. */
  readonly revision: number;
  /** ISO 8601. */
  readonly time: string;
  /** The watchpoint's id. */
  readonly watchpoint: string;
  /** The storage's first name, and its others. */
  readonly path: string;
  readonly aliases: readonly string[];
  readonly on: WatchedNumbers;
  readonly when: string;
  readonly stats: Statistics;
}

export const MAX_ALERTS = 1024;

export class AlertLog {
  #alerts: Alert[] = [];
  #end = 0;
  readonly #listeners = new Set<() => void>();

  /** The place behind the last. */
  get end(): number {
    return this.#end;
  }

  append(alert: Alert): void {
    this.#alerts.push(alert);
    if (this.#alerts.length > MAX_ALERTS) this.#alerts.shift();
    this.#end++;
    for (const listener of [...this.#listeners]) listener();
  }

  /** The first kept at a place or behind it, and the place behind that. */
  next(place: number): { readonly alert: Alert; readonly after: number } | undefined {
    const oldest = this.#end - this.#alerts.length;
    const at = Math.max(place, oldest);
    const alert = this.#alerts[at - oldest];
    return alert && { alert, after: at + 1 };
  }

  /** The place from which no alert of that revision, or a later one, is passed over. */
  placeOf(revision: number): number {
    const first = this.#alerts.findIndex((alert) => alert.revision >= revision);
    return first < 0 ? this.#end : this.#end - this.#alerts.length + first;
  }

  /** The listener is called after each append: it must not throw. Returns its removal. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
