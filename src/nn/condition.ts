// A condition on named numbers, in the language of "map" and "then": `norm > 100 or nan > 0`. Computed in double precision;
// a comparison with NaN is false, as in Python. Nothing is ever run as code.

import { didYouMean } from '../nearest.js';
import { FUNCTIONS, OPERATORS, REDUCTIONS, UNARY_OPERATORS } from './expression/operations.js';
import { ExpressionError, readSyntax, type Syntax } from './expression/syntax.js';

/** The value of each name. */
type Values<Name extends string> = (name: Name) => number;
type Compute<Name extends string> = (values: Values<Name>) => number;

export type Condition<Name extends string> = (values: Values<Name>) => boolean;

/** Throws ExpressionError, also where none of the names stands in it: it would never change. */
export function parseCondition<Name extends string>(text: string, names: readonly Name[]): Condition<Name> {
  const used = new Set<string>();
  const compute = build(readSyntax(text), names, used);
  if (used.size === 0) throw new ExpressionError(`none of ${names.join(', ')} stands in it`, 0);
  return (values) => compute(values) !== 0;
}

function build<Name extends string>(
  syntax: Syntax,
  names: readonly Name[],
  used: Set<string>,
): Compute<Name> {
  const inner = (part: Syntax): Compute<Name> => build(part, names, used);
  switch (syntax.type) {
    case 'Number':
      return () => syntax.value;
    case 'Name': {
      const name = names.find((known) => known === syntax.name);
      if (name === undefined) throw unknown(syntax, names);
      used.add(name);
      return (values) => values(name);
    }
    case 'Group':
      return inner(syntax.inner);
    case 'Unary': {
      const operation = UNARY_OPERATORS.get(syntax.operator)!;
      const argument = inner(syntax.argument);
      return (values) => operation(argument(values), 0, 0);
    }
    case 'BinaryExpression': {
      const operation = OPERATORS.get(syntax.operator)!;
      const [left, right] = [inner(syntax.left), inner(syntax.right)];
      return (values) => operation(left(values), right(values), 0);
    }
    case 'Call': {
      const operation = callable(syntax, names);
      const [a, b, c] = syntax.inputs.map(inner);
      return (values) => operation(a!(values), b ? b(values) : 0, c ? c(values) : 0);
    }
    default:
      return syntax satisfies never;
  }
}

function callable({ name, at, inputs }: Extract<Syntax, { type: 'Call' }>, names: readonly string[]) {
  const found = FUNCTIONS.get(name);
  if (found?.arity === inputs.length) return found.operation;
  if (names.includes(name) && (!found || inputs.length === 1)) {
    throw new ExpressionError(`${name} is a number here: write ${name} alone`, at);
  }
  if (REDUCTIONS.has(name) && inputs.length === 1) {
    throw new ExpressionError(`${name} makes one number of many, and there are none here`, at);
  }
  if (!found) {
    throw new ExpressionError(`unknown function ${name}${didYouMean(name, FUNCTIONS.keys())}`, at);
  }
  const usage = FUNCTIONS.get(name)!.usage.replace(/^.* or /, '');
  throw new ExpressionError(`${name} does not take ${inputs.length} arguments: write ${usage}`, at);
}

function unknown({ name, at }: { name: string; at: number }, names: readonly string[]): ExpressionError {
  const usage = FUNCTIONS.get(name)?.usage;
  if (usage !== undefined) return new ExpressionError(`${name} is a function: write ${usage}`, at);
  const near = didYouMean(name, [...names, ...FUNCTIONS.keys()]);
  return new ExpressionError(`unknown name ${name}${near || `; the names are ${names.join(', ')}`}`, at);
}
