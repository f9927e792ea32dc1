// What an op is: its attributes, and the row it has in the one table (ops.ts).

import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { Kernels, UnaryName } from './kernels.js';
import type { Apply, Value } from './tracer.js';

/** [height, width]; one-dimensional layers use height 1. */
export type Pair = readonly [number, number];

type UnaryAttributes = Record<UnaryName, { a?: number; b?: number }>;

/** Each op's attributes. Inputs are given apart; an absent optional input (bias) is null. */
export interface OpAttributes extends UnaryAttributes {
  /** x[..., in], weight[out, in], bias[out]|null → [..., out] */
  linear: Record<never, never>;
  /** x[n, ci, h, w] or [ci, h, w] (dims 2); x[n, ci, l] or [ci, l] (dims 1, pairs [1, v]); weight, bias|null */
  conv: { dims: 1 | 2; stride: Pair; padding: Pair | 'same'; dilation: Pair; groups: number };
  max_pool: { dims: 1 | 2; kernel: Pair; stride: Pair; padding: Pair; dilation: Pair; ceilMode: boolean };
  avg_pool: {
    dims: 1 | 2;
    kernel: Pair;
    stride: Pair;
    padding: Pair;
    ceilMode: boolean;
    countIncludePad: boolean;
    divisor: number | null;
  };
  /** null keeps that dimension's extent */
  adaptive_avg_pool: { dims: 1 | 2; output: readonly [number | null, number | null] };
  /** x, running_mean, running_var, weight|null, bias|null; `ranks` are the ranks the layer accepts */
  batch_norm: { layer: string; ranks: readonly number[]; features: number; eps: number };
  /** x[..., ...normalizedShape], weight|null, bias|null */
  layer_norm: { normalizedShape: Shape; eps: number };
  /** x; negative dims count from the end; null is PyTorch's implicit choice (0 for ranks 0, 1, 3; else 1) */
  softmax: { dim: number | null };
  log_softmax: { dim: number | null };
  /** indices int64 [...], weight[rows, d] → [..., d] */
  embedding: Record<never, never>;
  /** no work: the same bytes seen with another shape; one extent may be -1, which is what the others leave */
  reshape: { shape: Shape };
  /** the values of x repeated to a shape that it broadcasts to */
  expand: { shape: Shape };
  /** dimension i of the output is dimension dims[i] of the input */
  permute: { dims: readonly number[] };
  copy: Record<never, never>;
  /** y = a ∘ b, broadcast as PyTorch does */
  add: Record<never, never>;
  sub: Record<never, never>;
  mul: Record<never, never>;
  div: Record<never, never>;
  /** y = scale · x + shift */
  affine: { scale: number; shift: number };
  /** over dimensions start ... end - 1, which are gone then */
  sum: { start: number; end: number };
  /** s (the input or output of the function, see ops-pointwise), gradient of the output → gradient of the input */
  unary_gradient: { of: UnaryName; a?: number; b?: number };
  /** w[..., n, k] (transposed: [..., k, n]) → panels[..., ceil(n/16), k, 16], see Kernels.pack */
  pack: { transposed: boolean };
  /**
   * a[..., m, k], panels of w[n, k] (or of as many w as a has matrices), bias[n]|null, w itself, which is only read by
   * the gradients → a · wᵀ + bias [..., m, n]; transposed: w is [..., k, n]. See matmul.
   */
  product: { n: number; transposed: boolean };
  /** GENERATOR → `scale` with probability p, else 0 */
  bernoulli: { shape: Shape; p: number; scale: number };
  /** x, GENERATOR → uniform in [lower, upper) where x <= 0, else 1 */
  rrelu_noise: { lower: number; upper: number };
  /** no work: the same bytes seen with dims start..end joined (either may be negative) */
  flatten: { startDim: number; endDim: number };
  /** no work: the input itself */
  identity: Record<never, never>;
}
export type OpName = keyof OpAttributes;

export interface Operand {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The parameters of an activation as its kernel takes them. */
export function activation(name: UnaryName, { a = 0, b = 0 }: { a?: number; b?: number }): Activation {
  return { name, a, b };
}

/** A mistake in shapes or dtypes, in PyTorch's words. */
export class ShapeError extends Error {
  /** The module in which it came up, relative to the one that runs. */
  path: string | undefined;
}
/** An input of the wrong element type; another dtype might fit. */
export class DTypeError extends ShapeError {}
/** A value that PyTorch would refuse while running (an index out of range). */
export class ValueError extends Error {}

/** Where a step's tensors stand: bytes in the kernels' memory, 0 for what is absent. */
export interface Addresses {
  readonly inputs: number[];
  output: number;
  /** Of this part alone. */
  scratch: number;
  /** The weight's panels (see Kernels.pack), if there are any. */
  panels: number;
}

/** Computes one part of a step. Allocates nothing. Throws ValueError. */
export type Run = (kernels: Kernels, at: Addresses, part: number) => void;

/** A function of one number that a step applies to its output before it lets go of it. */
export interface Activation {
  readonly name: UnaryName;
  readonly a: number;
  readonly b: number;
}

/** A row of the table. */
export interface Op<N extends OpName> {
  /** The output's shape and dtype; throws ShapeError or DTypeError. */
  shape(inputs: readonly (Operand | null)[], attributes: OpAttributes[N]): Operand;
  /** Whether row i of the output (along dimension 0) comes of row i of the first input and of nothing else of it. */
  rowwise(inputs: readonly (Operand | null)[], attributes: OpAttributes[N]): boolean;
  /** Bytes of scratch memory that each part needs. */
  scratch?(step: Step<N>, kernels: Kernels): number;
  /** How many parts the work falls into at most, when `wanted` would be good; absent: 1. Parts may run at once. */
  parts?(step: Step<N>, wanted: number): number;
  /** Absent: the output is the first input's bytes. All that can be known before the run is found out here. */
  bind?(step: Step<N>, parts: number, activation: Activation | null): Run;
  /** The output may stand where the first input stands. */
  readonly inPlace?: true;
  /** `bind` takes an activation. */
  readonly activates?: true;
  /** Its second input is read in panels where they exist. */
  readonly packs?: true;
  /** The gradients of its inputs as ops that are written down; absent: it has none. See gradient.ts. */
  gradient?(step: Differentiated<N>, apply: Apply): readonly (Value | null)[];
  /** How it is written down where what is stored changes from run to run, so that no panels of it are kept. */
  unpacked?(inputs: readonly (Value | null)[], attributes: OpAttributes[N], apply: Apply): Value;
  /** Floating-point operations, to judge what a plan costs: at least one for each element read or written. */
  cost?(inputs: readonly (Operand | null)[], output: Operand, attributes: OpAttributes[N]): number;
}

/** An op whose output's gradient is known. */
export interface Differentiated<N extends OpName> {
  readonly attributes: OpAttributes[N];
  readonly inputs: readonly (Value | null)[];
  readonly output: Value;
  /** Of the output, in its shape. */
  readonly gradient: Value;
  /** The inputs whose gradients are wanted; what is answered for others is dropped. */
  readonly wants: readonly boolean[];
}

export interface Step<N extends OpName = OpName> {
  readonly op: N;
  readonly attributes: OpAttributes[N];
  readonly inputs: readonly (Operand | null)[];
  readonly output: Operand;
}
