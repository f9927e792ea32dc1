// A formula written down as ops, so that it is differentiable, planned and, where it can be, row-wise. What PyTorch
// computes otherwise with a number than with a tensor is computed so here.

import { reshape } from '../graph/broadcasting.js';
import type { FunctionName, UnaryName } from '../graph/kernels.js';
import { scaled } from '../graph/ops-functions.js';
import { dimension } from '../graph/requirements.js';
import type { Apply, Value } from '../graph/tracer.js';
import { numel, type Shape } from '../tensor/shape.js';
import type { Formula } from './formula.js';

type Operand = Value | number;

/** The value of a formula for one x. Throws ShapeError. */
export function traceFormula(formula: Formula, x: Value, apply: Apply): Value {
  const trace = (part: Formula): Operand => {
    switch (part.kind) {
      case 'number':
        return part.value;
      case 'variable':
        return x;
      case 'reduce':
        return reduce(part.name, asValue(trace(part.input), apply), part, apply);
      case 'apply': {
        const inputs = part.inputs.map(trace);
        return (inputs.length === 1 ? UNARY : MULTIARY).get(part.name)!(inputs, apply);
      }
      default:
        return part satisfies never;
    }
  };
  return asValue(trace(formula), apply);
}

function asValue(operand: Operand, apply: Apply): Value {
  return typeof operand === 'number' ? apply('fill', [], { shape: [], value: operand }) : operand;
}

type Rule = (inputs: readonly Operand[], apply: Apply) => Value;

const ofTensor =
  (rule: (x: Value, apply: Apply) => Value): Rule =>
  ([x], apply) =>
    rule(asValue(x!, apply), apply);

const plain = (name: FunctionName | UnaryName): Rule => ofTensor((x, apply) => apply(name, [x], {}));

const UNARY: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['-', ofTensor((x, apply) => scaled(apply, x, -1))],
  ['+', ofTensor((x) => x)],
  ['not', plain('logical_not')],
  ...(
    ['abs', 'sqrt', 'exp', 'log', 'tanh', 'sigmoid', 'relu', 'floor', 'round', 'sign', 'sin', 'cos'] as const
  ).map((name) => [name, plain(name)] as const),
]);

type Binary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'less'
  | 'less_equal'
  | 'equal'
  | 'not_equal'
  | 'both'
  | 'either'
  | 'minimum'
  | 'maximum'
  | 'power'
  | 'remainder';

const both =
  (name: Binary, { swapped = false } = {}): Rule =>
  ([a, b], apply) => {
    const sides = [asValue(a!, apply), asValue(b!, apply)];
    return apply(name, swapped ? sides.reverse() : sides, {});
  };

const shifted = (apply: Apply, x: Value, shift: number): Value => apply('affine', [x], { scale: 1, shift });

const add: Rule = ([a, b], apply) => {
  if (typeof a === 'number') return shifted(apply, b as Value, a);
  return typeof b === 'number' ? shifted(apply, a!, b) : apply('add', [a!, b!], {});
};

const subtract: Rule = ([a, b], apply) => {
  if (typeof a === 'number') return apply('affine', [b as Value], { scale: -1, shift: a });
  return typeof b === 'number' ? shifted(apply, a!, -b) : apply('sub', [a!, b!], {});
};

const multiply: Rule = ([a, b], apply) => {
  if (typeof a === 'number') return scaled(apply, b as Value, a);
  return typeof b === 'number' ? scaled(apply, a!, b) : apply('mul', [a!, b!], {});
};

/** A number divided by a tensor is the reciprocal times the number, as Tensor.__rtruediv__ has it. */
const divide: Rule = ([a, b], apply) =>
  typeof a === 'number'
    ? scaled(apply, apply('reciprocal', [b as Value], {}), a)
    : apply('div', [a!, asValue(b!, apply)], {});

const squared = (x: Value, apply: Apply): Value => apply('mul', [x, x], {});

/** What torch.pow does for an exponent that is one of these numbers. */
const POWERS: ReadonlyMap<number, (x: Value, apply: Apply) => Value> = new Map([
  [0.5, (x: Value, apply: Apply) => apply('sqrt', [x], {})],
  [2, squared],
  [3, (x: Value, apply: Apply) => apply('mul', [squared(x, apply), x], {})],
  [-0.5, (x: Value, apply: Apply) => apply('reciprocal', [apply('sqrt', [x], {})], {})],
  [-1, (x: Value, apply: Apply) => apply('reciprocal', [x], {})],
  [-2, (x: Value, apply: Apply) => apply('reciprocal', [squared(x, apply)], {})],
]);

