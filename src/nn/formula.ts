// The language of expressions over a tensor x that is yet to come: read into a tree, which is then written down as ops.
// Beside what "map" knows, reductions take a dimension: mean(x, 1), max(x, dim=1), sum(x, dim=-1, keepdim=True).

import { didYouMean } from '../nearest.js';
import { FUNCTIONS, OPERATORS, REDUCTIONS, UNARY_OPERATORS } from './expression/operations.js';
import { ExpressionError, readSyntax, type Syntax } from './expression/syntax.js';

export const VARIABLE = 'x';

export type Formula =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'variable' }
  /** An operator or a function by its name; `-` of one input is the negative. */
  | { readonly kind: 'apply'; readonly name: string; readonly inputs: readonly Formula[] }
  /** `dim` null: over all of them. */
  | {
      readonly kind: 'reduce';
      readonly name: string;
      readonly input: Formula;
      readonly dim: number | null;
      readonly keepdim: boolean;
    };

type Call = Extract<Syntax, { type: 'Call' }>;

/** Throws ExpressionError. Numbers among themselves are computed here, in double precision. */
export function parseFormula(text: string): Formula {
  const formula = build(readSyntax(text, { keywords: true }));
  if (formula.kind === 'number') throw new ExpressionError(`${VARIABLE} does not stand in it`, 0);
  return formula;
}

function build(syntax: Syntax): Formula {
  switch (syntax.type) {
    case 'Number':
      return { kind: 'number', value: syntax.value };
    case 'Name':
      if (syntax.name === VARIABLE) return { kind: 'variable' };
      throw unknownName(syntax);
    case 'Group':
      return build(syntax.inner);
    case 'Unary':
      return applied(syntax.operator, [build(syntax.argument)], UNARY_OPERATORS.get(syntax.operator)!);
    case 'BinaryExpression':
      return applied(
        syntax.operator,
        [build(syntax.left), build(syntax.right)],
        OPERATORS.get(syntax.operator)!,
      );
    case 'Call':
      return call(syntax);
    default:
      return syntax satisfies never;
  }
}

function applied(
  name: string,
  inputs: readonly Formula[],
  operation: (a: number, b: number, c: number) => number,
): Formula {
  const numbers = inputs.flatMap((input) => (input.kind === 'number' ? [input.value] : []));
  if (numbers.length < inputs.length) return { kind: 'apply', name, inputs };
  const [a = 0, b = 0, c = 0] = numbers;
  return { kind: 'number', value: operation(a, b, c) };
}

function call(syntax: Call): Formula {
  const { name, at, inputs, keywords } = syntax;
  const elementwise = FUNCTIONS.get(name);
  if (elementwise?.arity === inputs.length && keywords.length === 0)
    return applied(name, inputs.map(build), elementwise.operation);
  if (REDUCTIONS.has(name) && inputs.length > 0) return reduction(syntax);
  const usage = usageOf(name);
  if (usage === undefined) throw new ExpressionError(`unknown function ${name}${near(name)}`, at);
  if (keywords[0]) throw new ExpressionError(`${name} takes no ${keywords[0].name}: write ${usage}`, at);
  throw new ExpressionError(`${name} does not take ${inputs.length} arguments: write ${usage}`, at);
}

/** What a reduction takes beside its tensor, in order; `min` and `max` of two are elementwise. */
const REDUCTION_ARGUMENTS = ['dim', 'keepdim'];

function reduction({ name, at, inputs, keywords }: Call): Formula {
  const [first, ...positional] = inputs as [Syntax, ...Syntax[]];
  const usage = usageOf(name)!;
  if (positional.length > REDUCTION_ARGUMENTS.length || (positional.length > 0 && FUNCTIONS.has(name)))
    throw new ExpressionError(`${name} does not take ${inputs.length} arguments: write ${usage}`, at);
  const given = new Map<string, Syntax>();
  positional.forEach((value, i) => given.set(REDUCTION_ARGUMENTS[i]!, value));
  for (const { name: keyword, at: where, value } of keywords) {
    if (!REDUCTION_ARGUMENTS.includes(keyword)) {
      const hint = didYouMean(keyword, REDUCTION_ARGUMENTS);
      throw new ExpressionError(`${name} takes no ${keyword}${hint || `: write ${usage}`}`, where);
    }
    if (given.has(keyword)) throw new ExpressionError(`${name} is given ${keyword} twice`, where);
    given.set(keyword, value);
  }
  const input = build(first);
  if (input.kind === 'number')
    throw new ExpressionError(`${name} of a number: there is nothing to reduce`, at);
  const dim = given.get('dim');
  const keepdim = given.get('keepdim');
  return {
    kind: 'reduce',
    name,
    input,
    dim: dim ? dimensionOf(dim, { name, at }) : null,
    keepdim: keepdim ? truthOf(keepdim, { name, at }) : false,
  };
}

function dimensionOf(syntax: Syntax, { name, at }: { name: string; at: number }): number {
  const value = syntax.type === 'Name' ? undefined : build(syntax);
  if (value?.kind === 'number' && Number.isInteger(value.value) && Math.abs(value.value) <= 64)
    return value.value;
  throw new ExpressionError(`dim of ${name} must be a whole number such as 1 or -1`, at);
}

function truthOf(syntax: Syntax, { name, at }: { name: string; at: number }): boolean {
  if (syntax.type === 'Name' && /^true$/i.test(syntax.name)) return true;
  if (syntax.type === 'Name' && /^false$/i.test(syntax.name)) return false;
  throw new ExpressionError(`keepdim of ${name} must be True or False`, at);
}

function usageOf(name: string): string | undefined {
  const own = FUNCTIONS.get(name)?.usage;
  if (!REDUCTIONS.has(name)) return own;
  return own === undefined ? `${name}(x) or ${name}(x, dim)` : `${own} or ${name}(x, dim=1)`;
}

function near(name: string): string {
  return didYouMean(name, [VARIABLE, ...FUNCTIONS.keys(), ...REDUCTIONS.keys()]);
}

function unknownName({ name, at }: { name: string; at: number }): ExpressionError {
  const usage = usageOf(name);
  if (usage !== undefined) return new ExpressionError(`${name} is a function: write ${usage}`, at);
  return new ExpressionError(`unknown name ${name}${near(name) || `; the tensor is ${VARIABLE}`}`, at);
}
