// The one table of ops that a Graph's nodes may be, beside modules: torch's functions of one or several tensors, with
// their arguments' names and defaults.

import { ShapeError } from '../../graph/op.js';
import { matmul } from '../../graph/ops-product.js';
import { scaled } from '../../graph/ops-functions.js';
import { dimension, list } from '../../graph/requirements.js';
import type { Apply, Value } from '../../graph/tracer.js';
import { IndexRangeError, IndexSyntaxError, parseIndex, type IndexItem } from '../../tensor/index-grammar.js';
import { numel, type Shape } from '../../tensor/shape.js';
import { reduce } from '../formula-ops.js';
import type { OptionDefinition } from '../layer.js';
import type { Options } from '../options.js';
import { flag, nullable } from './arguments.js';

export interface NodeOpDefinition {
  readonly options: readonly OptionDefinition[];
  /** How many inputs it takes; `maximum` absent: any number from `minimum` on. */
  readonly inputs: { readonly minimum: number; readonly maximum?: number };
  /** Throws ShapeError. */
  trace(inputs: readonly Value[], options: Options, apply: Apply): Value;
}

const ONE = { minimum: 1, maximum: 1 };
const TWO = { minimum: 2, maximum: 2 };
const MANY = { minimum: 2 };

const dim = (usual?: number): OptionDefinition => ({
  name: 'dim',
  kind: 'int',
  ...(usual !== undefined && { default: usual }),
});

/** As many dimensions as a tensor of PyTorch can have. */
const LENGTHS = { minimum: 1, maximum: 64 };
const dims = (name: string, minimum: number): OptionDefinition => ({
  name,
  kind: 'ints',
  minimum,
  lengths: LENGTHS,
});

type Unary = 'relu' | 'sigmoid' | 'tanh' | 'silu' | 'gelu' | 'abs' | 'exp' | 'log' | 'sqrt' | 'identity';

function unary(op: Unary): NodeOpDefinition {
  return { options: [], inputs: ONE, trace: ([x], _options, apply) => apply(op, [x!], {}) };
}

type Binary = 'add' | 'sub' | 'mul' | 'div' | 'minimum' | 'maximum' | 'power';

/** Of more than two, from left to right. */
function binary(op: Binary, inputs: NodeOpDefinition['inputs'] = TWO): NodeOpDefinition {
  return {
    options: [],
    inputs,
    trace: ([first, ...others], _options, apply) => others.reduce((y, x) => apply(op, [y, x], {}), first!),
  };
}

function softmax(op: 'softmax' | 'log_softmax'): NodeOpDefinition {
  return {
    options: [dim()],
    inputs: ONE,
    trace: ([x], { dim: over }, apply) => apply(op, [x!], { dim: over as number }),
  };
}

function reduction(name: string): NodeOpDefinition {
  return {
    options: [nullable({ ...dims('dim', -64) }), flag('keepdim', false)],
    inputs: ONE,
    trace: ([x], { dim: over, keepdim }, apply) => {
      const keep = keepdim === true;
      if (over === null) return reduce(name, x!, { dim: null, keepdim: keep }, apply);
      const rank = x!.shape.length;
      const all = [over!].flat().map((each) => dimension(each as number, rank));
      if (new Set(all).size < all.length) throw new ShapeError(`dim ${list(all)} appears multiple times`);
      if (name === 'std' && all.length > 1) throw new ShapeError('std takes one dimension here');
      // From the last to the first, so that those before it stay where they are.
      return all
        .sort((a, b) => b - a)
        .reduce((y, each) => reduce(name, y, { dim: each, keepdim: keep }, apply), x!);
    },
  };
}

/** A permutation of dimensions; the value itself where none moves. */
function permuted(x: Value, order: readonly number[], apply: Apply): Value {
  return order.every((from, i) => from === i) ? x : apply('permute', [x], { dims: order });
}

