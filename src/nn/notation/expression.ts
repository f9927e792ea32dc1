// Reads one Python expression of the kind networks are written in and works out its value on the way: constants,
// arithmetic, lists, tuples, dicts, layers' constructors. No tree is kept and nothing is ever run as code.

import { plainName } from '../layers/table.js';
import { construct, isLayerType, unknownLayer, type Argument } from './construct.js';
import { clipped, SyntaxFault, type Faults } from './faults.js';
import { FUNCTIONS } from './functions.js';
import type { Lexer, Position, Token } from './lexer.js';
import { NO_LOOPS, Rounds, type Loops } from './loops.js';
import {
  arithmetic,
  dictOf,
  isNumber,
  negate,
  OPERATORS,
  optionOf,
  sequenceOf,
  sizeOf,
  type Constant,
  type Pair,
  type Value,
} from './value.js';

/** Brackets, signs and powers within one another: room for 64 modules, each in OrderedDict([("name", ...)]). */
const MAX_NESTING = 64 * 4 + 16;
/** Items that variables and stars may multiply a text into. */
const MAX_EXPANSION = 100_000;

const NAMED_CONSTANTS = new Map<string, Constant>([
  ['None', null],
  ['True', true],
  ['False', false],
  ['math.inf', Infinity],
  ['torch.inf', Infinity],
  ['torch.float32', 'float32'],
  ['torch.float', 'float32'],
]);
/** How print writes the floats that have no literal. */
const PRINTED_CONSTANTS = new Map<string, Constant>([
  ['inf', Infinity],
  ['nan', NaN],
]);
/** What it would mean for modules is rarely what is meant. */
const REPEATED =
  'a list is not repeated here: give one module a name and write it out in each place, or make new ones with ' +
  '[... for _ in range(n)]';

export interface Scope {
  readonly variables: ReadonlyMap<string, Value>;
  /** print(net) leaves the quotes of some strings out: `padding=same`. */
  readonly bareWords?: boolean;
  /** The text's comprehensions; without them, none is read. */
  readonly loops?: Loops;
  /** What the rounds of comprehensions may make, all together. */
  readonly maxModules?: number;
}

export class ExpressionReader {
  private readonly lexer: Lexer;
  private readonly faults: Faults;
  private readonly scope: Scope;
  private nesting = 0;
  private expansion = 0;
  private readonly loops: Loops;
  private readonly rounds: Rounds;

  constructor(lexer: Lexer, faults: Faults, scope: Scope) {
    this.lexer = lexer;
    this.faults = faults;
    this.scope = scope;
    this.loops = scope.loops ?? NO_LOOPS;
    this.rounds = new Rounds(scope.maxModules ?? Infinity);
  }

  expression(atLeast = 1): Value {
    let left = this.signed();
    for (;;) {
      const token = this.lexer.peek();
      const operator = token.kind === 'symbol' ? OPERATORS.get(token.text) : undefined;
      if (token.kind !== 'symbol' || operator === undefined || operator.precedence < atLeast) return left;
      this.lexer.take();
      left = this.compute(token, left, this.expression(operator.precedence + 1));
    }
  }

  /** What stands in a call's parentheses, up to `closing`, which is taken; to the end of the text without one. */
  arguments(closing: ')' | undefined): Argument[] {
    const args: Argument[] = [];
    let keywordSeen = false;
    this.separated(closing, () => {
      const first = this.lexer.peek();
      if (isSymbol(first, '*')) {
        for (const value of this.starred()) args.push({ at: value.at, value });
        return;
      }
      if (isSymbol(first, '**'))
        throw new SyntaxFault(first.at, 'write keyword arguments out; ** is not read here');
      if (first.kind === 'name' && isSymbol(this.lexer.peek(1), '=')) {
        this.lexer.take();
        this.lexer.take();
        keywordSeen = true;
        args.push({ at: first.at, keyword: first.text, value: this.expression() });
        return;
      }
      if (keywordSeen) this.faults.add(first.at, 'a positional argument follows a keyword argument');
      args.push({ at: first.at, value: this.expression() });
    });
    return args;
  }

  private signed(): Value {
    const token = this.lexer.peek();
    if (!isSymbol(token, '-') && !isSymbol(token, '+')) return this.power();
    this.lexer.take();
    const operand = this.nested(token.at, () => this.signed());
    if (operand.is === 'fault') return operand;
    if (operand.is !== 'constant' || !isNumber(operand.value)) {
      this.faults.add(token.at, 'a sign can only stand before a number');
      return { is: 'fault', at: token.at };
    }
    return {
      is: 'constant',
      at: token.at,
      value: isSymbol(token, '-') ? negate(operand.value) : operand.value,
    };
  }

