// "Did you mean" for names that clients make up themselves: there may be a hundred thousand of them to look through.

import { didYouMean as suggest, nearest as find } from '../nearest.js';

/** Comparing two names costs the product of their lengths; most are ruled out by their lengths alone. */
const MAX_COMPARED = 500;

/** The nearest of the known names; undefined rather than something far-fetched. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  return find(name, worthComparing(name, known));
}

/** `; did you mean X?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  return suggest(name, worthComparing(name, known));
}

function* worthComparing(name: string, known: Iterable<string>): Iterable<string> {
  let compared = 0;
  for (const candidate of known) {
    const longer = Math.max(name.length, candidate.length);
    if (Math.abs(name.length - candidate.length) > Math.max(1, longer / 3)) continue;
    if (++compared > MAX_COMPARED) return;
    yield candidate;
  }
}