/** A reshape in which the rows may be any number, where the first dimension stays. */
function reshaped(x: Value, shape: Shape, apply: Apply): Value {
  const [first, ...rest] = shape;
  const open = first !== undefined && first === x.shape[0] && numel(rest) > 0;
  return apply('reshape', [x], { shape: open ? [-1, ...rest] : shape });
}

function matrixProduct([a, b]: readonly Value[], apply: Apply): Value {
  const [left, right] = [a!.shape, b!.shape];
  const shared = right.length === 2;
  const batches = left.length === right.length && left.slice(0, -2).every((extent, i) => extent === right[i]);
  if (left.length < 2 || right.length < 2 || !(shared || batches)) {
    throw new ShapeError(
      `matmul takes matrices, as many on the right as on the left or one: got ${list(left)} and ${list(right)}`,
    );
  }
  if (left.at(-1) !== right.at(-2)) {
    const [m, k, j, n] = [left.at(-2), left.at(-1), right.at(-2), right.at(-1)];
    throw new ShapeError(`mat1 and mat2 shapes cannot be multiplied (${m}x${k} and ${j}x${n})`);
  }
  return matmul(apply, { value: a! }, { value: b! });
}

/** `x[index]`: each dimension's slice, one behind the other; what an integer takes is gone afterwards. */
function selected(x: Value, text: string, apply: Apply): Value {
  const rank = x.shape.length;
  const items = parseIndex(text);
  const given = items.filter(({ kind }) => kind !== 'ellipsis').length;
  if (given > rank) throw new ShapeError(`too many indices for tensor of dimension ${rank}`);
  const at = items.findIndex(({ kind }) => kind === 'ellipsis');
  const open = Array.from({ length: rank - given }, (): IndexItem => ({ kind: 'slice', step: 1 }));
  const before = at < 0 ? items : items.slice(0, at);
  const full = [...before, ...open, ...(at < 0 ? [] : items.slice(at + 1))];
  let value = x;
  full.forEach((item, d) => (value = sliced(value, d, item, apply)));
  const kept = full.flatMap(({ kind }, d) => (kind === 'at' ? [] : [value.shape[d]!]));
  return kept.length === rank ? value : reshaped(value, kept, apply);
}

function sliced(x: Value, d: number, item: IndexItem, apply: Apply): Value {
  const extent = x.shape[d]!;
  if (item.kind === 'at') {
    const index = item.index < 0 ? item.index + extent : item.index;
    if (index < 0 || index >= extent) {
      throw new ShapeError(`index ${item.index} is out of bounds for dimension ${d} with size ${extent}`);
    }
    return apply('slice', [x], { dim: d, start: index, step: 1, count: 1 });
  }
  if (item.kind === 'ellipsis') return x;
  const clamped = (bound: number): number =>
    Math.min(Math.max(bound < 0 ? bound + extent : bound, 0), extent);
  const [start, stop] = [clamped(item.start ?? 0), clamped(item.stop ?? extent)];
  if (start === 0 && stop === extent && item.step === 1) return x;
  const count = Math.max(0, Math.ceil((stop - start) / item.step));
  return apply('slice', [x], { dim: d, start, step: item.step, count });
}

function wrongIndex(text: string): string | undefined {
  try {
    parseIndex(text);
    return undefined;
  } catch (error) {
    if (error instanceof IndexSyntaxError || error instanceof IndexRangeError) return error.message;
    throw error;
  }
}

