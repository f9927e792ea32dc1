// The small safe language of "then" and "map": arithmetic on one tensor, in Python's notation, read by jsep and checked
// here against a closed list of names. No members, strings, assignments, or calls but to the functions in operations.ts.
// jsep's tables are global: this module alone sets them, once.

import jsep from 'jsep';
import { z } from 'zod';
import { didYouMean } from '../nearest.js';
import {
  divideNumber,
  FUNCTIONS,
  OPERATORS,
  POWERS,
  REDUCTIONS,
  UNARY_OPERATORS,
  type Elementwise,
  type Expression,
} from './expression/operations.js';

export { evaluate, type Expression } from './expression/operations.js';

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

/** What jsep and the hook below make of the text. `at` is the node's first character. */
type Syntax =
  | { type: 'Number'; at: number; value: number }
  | { type: 'Name'; at: number; name: string }
  | { type: 'Call'; at: number; name: string; inputs: Syntax[] }
  | { type: 'Group'; at: number; inner: Syntax }
  | { type: 'Unary'; at: number; operator: string; argument: Syntax }
  | { type: 'BinaryExpression'; operator: string; left: Syntax; right: Syntax };

jsep.removeAllBinaryOps();
jsep.removeAllUnaryOps();
jsep.removeAllLiterals();
for (const operator of OPERATORS.keys()) jsep.addBinaryOp(operator, precedence(operator), operator === '**');
// jsep would take `w 5`, `w; 5`, `min(w 5)` and `w.data`: every operand is read here, and jsep joins them by precedence.
jsep.hooks.add('gobble-token', function (env) {
  env.node = operand(this) as jsep.Expression | undefined;
});

const NAME = /[A-Za-z_]\w*/y;

function wordAt(text: string, index: number): string | undefined {
  NAME.lastIndex = index;
  return NAME.exec(text)?.[0];
}

function operand(scope: jsep.HookScope): Syntax | undefined {
  const at = scope.index;
  const word = wordAt(scope.expr, at);
  if (accept(scope, '(')) {
    const inner = required(scope);
    close(scope);
    return { type: 'Group', at, inner };
  }
  if (scope.char === '-' || scope.char === '+' || word === 'not') {
    const operator = word ?? scope.char;
    scope.index += operator.length;
    const argument = (scope.gobbleToken() as Syntax | false) || unexpected(scope);
    return { type: 'Unary', at, operator, argument };
  }
  if (word === undefined) {
    if (!/[\d.]/.test(scope.char)) return undefined;
    const literal = scope.gobbleNumericLiteral();
    return { type: 'Number', at, value: literal!.value as number };
  }
  if (word === 'and' || word === 'or') return unexpected(scope);
  scope.index += word.length;
  if (!accept(scope, '(')) return { type: 'Name', at, name: word };
  const inputs = [required(scope)];
  while (accept(scope, ',')) inputs.push(required(scope));
  close(scope);
  return { type: 'Call', at, name: word, inputs };
}

