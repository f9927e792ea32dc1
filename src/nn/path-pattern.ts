// Globs over dotted paths: `*` stands for any characters within one name, `**` for any characters, dots too, and `**.`
// for any number of whole names, none included (`**.weight` is `weight` and `0.net.weight`). Everything else is itself,
// and a pattern always matches the path that is written the same way. No regular expressions: the time of a match is
// bounded by the product of both lengths, whatever the client writes.

import { nearest } from './near-miss.js';

/** More than any path needs. */
export const MAX_PATTERN = 1024;

/** A character, or what may stand in its place. */
type Token = string | typeof IN_NAME | typeof ANYTHING | typeof NAMES;
const IN_NAME = 0;
const ANYTHING = 1;
/** Nothing, or anything that ends with a dot. */
const NAMES = 2;

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
    this.enter(0);
    for (const character of path) {
      // From the last to the first: what a token opens is not to be read for the same character.
      for (let at = tokens.length; at >= 0; at--) {
        if (open[at] === 0) continue;
        const token = tokens[at];
        const stays = token === ANYTHING || token === NAMES || (token === IN_NAME && character !== '.');
        if (!stays) open[at] = 0;
        if (token === character || (token === NAMES && character === '.')) this.enter(at + 1);
      }
    }
    return open[tokens.length] === 1;
  }

  /** Opens a token, and those behind it that may be reached without a character. */
  private enter(first: number): void {
    for (let at = first; ; at++) {
      this.open[at] = 1;
      if (typeof this.tokens[at] !== 'number') return;
    }
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

/** The path that a pattern without a match was probably meant for; undefined rather than something far-fetched. */
export function nearestPath(pattern: PathPattern, paths: Iterable<string>): string | undefined {
  const written = pattern.text.split('.');
  if (written.includes('**')) return undefined;
  // A path with as many names, the wild ones taken from it, is compared with what was written.
  for (const path of paths) {
    const names = path.split('.');
    if (names.length !== written.length) continue;
    const meant = written.map((name, at) => (name.includes('*') ? names[at]! : name)).join('.');
    if (nearest(meant, [path]) !== undefined && !pattern.literal) return path;
  }
  return pattern.literal ? nearest(pattern.text, paths) : undefined;
}
