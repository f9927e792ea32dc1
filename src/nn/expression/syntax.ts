// Reads an expression's text into a tree, in Python's notation, whatever its names mean. jsep joins operands by precedence;
// operands are read here, since jsep would also take `w 5`, `w; 5`, `min(w 5)` and `w.data`.
// jsep's tables are global: this module alone sets them, once.

import jsep from 'jsep';
import { OPERATORS } from './operations.js';

const MAX_LENGTH = 1000;
const MAX_DEPTH = 64;

/** What is wrong with an expression; `position` is the index of the character where it shows. */
export class ExpressionError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(`${message}, at character ${position + 1}`);
    this.position = position;
  }
}

/** `at` is the index of a node's first character. */
export type Syntax =
  | { type: 'Number'; at: number; value: number }
  | { type: 'Name'; at: number; name: string }
  | { type: 'Call'; at: number; name: string; inputs: Syntax[]; keywords: Keyword[] }
  | { type: 'Group'; at: number; inner: Syntax }
  | { type: 'Unary'; at: number; operator: string; argument: Syntax }
  | Binary;
export interface Keyword {
  at: number;
  name: string;
  value: Syntax;
}
/** As jsep names and builds it. */
export interface Binary {
  type: 'BinaryExpression';
  operator: string;
  left: Syntax;
  right: Syntax;
}

/** Python's, from loose to tight; what stands on one line binds equally. */
const PRECEDENCE = new Map(
  [
    ['or'],
    ['and'],
    ['not'],
    ['<', '<=', '>', '>=', '==', '!='],
    ['+', '-'],
    ['*', '/', '%'],
    ['unary'],
    ['**'],
  ].flatMap((operators, i) => operators.map((operator) => [operator, i + 1] as const)),
);
const precedence = (operator: string): number => PRECEDENCE.get(operator)!;
const unaryPrecedence = (operator: string): number => precedence(operator === 'not' ? 'not' : 'unary');
const isComparison = (operator: string): boolean => precedence(operator) === precedence('==');

jsep.removeAllBinaryOps();
jsep.removeAllUnaryOps();
jsep.removeAllLiterals();
for (const operator of OPERATORS.keys()) jsep.addBinaryOp(operator, precedence(operator), operator === '**');
jsep.hooks.add('gobble-token', function (env) {
  env.node = operand(this);
});

/** Whether calls in the text that is being read may have keyword arguments; there is one at a time. */
let keywordsTaken = false;

/** The tree of a text, grouped as Python groups it; calls have keyword arguments if they may. Throws ExpressionError. */
export function readSyntax(text: string, { keywords = false } = {}): Syntax {
  checkCharacters(text);
  keywordsTaken = keywords;
  try {
    // In parentheses it is an operand: jsep's own top level would pass over commas and semicolons.
    return regroup(jsep(`(${text})`) as unknown as Syntax);
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    const { description = 'the expression cannot be read', index = 1 } = error as {
      description?: string;
      index?: number;
    };
    throw new ExpressionError(description, Math.max(0, index - 1));
  }
}

/** Signs of other languages, and what stands for them here; longer ones first. */
const INSTEAD: readonly (readonly [string, string])[] = [
  ['&&', 'and'],
  ['||', 'or'],
  ['//', 'floor(a / b)'],
  ['&', 'and'],
  ['|', 'or'],
  ['^', '**'],
  ['!', 'not'],
  ['=', '=='],
  ['?', 'where(condition, x, y)'],
  ['.', 'a function, as in abs(w)'],
];

function hint(text: string, index: number): string {
  const found = INSTEAD.find(([sign]) => text.startsWith(sign, index));
  return found ? `; write ${found[1]}` : '';
}

/** Refuses characters that have no meaning here, and parentheses that do not match or stand too deep. */
function checkCharacters(text: string): void {
  if (text.trim() === '') throw new ExpressionError('the expression is empty', 0);
  if (text.length > MAX_LENGTH) {
    throw new ExpressionError(`the expression has more than ${MAX_LENGTH} characters`, MAX_LENGTH);
  }
  const strange = text.search(/[^\w \t\r\n.,()+\-*/%<>=!]|!(?!=)|\/\//);
  if (strange >= 0) {
    const found = String.fromCodePoint(text.codePointAt(strange)!);
    throw new ExpressionError(`unexpected ${found}${hint(text, strange)}`, strange);
  }
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')') depth--;
    if (depth < 0) throw new ExpressionError('unexpected ), which closes nothing', i);
    if (depth > MAX_DEPTH)
      throw new ExpressionError(`more than ${MAX_DEPTH} parentheses stand in each other`, i);
  }
}