function required(scope: jsep.HookScope): Syntax {
  return (scope.gobbleExpression() as Syntax | false) || unexpected(scope);
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

function unexpected(scope: jsep.HookScope): never {
  const { index } = scope;
  // The text stands in one pair of parentheses more than the client wrote.
  const end = scope.expr.length - 1;
  if (index >= end) throw new ExpressionError('the expression ends too early', end - 1);
  const found = wordAt(scope.expr, index) ?? scope.char;
  throw new ExpressionError(`unexpected ${found}${hint(scope.expr, index)}`, index - 1);
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

/**
 * Reads an expression; each of `variables` names the tensor. Throws ExpressionError.
 * Numbers among themselves are computed here, in double precision.
 */
export function parseExpression(text: string, variables: readonly string[] = ['w']): Expression {
  checkCharacters(text);
  let syntax: jsep.Expression;
  try {
    // In parentheses the hook reads all of it: jsep's own way would pass over commas and semicolons.
    syntax = jsep(`(${text})`);
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    const { description, index } = error as { description?: string; index?: number };
    throw new ExpressionError(description ?? 'the expression cannot be read', Math.max(0, (index ?? 1) - 1));
  }
  return new Checker(variables).check(regroup(syntax as unknown as Syntax));
}

/**
 * jsep binds every unary operator tightest. In Python `-a ** b` is -(a ** b), and `not a > b` is not (a > b):
 * a unary operator at the left end takes in what binds tighter than it.
 */
function regroup(syntax: Syntax): Syntax {
  if (syntax.type !== 'BinaryExpression') return syntax;
  const { operator } = syntax;
  const left = regroup(syntax.left);
  const right = regroup(syntax.right);
  if (left.type === 'Unary' && unaryPrecedence(left.operator) < precedence(operator)) {
    return { ...left, argument: regroup({ ...syntax, left: left.argument, right }) };
  }
  return { ...syntax, left, right };
}

/** As in Python, `a + not b` is an error: `not` binds looser than what it would be part of. */
function refuseNot(operand: Syntax, operator: string, bound: number): void {
  if (operand.type !== 'Unary' || operand.operator !== 'not' || bound <= precedence('not')) return;
  throw new ExpressionError(`unexpected not after ${operator}: put parentheses around it`, start(operand));
}

function start(syntax: Syntax): number {
  return syntax.type === 'BinaryExpression' ? start(syntax.left) : syntax.at - 1;
}

class Checker {
  private readonly variables: readonly string[];

  constructor(variables: readonly string[]) {
    this.variables = variables;
  }

  check(syntax: Syntax): Expression {
    switch (syntax.type) {
      case 'Number':
        return { kind: 'number', value: syntax.value };
      case 'Name':
        return this.name(syntax.name, syntax.at - 1);
      case 'Group':
        return this.check(regroup(syntax.inner));
      case 'Unary':
        refuseNot(syntax.argument, syntax.operator, unaryPrecedence(syntax.operator));
        return fold(UNARY_OPERATORS.get(syntax.operator)!, [this.check(regroup(syntax.argument))]);
      case 'BinaryExpression':
        return this.binary(syntax);
      case 'Call':
        return this.call(syntax);
      default:
        return syntax satisfies never;
    }
  }

  private name(name: string, position: number): Expression {
    if (this.variables.includes(name)) return { kind: 'variable' };
    const known = FUNCTIONS.get(name)?.usage ?? (REDUCTIONS.has(name) ? `${name}(x)` : undefined);
    if (known !== undefined) throw new ExpressionError(`${name} is a function: write ${known}`, position);
    const variables = this.variables.join(' and ');
    const near = didYouMean(name, [...this.variables, ...FUNCTIONS.keys(), ...REDUCTIONS.keys()]);
    throw new ExpressionError(`unknown name ${name}${near || `; the tensor is ${variables}`}`, position);
  }

  private binary({ operator, left, right }: Extract<Syntax, { type: 'BinaryExpression' }>): Expression {
    refuseNot(right, operator, precedence(operator));
    if (isComparison(operator) && left.type === 'BinaryExpression' && isComparison(left.operator)) {
      throw new ExpressionError('comparisons do not chain: write a < b and b < c', start(right));
    }
    const inputs = [this.check(left), this.check(right)] as const;
    return fold(withNumber(operator, inputs) ?? OPERATORS.get(operator)!, inputs);
  }

  private call({ name, inputs, at }: Extract<Syntax, { type: 'Call' }>): Expression {
    const position = at - 1;
    const callable = FUNCTIONS.get(name);
    const reduction = REDUCTIONS.get(name);
    if (!callable && !reduction) {
      const near = didYouMean(name, [...FUNCTIONS.keys(), ...REDUCTIONS.keys()]);
      throw new ExpressionError(`unknown function ${name}${near}`, position);
    }
    const checked = inputs.map((input) => this.check(regroup(input)));
    if (reduction && checked.length === 1) return { kind: 'reduce', reduction, input: checked[0]! };
    if (callable?.arity === checked.length) return fold(callable.operation, checked);
    const usage = callable?.usage ?? `${name}(x)`;
    throw new ExpressionError(`${name} does not take ${checked.length} arguments: write ${usage}`, position);
  }
}

/** Where PyTorch computes otherwise with one number and one tensor than with two tensors. */
function withNumber(
  operator: string,
  [left, right]: readonly [Expression, Expression],
): Elementwise | undefined {
  if ((left.kind === 'number') === (right.kind === 'number')) return undefined;
  if (operator === '/' && left.kind === 'number') return divideNumber;
  if (operator === '**' && right.kind === 'number') return POWERS.get(right.value);
  return undefined;
}

function fold(operation: Elementwise, inputs: readonly Expression[]): Expression {
  const numbers = inputs.flatMap((input) => (input.kind === 'number' ? [input.value] : []));
  if (numbers.length < inputs.length) return { kind: 'apply', operation, inputs };
  const [a = 0, b = 0, c = 0] = numbers;
  return { kind: 'number', value: operation(a, b, c) };
}

/** What is wrong with an expression, or undefined. */
export function checkExpression(text: string, variables?: readonly string[]): string | undefined {
  try {
    parseExpression(text, variables);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** A string that `parseExpression` reads. */
export const expressionSchema = z.string().superRefine((text, context) => {
  const wrong = checkExpression(text);
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong });
});
