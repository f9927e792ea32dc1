// On which terms a caller waits: how long, before whom, and whether it is still there.

import type { Conditions } from '../precondition.js';

/**
 * How much later (ms) than it did a caller counts as having come. Whoever came first goes first, so a low one passes a
 * normal one that comes a second after it: nobody is put off for ever.
 */
export const HANDICAP_MS = { high: -1000, normal: 0, low: 1000 } as const;

export type Priority = keyof typeof HANDICAP_MS;

export interface Terms extends Conditions {
  /** Given up when so much time has passed. */
  readonly timeoutMs?: number | undefined;
  /** When that began, as of performance.now(); absent: with the call. */
  readonly arrivedAt?: number;
  readonly priority?: Priority | undefined;
  /** Whether the client has hung up: what was not begun by then is not. */
  readonly gone?: (() => boolean) | undefined;
}
