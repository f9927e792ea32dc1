// What expressions can compute, and how a parsed one is run over a tensor in place, block by block.
// Numbers written in the text are double precision, as in Python; what they meet in a tensor is rounded to float32 first,
// and so is every step's result, as on PyTorch's float32 tensors. Conditions are 0 and 1.

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'variable' }
  | { readonly kind: 'apply'; readonly operation: Elementwise; readonly inputs: readonly Expression[] }
  | { readonly kind: 'reduce'; readonly reduction: Reduction; readonly input: Expression };

/** One element's result in double precision, rounded afterwards. */
export type Elementwise = (a: number, b: number, c: number) => number;
/** Of all n values: `value(i)` is the i-th. */
export type Reduction = (value: (i: number) => number, n: number) => number;

const truth = (condition: boolean): number => (condition ? 1 : 0);

/** C's pow, not JavaScript's, where NaN and the infinities are exponents of 1 and -1. */
function pow(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
}

/** What torch.pow does instead for an exponent that is one of these numbers, each step rounded to float32. */
export const POWERS: ReadonlyMap<number, Elementwise> = new Map<number, Elementwise>([
  [0.5, Math.sqrt],
  [2, (a) => a * a],
  [3, (a) => Math.fround(a * a) * a],
  [-0.5, (a) => 1 / Math.fround(Math.sqrt(a))],
  [-1, (a) => 1 / a],
  [-2, (a) => 1 / Math.fround(a * a)],
]);

/** A number divided by a tensor, as Tensor.__rtruediv__ has it: the reciprocal, rounded, times the number. */
export function divideNumber(a: number, b: number): number {
  return Math.fround(1 / b) * a;
}

/** torch.remainder: the sign of the divisor. */
function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && b < 0 !== rest < 0 ? rest + b : rest;
}

/** To the nearest integer, halves to the even one. */
function round(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < 2 ** 52)) return x;
  // Sums of this size have no room for a fraction: the addition itself rounds.
  const rounded = magnitude + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

export const OPERATORS: ReadonlyMap<string, Elementwise> = new Map<string, Elementwise>([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / b],
  ['%', remainder],
  ['**', pow],
  ['<', (a, b) => truth(a < b)],
  ['<=', (a, b) => truth(a <= b)],
  ['>', (a, b) => truth(a > b)],
  ['>=', (a, b) => truth(a >= b)],
  ['==', (a, b) => truth(a === b)],
  ['!=', (a, b) => truth(a !== b)],
  ['and', (a, b) => truth(a !== 0 && b !== 0)],
  ['or', (a, b) => truth(a !== 0 || b !== 0)],
]);

export const UNARY_OPERATORS: ReadonlyMap<string, Elementwise> = new Map<string, Elementwise>([
  ['-', (a) => -a],
  ['+', (a) => a],
  ['not', (a) => truth(a === 0)],
]);

interface Callable {
  readonly arity: number;
  readonly usage: string;
  readonly operation: Elementwise;
}