  /** Binds tighter than a sign on its left, looser than one on its right. */
  private power(): Value {
    const base = this.primary();
    const token = this.lexer.peek();
    if (!isSymbol(token, '**')) return base;
    this.lexer.take();
    return this.compute(
      token,
      base,
      this.nested(token.at, () => this.signed()),
    );
  }

  private compute(operator: Token & { kind: 'symbol' }, left: Value, right: Value): Value {
    if (left.is === 'fault' || right.is === 'fault') return { is: 'fault', at: left.at };
    if (left.is === 'constant' && right.is === 'constant' && isNumber(left.value) && isNumber(right.value)) {
      const result = arithmetic(operator.text, left.value, right.value);
      if ('value' in result) return { is: 'constant', at: left.at, value: result.value };
      this.faults.add(operator.at, result.wrong);
    } else if (operator.text === '*' && (left.is === 'sequence' || right.is === 'sequence')) {
      this.faults.add(operator.at, REPEATED);
    } else {
      this.faults.add(operator.at, `${operator.text} can only stand between numbers`);
    }
    return { is: 'fault', at: left.at };
  }

  private primary(): Value {
    const token = this.lexer.take();
    if (token.kind === 'number') return { is: 'constant', at: token.at, value: token.value };
    if (token.kind === 'string') return { is: 'constant', at: token.at, value: this.joined(token.value) };
    if (token.kind === 'name') return this.named(token.at, token.text);
    const loop = this.loops.get(token.at);
    if (isSymbol(token, '[')) {
      if (loop) return this.comprehension(token.at, loop, ']');
      return this.nested(token.at, () => sequenceOf(token.at, this.items(']').items));
    }
    if (isSymbol(token, '(')) {
      if (loop) return this.comprehension(token.at, loop, ')');
      return this.nested(token.at, () => {
        const { items, commas } = this.items(')');
        const [only] = items;
        return only !== undefined && commas === 0 ? only : sequenceOf(token.at, items);
      });
    }
    if (isSymbol(token, '{')) return this.nested(token.at, () => this.dict(token.at));
    throw unexpected(token, 'a value');
  }

  /** Strings side by side are one. */
  private joined(first: string): string {
    const parts = [first];
    for (let next = this.lexer.peek(); next.kind === 'string'; next = this.lexer.peek()) {
      parts.push(next.value);
      this.lexer.take();
    }
    return parts.join('');
  }

  private named(at: number, first: string): Value {
    const parts = [first];
    while (isSymbol(this.lexer.peek(), '.')) {
      this.lexer.take();
      const part = this.lexer.take();
      if (part.kind !== 'name') throw unexpected(part, 'a name after the dot');
      parts.push(part.text);
    }
    const name = parts.join('.');
    if (isSymbol(this.lexer.peek(), '(')) {
      const open = this.lexer.take().at;
      const loop = this.loops.get(open);
      if (loop) return this.called(at, name, [{ at: open, value: this.comprehension(open, loop, ')') }]);
      return this.nested(at, () => this.called(at, name, this.arguments(')')));
    }
    const printed = this.scope.bareWords === true ? PRINTED_CONSTANTS.get(name) : undefined;
    const constant = NAMED_CONSTANTS.has(name) ? NAMED_CONSTANTS.get(name) : printed;
    if (constant !== undefined) return { is: 'constant', at, value: constant };
    const variable = this.rounds.variable(name) ?? this.scope.variables.get(name);
    if (variable !== undefined) {
      this.expand(at, sizeOf(variable));
      return { ...variable, at };
    }
    if (this.scope.bareWords === true) return { is: 'constant', at, value: name };
    const type = plainName(name);
    this.faults.add(
      at,
      isLayerType(type)
        ? `${name} is a class; ${name}() makes a module of it`
        : `${clipped(name)} is not defined here`,
    );
    return { is: 'fault', at };
  }

  private called(at: number, name: string, args: readonly Argument[]): Value {
    const type = plainName(name);
    if (isLayerType(type)) {
      this.rounds.countModule(at);
      return construct(type, at, args, this.faults);
    }
    const call = FUNCTIONS.get(name);
    if (call === undefined) {
      this.faults.add(at, unknownLayer(type));
      return { is: 'fault', at };
    }
    const result = call(at, args);
    if (typeof result !== 'string') {
      if (name === 'range') this.expand(at, sizeOf(result));
      return result;
    }
    this.faults.add(at, result);
    return { is: 'fault', at };
  }