const raise: Rule = (sides, apply) => {
  const [a, b] = sides;
  const known = typeof b === 'number' && typeof a === 'object' ? POWERS.get(b) : undefined;
  return known ? known(a as Value, apply) : both('power')(sides, apply);
};

/** As torch.clamp, whose gradient is 1 on the bounds themselves. */
const clip: Rule = (inputs, apply) => {
  const [x, low, high] = inputs.map((input) => asValue(input, apply)) as [Value, Value, Value];
  const raised = apply('where', [apply('less', [x, low], {}), low, x], {});
  return apply('where', [apply('less', [high, raised], {}), high, raised], {});
};

const MULTIARY: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['+', add],
  ['-', subtract],
  ['*', multiply],
  ['/', divide],
  ['%', both('remainder')],
  ['**', raise],
  ['<', both('less')],
  ['<=', both('less_equal')],
  ['>', both('less', { swapped: true })],
  ['>=', both('less_equal', { swapped: true })],
  ['==', both('equal')],
  ['!=', both('not_equal')],
  ['and', both('both')],
  ['or', both('either')],
  ['min', both('minimum')],
  ['max', both('maximum')],
  ['clip', clip],
  [
    'where',
    (inputs, apply) =>
      apply(
        'where',
        inputs.map((input) => asValue(input, apply)),
        {},
      ),
  ],
]);

/** Over which dimension (null: all), and whether it stays as one of extent 1. */
export interface Over {
  readonly dim: number | null;
  readonly keepdim: boolean;
}

/** A reduction by its name. Throws ShapeError. */
export function reduce(name: string, x: Value, { dim, keepdim }: Over, apply: Apply): Value {
  const rank = x.shape.length;
  const at = dim === null ? 0 : dimension(dim, rank);
  const range = dim === null || rank === 0 ? { start: 0, end: rank } : { start: at, end: at + 1 };
  const kept: Shape = x.shape.map((extent, i) => (i >= range.start && i < range.end ? 1 : extent));
  const reduced = REDUCED.get(name)!(x, { ...range, kept }, apply);
  return keepdim ? resized(apply, reduced, kept) : reduced;
}

/** A reshape that is row-wise where it can be. */
function resized(apply: Apply, value: Value, shape: Shape): Value {
  const [first, ...rest] = shape;
  if (first === undefined || first !== value.shape[0] || numel(rest) === 0)
    return reshape(apply, value, shape);
  return value.shape.length === shape.length ? value : apply('reshape', [value], { shape: [-1, ...rest] });
}

interface Range {
  readonly start: number;
  readonly end: number;
  /** The shape with 1 in place of what is reduced. */
  readonly kept: Shape;
}

type Reduction = (x: Value, range: Range, apply: Apply) => Value;

const divided = (apply: Apply, x: Value, n: number): Value => apply('div', [x, asValue(n, apply)], {});
const count = (x: Value, { start, end }: Range): number => numel(x.shape.slice(start, end));
const sum: Reduction = (x, { start, end }, apply) => apply('sum', [x], { start, end });
const mean: Reduction = (x, range, apply) => divided(apply, sum(x, range, apply), count(x, range));

/** Of a sample: n - 1. Its gradient is 0 where it is 0, as PyTorch's is. */
const std: Reduction = (x, range, apply) => {
  const centre = resized(apply, mean(x, range, apply), range.kept);
  const squares = sum(squared(apply('sub', [x, centre], {}), apply), range, apply);
  const variance = divided(apply, squares, count(x, range) - 1);
  const none = asValue(0, apply);
  const zero = apply('equal', [variance, none], {});
  const root = apply('sqrt', [apply('where', [zero, asValue(1, apply), variance], {})], {});
  return apply('where', [zero, none, root], {});
};

const REDUCED: ReadonlyMap<string, Reduction> = new Map<string, Reduction>([
  ['sum', sum],
  ['mean', mean],
  ['min', (x, { start, end }, apply) => apply('amin', [x], { start, end })],
  ['max', (x, { start, end }, apply) => apply('amax', [x], { start, end })],
  ['std', std],
]);