/** The operand that begins here; undefined where none does. Indices are one too high: see `readSyntax`. */
function operand(scope: jsep.HookScope): (Syntax & jsep.Expression) | undefined {
  const { index, expr } = scope;
  const at = index - 1;
  if (accept(scope, '(')) {
    const inner = required(scope.gobbleExpression(), scope);
    close(scope);
    return { type: 'Group', at, inner };
  }
  const word = wordAt(expr, index);
  if (scope.char === '-' || scope.char === '+' || word === 'not') {
    const operator = word ?? scope.char;
    scope.index += operator.length;
    return { type: 'Unary', at, operator, argument: required(scope.gobbleToken(), scope) };
  }
  if (word === undefined) {
    if (!/[\d.]/.test(scope.char)) return undefined;
    return { type: 'Number', at, value: scope.gobbleNumericLiteral()!.value as number };
  }
  if (word === 'and' || word === 'or') return unexpected(scope);
  scope.index += word.length;
  if (!accept(scope, '(')) return { type: 'Name', at, name: word };
  const inputs: Syntax[] = [];
  const keywords: Keyword[] = [];
  do {
    const keyword = keywordsTaken ? keywordAt(scope) : undefined;
    if (!keyword && keywords.length > 0) unexpected(scope);
    const value = required(scope.gobbleExpression(), scope);
    if (keyword) keywords.push({ ...keyword, value });
    else inputs.push(value);
  } while (accept(scope, ','));
  close(scope);
  return { type: 'Call', at, name: word, inputs, keywords };
}

const WORD = /[A-Za-z_]\w*/y;

function wordAt(text: string, index: number): string | undefined {
  WORD.lastIndex = index;
  return WORD.exec(text)?.[0];
}

const KEYWORD = /([A-Za-z_]\w*)\s*=(?!=)/y;

/** Passes over `name =`, if that stands here. */
function keywordAt(scope: jsep.HookScope): { at: number; name: string } | undefined {
  scope.gobbleSpaces();
  KEYWORD.lastIndex = scope.index;
  const found = KEYWORD.exec(scope.expr);
  if (!found) return undefined;
  const at = scope.index - 1;
  scope.index += found[0].length;
  return { at, name: found[1]! };
}

/** jsep says undefined or false where it found nothing. */
function required(found: unknown, scope: jsep.HookScope): Syntax {
  return found ? (found as Syntax) : unexpected(scope);
}

function accept(scope: jsep.HookScope, sign: string): boolean {
  scope.gobbleSpaces();
  if (scope.char !== sign) return false;
  scope.index++;
  return true;
}

function close(scope: jsep.HookScope): void {
  if (!accept(scope, ')')) unexpected(scope);
}

function unexpected({ index, expr, char }: jsep.HookScope): never {
  const end = expr.length - 1;
  if (index >= end) throw new ExpressionError('the expression ends too early', end - 1);
  throw new ExpressionError(`unexpected ${wordAt(expr, index) ?? char}${hint(expr, index)}`, index - 1);
}

/**
 * jsep binds every unary operator tightest. In Python `-a ** b` is -(a ** b), and `not a > b` is not (a > b):
 * a unary operator at the left end takes in what binds tighter than it. What Python refuses, or means otherwise than it
 * looks, is refused: `a + not b`, `a < b < c`.
 */
function regroup(syntax: Syntax): Syntax {
  if (syntax.type === 'Group') return { ...syntax, inner: regroup(syntax.inner) };
  if (syntax.type === 'Call') {
    const keywords = syntax.keywords.map((keyword) => ({ ...keyword, value: regroup(keyword.value) }));
    return { ...syntax, inputs: syntax.inputs.map(regroup), keywords };
  }
  if (syntax.type === 'Unary') {
    refuseNot(syntax.argument, syntax.operator, unaryPrecedence(syntax.operator));
    return { ...syntax, argument: regroup(syntax.argument) };
  }
  return syntax.type === 'BinaryExpression'
    ? join({ ...syntax, left: regroup(syntax.left), right: regroup(syntax.right) })
    : syntax;
}

/** A binary operation on sides that are grouped already. */
function join(binary: Binary): Syntax {
  const { operator, left, right } = binary;
  if (left.type === 'Unary' && unaryPrecedence(left.operator) < precedence(operator)) {
    return { ...left, argument: join({ ...binary, left: left.argument }) };
  }
  refuseNot(right, operator, precedence(operator));
  if (isComparison(operator) && left.type === 'BinaryExpression' && isComparison(left.operator)) {
    throw new ExpressionError('comparisons do not chain: write a < b and b < c', start(right));
  }
  return binary;
}

function refuseNot(operand: Syntax, operator: string, bound: number): void {
  if (operand.type !== 'Unary' || operand.operator !== 'not' || bound <= precedence('not')) return;
  throw new ExpressionError(`unexpected not after ${operator}: put parentheses around it`, operand.at);
}

function start(syntax: Syntax): number {
  return syntax.type === 'BinaryExpression' ? start(syntax.left) : syntax.at;
}
