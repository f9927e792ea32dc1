// Python's tokens, as far as the notation of networks needs them: names, numbers, strings, brackets and operators.
// Scans on demand, and again only from a place that was kept. Line ends count only outside brackets.

import { PythonFloat } from '../options.js';
import { clipped, SyntaxFault } from './faults.js';

export type Token =
  | { readonly kind: 'name'; readonly at: number; readonly text: string }
  | { readonly kind: 'number'; readonly at: number; readonly value: number | PythonFloat }
  | { readonly kind: 'string'; readonly at: number; readonly value: string }
  | { readonly kind: 'symbol'; readonly at: number; readonly text: string }
  | { readonly kind: 'line_end' | 'end'; readonly at: number };

/** A place in the text to read on from. */
export interface Position {
  readonly at: number;
  readonly brackets: number;
  readonly ahead: readonly Token[];
}

const SPACE = /[ \t\r\f\uFEFF\u00A0]+|\\\r?\n|#[^\n]*/y;
// No quantifier here can match one text in two ways: a failing match costs what it has read, no more.
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const RADIX_INTEGER = /0(?:[xX](?:_?[0-9a-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)/y;
const DECIMAL = /(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?/y;
const SYMBOL = /\*\*|\/\/|[-+*/%=(),[\]{}:.;]/y;
const PLAIN_STRING = /[^\\\n'"]+/y;

const ESCAPES = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
  ['0', '\0'],
  ['\n', ''],
]);
const ESCAPED_CODE = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;

export class Lexer {
  private readonly text: string;
  private readonly end: number;
  private at: number;
  private brackets = 0;
  private ahead: Token[] = [];

  /** Reads text[start, end). */
  constructor(text: string, start = 0, end = text.length) {
    this.text = text;
    this.at = start;
    this.end = end;
  }

  /** The next token, or the one after it, without taking it. */
  peek(distance: 0 | 1 = 0): Token {
    while (this.ahead.length <= distance) this.ahead.push(this.scan());
    return this.ahead[distance]!;
  }

  take(): Token {
    return this.ahead.shift() ?? this.scan();
  }

  position(): Position {
    return { at: this.at, brackets: this.brackets, ahead: [...this.ahead] };
  }

  moveTo({ at, brackets, ahead }: Position): void {
    this.at = at;
    this.brackets = brackets;
    this.ahead = [...ahead];
  }

  private scan(): Token {
    while (this.match(SPACE) !== undefined);
    const at = this.at;
    if (at >= this.end) return { kind: 'end', at };
    const character = this.text.charAt(at);
    if (character === '\n') {
      this.at++;
      return this.brackets > 0 ? this.scanPastLineEnds() : { kind: 'line_end', at };
    }
    if (character === "'" || character === '"') return { kind: 'string', at, value: this.string(character) };
    const number = this.number(at);
    if (number !== undefined) return { kind: 'number', at, value: number };
    const name = this.match(NAME);
    if (name !== undefined) return { kind: 'name', at, text: name };
    const symbol = this.match(SYMBOL);
    if (symbol === undefined) {
      const codePoint = String.fromCodePoint(this.text.codePointAt(at) ?? 0);
      throw new SyntaxFault(at, `the character ${JSON.stringify(codePoint)} has no meaning here`);
    }
    if ('([{'.includes(symbol)) this.brackets++;
    else if (')]}'.includes(symbol)) this.brackets = Math.max(0, this.brackets - 1);
    return { kind: 'symbol', at, text: symbol };
  }

  /** A loop, not a recursion: a text may be a million empty lines. */
  private scanPastLineEnds(): Token {
    while (this.match(SPACE) !== undefined || (this.at < this.end && this.text.charAt(this.at) === '\n')) {
      if (this.text.charAt(this.at) === '\n' && this.at < this.end) this.at++;
    }
    return this.scan();
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined || this.at + found.length > this.end) return undefined;
    this.at += found.length;
    return found;
  }

  private number(at: number): number | PythonFloat | undefined {
    const radix = this.match(RADIX_INTEGER);
    const text = radix ?? this.match(DECIMAL);
    if (text === undefined) return undefined;
    const trailing = this.match(NAME);
    if (trailing !== undefined) throw new SyntaxFault(at, `${clipped(text + trailing)} is not a number`);
    const value = Number(text.replaceAll('_', ''));
    if (radix === undefined && /[.eE]/.test(text))
      return Number.isInteger(value) ? new PythonFloat(value) : value;
    if (radix === undefined && /^0[0_]*[1-9]/.test(text)) {
      throw new SyntaxFault(at, `${clipped(text)}: an integer does not begin with zeros`);
    }
    if (!Number.isSafeInteger(value)) throw new SyntaxFault(at, 'integers end at 2 ** 53 here');
    return value;
  }

  private string(quote: string): string {
    const opened = this.at++;
    const parts: string[] = [];
    for (;;) {
      const plain = this.match(PLAIN_STRING);
      if (plain !== undefined) parts.push(plain);
      const character = this.at < this.end ? this.text.charAt(this.at) : '';
      if (character === '' || character === '\n') throw new SyntaxFault(opened, 'the string is not closed');
      this.at++;
      if (character === quote) return parts.join('');
      parts.push(character === '\\' ? this.escape() : character);
    }
  }

  private escape(): string {
    ESCAPED_CODE.lastIndex = this.at;
    const code = ESCAPED_CODE.exec(this.text);
    if (code !== null) {
      const codePoint = Number.parseInt(code[1] ?? code[2] ?? code[3] ?? '0', 16);
      if (codePoint > 0x10ffff) throw new SyntaxFault(this.at - 1, 'there is no such character');
      this.at += code[0].length;
      return String.fromCodePoint(codePoint);
    }
    const character = this.text.charAt(this.at++);
    // Python keeps an unknown escape as it stands.
    return ESCAPES.get(character) ?? `\\${character}`;
  }
}