  /** The items in an open bracket, read anew for each value of the loop that stands behind them: new modules each time. */
  private comprehension(at: number, loop: Position, closing: ']' | ')'): Value {
    return this.nested(at, () => {
      const first = this.lexer.peek();
      const body = this.lexer.position();
      this.lexer.moveTo(loop);
      const loopAt = this.lexer.take().at;
      if (first.at === loopAt) throw unexpected(first, 'a value');
      const { name, values } = this.loopHead(closing);
      const end = this.lexer.position();
      const found = this.faults.count;
      const items: Value[] = [];
      // Items that are made in no round at all are read for what is wrong with them.
      const rounds = values.length > 0 ? values : [{ is: 'fault', at } as const];
      for (const value of rounds) {
        const item = this.rounds.run({ at, name, value, characters: loopAt - at }, () => {
          this.lexer.moveTo(body);
          return this.expression();
        });
        const next = this.lexer.peek();
        if (next.at !== loopAt) throw unexpected(next, '"for"');
        this.expand(at, sizeOf(item));
        items.push(item);
        // Further rounds would find the same again.
        if (this.faults.count > found) break;
      }
      this.lexer.moveTo(end);
      const wrong = this.faults.count > found || values.some((value) => value.is === 'fault');
      return wrong ? { is: 'fault', at } : sequenceOf(at, values.length > 0 ? items : []);
    });
  }

  /** `name in values` and the closing bracket, behind `for`. */
  private loopHead(closing: ']' | ')'): { name: string; values: readonly Value[] } {
    const name = this.lexer.take();
    if (name.kind !== 'name') throw unexpected(name, 'a name after "for"');
    const word = this.lexer.take();
    if (word.kind !== 'name' || word.text !== 'in') throw unexpected(word, '"in"');
    const over = this.expression();
    const close = this.lexer.take();
    if (!isSymbol(close, closing)) throw unexpected(close, `"${closing}"`);
    if (over.is === 'fault') return { name: name.text, values: [over] };
    // A module of the list would have to be the same module in each place of a round.
    if (over.is === 'sequence' && optionOf(over) !== undefined)
      return { name: name.text, values: over.items };
    this.faults.add(over.at, 'a comprehension goes over range(...) or a list of constants');
    return { name: name.text, values: [{ is: 'fault', at: over.at }] };
  }

  private items(closing: ']' | ')'): { items: Value[]; commas: number } {
    const items: Value[] = [];
    const commas = this.separated(closing, () => {
      if (isSymbol(this.lexer.peek(), '*')) for (const item of this.starred()) items.push(item);
      else items.push(this.expression());
    });
    return { items, commas };
  }

  private dict(at: number): Value {
    const pairs: Pair[] = [];
    this.separated('}', () => {
      const key = this.expression();
      const colon = this.lexer.take();
      if (!isSymbol(colon, ':')) throw unexpected(colon, '":" after the key');
      pairs.push({ key, value: this.expression() });
    });
    return dictOf(at, pairs, { ordered: false });
  }

  private starred(): readonly Value[] {
    const star = this.lexer.take();
    const value = this.expression();
    if (value.is === 'sequence') {
      this.expand(star.at, value.items.length);
      return value.items;
    }
    if (value.is !== 'fault') this.faults.add(star.at, '* unpacks a list');
    return [{ is: 'fault', at: star.at }];
  }

  /** Calls `read` for each item up to `closing`; the number of commas. One comma may stand before the end. */
  private separated(closing: string | undefined, read: () => void): number {
    const closes = (token: Token): boolean =>
      closing === undefined ? token.kind === 'end' : isSymbol(token, closing);
    let commas = 0;
    while (!closes(this.lexer.peek())) {
      read();
      const next = this.lexer.peek();
      if (closes(next)) break;
      if (next.kind === 'name' && next.text === 'for') {
        throw new SyntaxFault(next.at, 'this comprehension is not read here; write the items out');
      }
      if (!isSymbol(next, ',')) throw unexpected(next, closing === undefined ? '","' : `"," or "${closing}"`);
      this.lexer.take();
      commas++;
    }
    this.lexer.take();
    return commas;
  }

  private nested<T>(at: number, read: () => T): T {
    if (++this.nesting > MAX_NESTING) throw new SyntaxFault(at, 'the text is nested too deeply');
    const result = read();
    this.nesting--;
    return result;
  }

  private expand(at: number, items: number): void {
    this.expansion += items;
    if (this.expansion > MAX_EXPANSION)
      throw new SyntaxFault(at, `lists unpack to more than ${MAX_EXPANSION} items`);
  }
}

export function isSymbol(token: Token, text: string): token is Token & { kind: 'symbol' } {
  return token.kind === 'symbol' && token.text === text;
}

export function unexpected(token: Token, expected: string): SyntaxFault {
  return new SyntaxFault(token.at, `expected ${expected}, found ${wordFor(token)}`);
}

function wordFor(token: Token): string {
  if (token.kind === 'end') return 'the end of the text';
  if (token.kind === 'line_end') return 'the end of the line';
  if (token.kind === 'symbol' || token.kind === 'name') return `"${clipped(token.text)}"`;
  return `a ${token.kind}`;
}
