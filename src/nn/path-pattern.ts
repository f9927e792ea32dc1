// Globs over dotted paths: `*` stands for any characters within one name, `**` for any characters, dots too, and `**.`
// for any number of whole names, none included (`**.weight` is `weight` and `0.net.weight`). Everything else is itself,
// and a pattern always matches the path that is written the same way. No regular expressions: the time of a match is
// bounded by the product of both lengths, whatever the client writes.

import { nearest } from './near-miss.js';

/** More than any path needs. */
export const MAX_PATTERN = 256;

/** Tokens: a character, or what may stand in its place. */
const IN_NAME = 0;
const ANYTHING = 1;
/** Nothing, or anything that ends with a dot. */
const NAMES = 2;
type Token = string | typeof IN_NAME | typeof ANYTHING | typeof NAMES;

export class PathPattern {
  readonly text: string;
  private readonly tokens: readonly Token[];
  /** The tokens that may come next: one mark for each, and one for the end. Reused, so that a match allocates nothing. */
  private readonly open: Uint8Array;

  /** RangeError beyond MAX_PATTERN. */
  constructor(text: string) {
    if (text.length > MAX_PATTERN) throw new RangeError(`longer than ${MAX_PATTERN} characters`);
    this.text = text;
    this.tokens = tokensOf(text);
    this.open = new Uint8Array(this.tokens.length + 1);
  }

  /** No wildcard in it: it matches itself alone. */
  get literal(): boolean {
    return !this.text.includes('*');
  }

  matches(path: string): boolean {
    if (path === this.text) return true;
    if (this.literal) return false;
    const { tokens, open } = this;
    open.fill(0);
    let last = this.enter(0);
    for (const character of path) {
      let reached = -1;
      // From the last to the first: what a token opens is not to be read for the same character.
      for (let at = last; at >= 0; at--) {
        if (open[at] === 0) continue;
        const token = tokens[at];
        open[at] = 0;
        if (token === ANYTHING || (token === IN_NAME && character !== '.')) {
          reached = Math.max(reached, this.enter(at));
        } else if (token === NAMES) {
          // Only at a dot may it be left.
          open[at] = 1;
          reached = Math.max(reached, character === '.' ? this.enter(at + 1) : at);
        } else if (token === character) {
          reached = Math.max(reached, this.enter(at + 1));
        }
      }
      if (reached < 0) return false;
      last = reached;
    }
    return open[tokens.length] === 1;
  }

  /** Opens a token, and those behind it that may be reached without a character; answers the last of them. */
  private enter(first: number): number {
    let at = first;
    this.open[at] = 1;
    while (typeof this.tokens[at] === 'number') this.open[++at] = 1;
    return at;
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    if (characters[at] !== '*') {
      tokens.push(characters[at]!);
      continue;
    }
    let stars = 1;
    while (characters[at + 1] === '*') [at, stars] = [at + 1, stars + 1];
    const startsName = tokens.length === 0 || tokens.at(-1) === '.' || tokens.at(-1) === NAMES;
    const names = stars > 1 && startsName && characters[at + 1] === '.';
    if (names) at++;
    tokens.push(stars === 1 ? IN_NAME : names ? NAMES : ANYTHING);
  }
  return tokens;
}

/** Comparing names costs more than matching them. */
const MAX_COMPARED = 500;

/** The path that a pattern without a match was probably meant for; undefined rather than something far-fetched. */
export function nearestPath(pattern: PathPattern, paths: Iterable<string>): string | undefined {
  if (pattern.literal) return nearest(pattern.text, paths);
  // A leading `**` is left out: what follows it is compared with the ends of paths.
  const anywhere = pattern.text.startsWith('**.');
  const written = (anywhere ? pattern.text.slice(3) : pattern.text).split('.');
  let compared = 0;
  for (const path of paths) {
    const names = path.split('.');
    if (anywhere ? names.length < written.length : names.length !== written.length) continue;
    if (++compared > MAX_COMPARED) return undefined;
    const end = names.slice(-written.length);
    if (written.every((name, at) => name.includes('*') || nearest(name, [end[at]!]) !== undefined))
      return path;
  }
  return undefined;
}