/** Calls that work element by element; `min` and `max` with two arguments are among them. */
export const FUNCTIONS: ReadonlyMap<string, Callable> = new Map<string, Callable>([
  ['abs', { arity: 1, usage: 'abs(x)', operation: Math.abs }],
  ['sqrt', { arity: 1, usage: 'sqrt(x)', operation: Math.sqrt }],
  ['exp', { arity: 1, usage: 'exp(x)', operation: Math.exp }],
  ['log', { arity: 1, usage: 'log(x)', operation: Math.log }],
  ['tanh', { arity: 1, usage: 'tanh(x)', operation: Math.tanh }],
  ['sigmoid', { arity: 1, usage: 'sigmoid(x)', operation: (x) => 1 / (1 + Math.exp(-x)) }],
  ['relu', { arity: 1, usage: 'relu(x)', operation: (x) => (x < 0 ? 0 : x) }],
  ['floor', { arity: 1, usage: 'floor(x)', operation: Math.floor }],
  ['round', { arity: 1, usage: 'round(x)', operation: round }],
  ['sign', { arity: 1, usage: 'sign(x)', operation: (x) => truth(x > 0) - truth(x < 0) }],
  ['sin', { arity: 1, usage: 'sin(x)', operation: Math.sin }],
  ['cos', { arity: 1, usage: 'cos(x)', operation: Math.cos }],
  ['min', { arity: 2, usage: 'min(x) or min(x, y)', operation: (x, y) => Math.min(x, y) }],
  ['max', { arity: 2, usage: 'max(x) or max(x, y)', operation: (x, y) => Math.max(x, y) }],
  [
    'clip',
    { arity: 3, usage: 'clip(x, low, high)', operation: (x, low, high) => Math.min(Math.max(x, low), high) },
  ],
  [
    'where',
    { arity: 3, usage: 'where(condition, x, y)', operation: (condition, x, y) => (condition !== 0 ? x : y) },
  ],
]);

function sum(value: (i: number) => number, n: number): number {
  let total = 0;
  for (let i = 0; i < n; i++) total += value(i);
  return total;
}

function extreme(value: (i: number) => number, n: number, choose: (a: number, b: number) => number): number {
  let found = value(0);
  for (let i = 1; i < n; i++) found = choose(found, value(i));
  return found;
}

/** Calls that make one number of a whole tensor; summed in double precision, from the first element to the last. */
export const REDUCTIONS: ReadonlyMap<string, Reduction> = new Map<string, Reduction>([
  ['sum', sum],
  ['mean', (value, n) => sum(value, n) / n],
  ['min', (value, n) => extreme(value, n, Math.min)],
  ['max', (value, n) => extreme(value, n, Math.max)],
  [
    'std', // of a sample: n - 1
    (value, n) => {
      const mean = sum(value, n) / n;
      return Math.sqrt(sum((i) => (value(i) - mean) ** 2, n) / (n - 1));
    },
  ],
]);

/** Elements that are computed at a time. */
const BLOCK = 1024;

/** The values of an expression for data[start..start + BLOCK), in memory that the next call uses again. */
type Block = (start: number) => Float32Array;

/** data[i] = expression, for every i; reductions see the tensor as it was. `data` may lie in shared memory. */
export function evaluate(expression: Expression, data: Float32Array): void {
  if (data.length === 0) return;
  const block = compile(expression, data);
  for (let start = 0; start < data.length; start += BLOCK) {
    const values = block(start);
    data.set(start + BLOCK <= data.length ? values : values.subarray(0, data.length - start), start);
  }
}

function compile(expression: Expression, data: Float32Array): Block {
  const out = new Float32Array(Math.min(BLOCK, data.length));
  switch (expression.kind) {
    case 'number':
      out.fill(expression.value);
      return () => out;
    case 'variable':
      return (start) => {
        out.set(data.subarray(start, start + BLOCK));
        return out;
      };
    case 'apply': {
      const { operation } = expression;
      const [a, b, c] = expression.inputs.map((input) => compile(input, data));
      return (start) => {
        const x = a!(start);
        const y = b ? b(start) : x;
        const z = c ? c(start) : x;
        for (let i = 0; i < out.length; i++) out[i] = operation(x[i]!, y[i]!, z[i]!);
        return out;
      };
    }
    case 'reduce':
      out.fill(reduce(expression.reduction, compile(expression.input, data), data.length));
      return () => out;
    default:
      return expression satisfies never;
  }
}

function reduce(reduction: Reduction, block: Block, n: number): number {
  let values = block(0);
  let loaded = 0;
  const value = (i: number): number => {
    const start = i - (i % BLOCK);
    if (start !== loaded) {
      values = block(start);
      loaded = start;
    }
    return values[i - start]!;
  };
  return reduction(value, n);
}
