// The small safe language of "then" and "map": arithmetic on one tensor, in Python's notation, with a closed list of
// functions. No members, strings or assignments, and nothing is ever run as code.

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
import { ExpressionError, readSyntax, type Syntax } from './expression/syntax.js';

export { evaluate, type Expression } from './expression/operations.js';
export { ExpressionError } from './expression/syntax.js';

/**
 * Reads an expression; each of `variables` names the tensor. Throws ExpressionError.
 * Numbers among themselves are computed here, in double precision.
 */
export function parseExpression(text: string, variables: readonly string[] = ['w']): Expression {
  return build(readSyntax(text), variables);
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

function build(syntax: Syntax, variables: readonly string[]): Expression {
  switch (syntax.type) {
    case 'Number':
      return { kind: 'number', value: syntax.value };
    case 'Name':
      if (variables.includes(syntax.name)) return { kind: 'variable' };
      throw unknownName(syntax.name, syntax.at, variables);
    case 'Group':
      return build(syntax.inner, variables);
    case 'Unary':
      return apply(UNARY_OPERATORS.get(syntax.operator)!, [build(syntax.argument, variables)]);
    case 'BinaryExpression': {
      const sides = [build(syntax.left, variables), build(syntax.right, variables)] as const;
      return apply(withNumber(syntax.operator, sides) ?? OPERATORS.get(syntax.operator)!, sides);
    }
    case 'Call':
      return call(
        syntax,
        syntax.inputs.map((input) => build(input, variables)),
      );
    default:
      return syntax satisfies never;
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

function call({ name, at }: Extract<Syntax, { type: 'Call' }>, inputs: readonly Expression[]): Expression {
  const callable = FUNCTIONS.get(name);
  const reduction = REDUCTIONS.get(name);
  const [first] = inputs;
  if (reduction && first && inputs.length === 1) return { kind: 'reduce', reduction, input: first };
  if (callable?.arity === inputs.length) return apply(callable.operation, inputs);
  const usage = usageOf(name);
  if (usage === undefined) {
    throw new ExpressionError(`unknown function ${name}${didYouMean(name, functionNames())}`, at);
  }
  throw new ExpressionError(`${name} does not take ${inputs.length} arguments: write ${usage}`, at);
}

function apply(operation: Elementwise, inputs: readonly Expression[]): Expression {
  const numbers = inputs.flatMap((input) => (input.kind === 'number' ? [input.value] : []));
  if (numbers.length < inputs.length) return { kind: 'apply', operation, inputs };
  const [a = 0, b = 0, c = 0] = numbers;
  return { kind: 'number', value: operation(a, b, c) };
}

function functionNames(): string[] {
  return [...FUNCTIONS.keys(), ...REDUCTIONS.keys()];
}

function usageOf(name: string): string | undefined {
  return FUNCTIONS.get(name)?.usage ?? (REDUCTIONS.has(name) ? `${name}(x)` : undefined);
}

function unknownName(name: string, at: number, variables: readonly string[]): ExpressionError {
  const usage = usageOf(name);
  if (usage !== undefined) return new ExpressionError(`${name} is a function: write ${usage}`, at);
  const near = didYouMean(name, [...variables, ...functionNames()]);
  return new ExpressionError(
    `unknown name ${name}${near || `; the tensor is ${variables.join(' and ')}`}`,
    at,
  );
}
