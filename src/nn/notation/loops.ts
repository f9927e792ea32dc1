// Comprehensions: where a text has them, since their `for` stands behind the items that are read anew for each round; and
// what their rounds may cost, since they alone make more of a text than stands there.

import { SyntaxFault } from './faults.js';
import { Lexer, type Position } from './lexer.js';
import type { Value } from './value.js';

/** By the offset of the opening bracket, the place of the `for` in it. */
export type Loops = ReadonlyMap<number, Position>;

export const NO_LOOPS: Loops = new Map();

/** Characters that may be read again, all rounds together. */
const MAX_REREAD = 2 * 2 ** 20;

/** The rounds that are under way, with their variables, and what all rounds so far have cost. */
export class Rounds {
  private readonly maxModules: number;
  private readonly variables = new Map<string, Value>();
  private depth = 0;
  private reread = 0;
  private modules = 0;

  constructor(maxModules: number) {
    this.maxModules = maxModules;
  }

  variable(name: string): Value | undefined {
    return this.variables.get(name);
  }

  /** Reads the items of a comprehension at `at` with its variable at one value. */
  run<T>(
    { at, name, value, characters }: { at: number; name: string; value: Value; characters: number },
    read: () => T,
  ): T {
    this.reread += characters;
    if (this.reread > MAX_REREAD) throw new SyntaxFault(at, 'comprehensions go round too often');
    const outer = this.variables.get(name);
    this.variables.set(name, value);
    this.depth++;
    const result = read();
    this.depth--;
    if (outer) this.variables.set(name, outer);
    else this.variables.delete(name);
    return result;
  }

  /** A module is made. Those outside of comprehensions are as many as the text is long. */
  countModule(at: number): void {
    if (this.depth > 0 && ++this.modules > this.maxModules) {
      throw new SyntaxFault(at, `comprehensions make more than ${this.maxModules} modules`);
    }
  }
}

/** One pass over the tokens; what is wrong with them is found when they are read. */
export function findLoops(text: string): Loops {
  if (!/\bfor\b/.test(text)) return NO_LOOPS;
  const loops = new Map<number, Position>();
  const open: number[] = [];
  const lexer = new Lexer(text);
  try {
    for (;;) {
      const position = lexer.position();
      const token = lexer.take();
      if (token.kind === 'end') return loops;
      if (token.kind === 'symbol' && '([{'.includes(token.text)) open.push(token.at);
      else if (token.kind === 'symbol' && ')]}'.includes(token.text)) open.pop();
      const within = open.at(-1);
      if (token.kind === 'name' && token.text === 'for' && within !== undefined && !loops.has(within)) {
        loops.set(within, position);
      }
    }
  } catch (error) {
    if (error instanceof SyntaxFault) return loops;
    throw error;
  }
}
