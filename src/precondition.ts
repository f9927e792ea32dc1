// If-Match, RFC 9110: a change is made only of the revision that its client knows.

import { ApiError } from './errors.js';

/** How a change is asked for. */
export interface Conditions {
  /** The entity tags of which that of now has to be one. */
  readonly ifMatch?: string | undefined;
  /** Everything but the change itself. */
  readonly dryRun?: boolean | undefined;
}

/** A model, or a data set, whose revision is its version. */
export interface Tagged {
  readonly epoch: string;
  readonly revision: number;
}

export function etagOf({ epoch, revision }: Tagged): string {
  return `"${epoch}-${revision}"`;
}

const LIST = /^\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*)*$/;

/** Throws REVISION_MISMATCH, or INVALID_REQUEST for what is no list of entity tags. A weak tag matches nothing. */
export function requireMatch(ifMatch: string | undefined, now: Tagged | undefined): void {
  if (ifMatch === undefined) return;
  if (!now) throw new ApiError('REVISION_MISMATCH', ['none: there is nothing of that name']);
  if (ifMatch.trim() === '*') return;
  if (!LIST.test(ifMatch)) {
    const message = `must be * or entity tags, e.g. ${etagOf(now)}`;
    throw new ApiError('INVALID_REQUEST', [], [{ path: 'header.if-match', message }]);
  }
  const current = etagOf(now);
  if (ifMatch.split(',').some((tag) => tag.trim() === current)) return;
  const error = new ApiError('REVISION_MISMATCH', [current]);
  error.etag = current;
  throw error;
}