const OPS = {
  add: binary('add', MANY),
  sub: binary('sub'),
  mul: binary('mul', MANY),
  div: binary('div'),
  minimum: binary('minimum'),
  maximum: binary('maximum'),
  pow: binary('power'),
  matmul: { options: [], inputs: TWO, trace: (inputs, _options, apply) => matrixProduct(inputs, apply) },
  cat: {
    options: [dim(0)],
    inputs: { minimum: 1 },
    trace: (inputs, { dim: along }, apply) =>
      apply('cat', inputs, { dim: dimension(along as number, inputs[0]!.shape.length) }),
  },
  stack: {
    options: [dim(0)],
    inputs: { minimum: 1 },
    trace: (inputs, { dim: along }, apply) => {
      const at = dimension(along as number, inputs[0]!.shape.length + 1);
      const wider = inputs.map((x) => reshaped(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)], apply));
      return apply('cat', wider, { dim: at });
    },
  },
  sum: reduction('sum'),
  mean: reduction('mean'),
  min: reduction('min'),
  max: reduction('max'),
  std: reduction('std'),
  reshape: {
    options: [dims('shape', -1)],
    inputs: ONE,
    trace: ([x], { shape }, apply) => {
      const wanted = [shape!].flat() as number[];
      if (wanted.filter((extent) => extent === -1).length > 1)
        throw new ShapeError('only one dimension can be inferred');
      return wanted[0] === -1 ? apply('reshape', [x!], { shape: wanted }) : reshaped(x!, wanted, apply);
    },
  },
  flatten: {
    options: [
      { name: 'start_dim', kind: 'int', default: 0 },
      { name: 'end_dim', kind: 'int', default: -1 },
    ],
    inputs: ONE,
    trace: ([x], { start_dim, end_dim }, apply) =>
      apply('flatten', [x!], { startDim: start_dim as number, endDim: end_dim as number }),
  },
  permute: {
    options: [dims('dims', -64)],
    inputs: ONE,
    trace: ([x], { dims: wanted }, apply) => {
      const rank = x!.shape.length;
      const order = ([wanted!].flat() as number[]).map((each) => dimension(each, rank));
      if (order.length !== rank || new Set(order).size !== rank) {
        throw new ShapeError(`permute needs each of ${rank} dimensions once, got ${list(order)}`);
      }
      return permuted(x!, order, apply);
    },
  },
  transpose: {
    options: [
      { name: 'dim0', kind: 'int' },
      { name: 'dim1', kind: 'int' },
    ],
    inputs: ONE,
    trace: ([x], { dim0, dim1 }, apply) => {
      const rank = x!.shape.length;
      const [a, b] = [dimension(dim0 as number, rank), dimension(dim1 as number, rank)];
      const order = x!.shape.map((_, i) => (i === a ? b : i === b ? a : i));
      return permuted(x!, order, apply);
    },
  },
  unsqueeze: {
    options: [dim()],
    inputs: ONE,
    trace: ([x], { dim: along }, apply) => {
      const at = dimension(along as number, x!.shape.length + 1);
      return reshaped(x!, [...x!.shape.slice(0, at), 1, ...x!.shape.slice(at)], apply);
    },
  },
  squeeze: {
    options: [dim()],
    inputs: ONE,
    trace: ([x], { dim: along }, apply) => {
      const at = dimension(along as number, x!.shape.length);
      return x!.shape[at] === 1 ? reshaped(x!, x!.shape.toSpliced(at, 1), apply) : x!;
    },
  },
  select: {
    options: [{ name: 'index', kind: 'text', wrong: wrongIndex }],
    inputs: ONE,
    trace: ([x], { index }, apply) => selected(x!, index as string, apply),
  },
  neg: { options: [], inputs: ONE, trace: ([x], _options, apply) => scaled(apply, x!, -1) },
  relu: unary('relu'),
  sigmoid: unary('sigmoid'),
  tanh: unary('tanh'),
  silu: unary('silu'),
  gelu: unary('gelu'),
  softmax: softmax('softmax'),
  log_softmax: softmax('log_softmax'),
  abs: unary('abs'),
  exp: unary('exp'),
  log: unary('log'),
  sqrt: unary('sqrt'),
  identity: unary('identity'),
} satisfies Record<string, NodeOpDefinition>;

export type NodeOpName = keyof typeof OPS;

/** Widened, so that every row may be asked for what only some have. */
export const NODE_OPS: Readonly<Record<NodeOpName, NodeOpDefinition>> = OPS;

export function isNodeOp(name: string): name is NodeOpName {
  return Object.hasOwn(NODE_OPS, name);
}
