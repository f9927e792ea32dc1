// What an op is: its attributes, and the row it has in the one table (ops.ts).

import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { ElementwiseName, FunctionName, Kernels, UnaryName } from './kernels.js';
import type { AttentionAttributes } from './attention.js';
import type { BagMode } from './ops-embedding.js';
import type { RecurrenceAttributes } from './recurrence.js';
import type { InterpolateMode } from './ops-interpolate.js';
import type { PadMode } from './ops-pad.js';
import type { Apply, Value } from './tracer.js';

/** [height, width]; one-dimensional layers use height 1. */
export type Pair = readonly [number, number];

type UnaryAttributes = Record<UnaryName, { a?: number; b?: number }>;
/** y = f(x), and y = a ∘ b, broadcast as PyTorch does: see kernels.ts. */
type FunctionAttributes = Record<FunctionName | ElementwiseName, Record<never, never>>;

/** Each op's attributes. Inputs are given apart; an absent optional input (bias) is null. */
export interface OpAttributes extends UnaryAttributes, FunctionAttributes {
  /** x[..., in], weight[out, in], bias[out]|null → [..., out] */
  linear: Record<never, never>;
  /** x[n, ci, h, w] or [ci, h, w] (dims 2); x[n, ci, l] or [ci, l] (dims 1, pairs [1, v]); weight, bias|null */
  conv: { dims: 1 | 2; stride: Pair; padding: Pair | 'same'; dilation: Pair; groups: number };
  /**
   * The gradient of conv's input, and torch.nn.functional.conv_transpose2d: x[n, ci, h, w] (or as conv), weight
   * [ci, co / groups, kh, kw], bias|null; outputs are (h - 1) · stride - 2 · padding + dilation · (kh - 1) + outputPadding + 1
   */
  conv_transpose: {
    dims: 1 | 2;
    stride: Pair;
    padding: Pair;
    outputPadding: Pair;
    dilation: Pair;
    groups: number;
  };
  /**
   * conv's x, gradient of its output → [chunks, co, ci / groups · kh · kw], whose sum over the chunks is the gradient of its
   * weight; `padding`: zeros above and left
   */
  conv_weight_gradient: {
    dims: 1 | 2;
    kernel: Pair;
    stride: Pair;
    padding: Pair;
    dilation: Pair;
    groups: number;
  };
  /** One dimension longer, or shorter where an end is negative; `dim` counts from the last, -1. */
  pad: { dim: number; before: number; after: number; mode: PadMode; value: number };
  /**
   * One dimension resampled to an extent of `to`: `step` elements of the input from one of the output to the next; align:
   * the ends are each other's
   */
  interpolate: { dim: number; to: number; mode: InterpolateMode; step: number; align: boolean };
  /** Gradient of interpolate's output → gradient of its input, whose extent is `to`. */
  interpolate_gradient: OpAttributes['interpolate'];
  /** x[n, c, d, h, w] → [n · outputs, c · kernel, h, w], see ops-conv3d */
  frames: { outputs: number; kernel: number; stride: number; padding: number; dilation: number };
  frames_gradient: OpAttributes['frames'] & { depth: number };
  /** Gradient of pad's output → gradient of its input, which has so many elements along `dim`. */
  pad_gradient: { dim: number; before: number; after: number; mode: PadMode; extent: number };
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
  adaptive_max_pool: { dims: 1 | 2; output: readonly [number | null, number | null] };
  /** The pool's x, gradient of its output → gradient of x. */
  max_pool_gradient: OpAttributes['max_pool'];
  avg_pool_gradient: OpAttributes['avg_pool'];
  adaptive_avg_pool_gradient: { dims: 1 | 2 };
  adaptive_max_pool_gradient: { dims: 1 | 2 };
  /** x[n, c, ...], mean[c], variance[c], weight[c]|null, bias[c]|null; `batch`: the statistics are those of x itself */
  batch_norm: { eps: number; batch: boolean };
  /** gradient, x, mean, variance, weight|null, Σ gradient|null, its channel_dot with x|null (both where `batch`) */
  batch_norm_gradient: { eps: number };
  /** x[n, c, ...] → [c] */
  channel_sum: { mean: boolean };
  /** x[n, c, ...], its mean[c] → the biased variance [c] */
  channel_variance: Record<never, never>;
  /** a, x[n, c, ...], mean[c]|null, variance[c]|null → Σ a · (x - mean) / sqrt(variance + eps) [c] */
  channel_dot: { eps: number };
  /** x[n, c, ...], weight[c]|null, bias[c]|null → x · weight + bias */
  channel_affine: Record<never, never>;
  /** statistic, running, count int64|null → (1 - f) · running + f · scale · statistic; f = factor, or 1 / count */
  running_average: { factor: number | null; scale: number };
  /** int64 + 1 */
  increment: Record<never, never>;
  /** x[..., ...normalizedShape], weight|null, bias|null */
  layer_norm: { normalizedShape: Shape; eps: number };
  /** as layer_norm, around 0 in place of the mean; bias null */
  rms_norm: { normalizedShape: Shape; eps: number };
  /** gradient, x, weight|null → gradient of x; centred: of layer_norm */
  row_norm_gradient: { normalizedShape: Shape; eps: number; centred: boolean };
  /** gradient, x → gradient of the weight as a few terms yet to be added, [terms, ...normalizedShape] */
  row_norm_weight_gradient: { normalizedShape: Shape; eps: number; centred: boolean };
  /** x; negative dims count from the end; null is PyTorch's implicit choice (0 for ranks 0, 1, 3; else 1) */
  softmax: { dim: number | null };
  log_softmax: { dim: number | null };
  /**
   * indices int64 [...], weight[rows, d] → [..., d]. For the gradient alone: the row `padding` has none, and a row's is
   * divided by how often it is asked for.
   */
  embedding: { padding?: number; byFrequency?: boolean };
  /** indices, gradient[..., d] → [rows, d] */
  embedding_gradient: { rows: number; padding?: number; byFrequency?: boolean };
  /** indices int64 [bags, n], or [n] with offsets int64 [bags] (ends: and the end of the last); weight, offsets|null */
  embedding_bag: { mode: BagMode; ends: boolean; padding?: number; byFrequency?: boolean };
  /** indices, weight, offsets|null, gradient[bags, d] → [rows, d] */
  embedding_bag_gradient: OpAttributes['embedding_bag'];
  /** y[i] = x[i - by] along a dimension, 0 where there is none */
  shift: { dim: number; by: number };
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
  /** condition, a, b → a where the condition is not 0, else b */
  where: Record<never, never>;
  /** y = scale · x + shift */
  affine: { scale: number; shift: number };
  /** indices int64 [...] → [..., classes]: 1 at the index, else 0; nothing but 0 for one that is `ignored` */
  one_hot: { classes: number; ignored?: number };
  /** x[rows, classes] or [classes], indices int64 [rows] → the element of each row at its index; 0 for one that is `ignored` */
  pick: { ignored: number };
  /** probabilities, targets of the same shape → -(t · log x + (1 - t) · log(1 - x)), logarithms not below -100 */
  binary_cross_entropy: Record<never, never>;
  /** the values themselves, row-major: few */
  constant: { shape: Shape; data: readonly number[] };
  /** one value everywhere */
  fill: { shape: Shape; value: number };
  /** over dimensions start ... end - 1, which are gone then */
  sum: { start: number; end: number };
  /** the least and the largest over dimensions start ... end - 1, which are gone then */
  amin: { start: number; end: number };
  amax: { start: number; end: number };
  /** one behind the other along a dimension */
  cat: { dim: number };
  /** elements start, start + step, ... of a dimension, `count` of them */
  slice: { dim: number; start: number; step: number; count: number };
  /** gradient of slice's output → gradient of its input, which has `extent` elements along the dimension */
  slice_gradient: { dim: number; start: number; step: number; extent: number };
  /** x, part → x with the part in the places of elements start, start + step, ... of each dimension, as many as it has */
  assign: { starts: readonly number[]; steps: readonly number[] };
  /** s (the input or output of the function, see ops-pointwise), gradient of the output → gradient of the input */
  unary_gradient: { of: UnaryName; a?: number; b?: number };
  /** w[..., n, k] (transposed: [..., k, n]) → panels[..., ceil(n/16), k, 16], see Kernels.pack */
  pack: { transposed: boolean };
  /**
   * a[..., m, k], panels of w[n, k] (or of as many w as a has matrices), bias[n]|null, w itself, which is only read by
   * the gradients → a · wᵀ + bias [..., m, n]; transposed: w is [..., k, n]. See matmul.
   */
  product: { n: number; transposed: boolean };
  /**
   * All steps of a recurrent layer in one direction: the inputs' part of the gates [steps, batch, gates · n] (batchFirst:
   * [batch, steps, ...]), weight_hh[gates · n, n], bias_hh|null → its states [steps, batch, n]
   */
  recurrence: RecurrenceAttributes;
  /** x, panels of weight_hh, bias_hh|null, weight_hh itself, which is only read by the gradients */
  packed_recurrence: RecurrenceAttributes;
  /**
   * x, the state's part of the gates (LSTM, GRU)|null, panels of weight_hhᵀ, states (RNN: of each step; GRU: of the one
   * before)|null, gradient of the states → that of x; GRU: [2, ...], with that of the state's part
   */
  recurrence_gradient: RecurrenceAttributes;
  /**
   * softmax(q kᵀ / √d) v for each head: [steps, batch, q | k | v] (batchFirst: [batch, steps, ...]) in one tensor of three
   * times embed columns, or in three of embed → [steps, batch, embed]
   */
  attention: AttentionAttributes;
  /** its inputs, gradient → theirs: in one tensor where they are, else one behind the other along the steps */
  attention_gradient: AttentionAttributes;
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
  /**
   * Whether row i of the output (along dimension 0) comes of row i of the inputs that have rows and of nothing else of
   * them. `rows` tells which have: those that come of the graph's input. Asked only where that is the first alone, unless
   * it `joins`.
   */
  rowwise(
    inputs: readonly (Operand | null)[],
    attributes: OpAttributes[N],
    rows: readonly boolean[],
  ): boolean;
  /** Any of its inputs may have rows. */
  readonly joins?: true;
  /** Bytes of scratch memory that each of so many parts needs. */
  scratch?(step: Step<N>, kernels: Kernels, parts: number): number;
  /** How many parts the work falls into at most, when `wanted` would be good; absent: 1. Parts may run at once. */
  parts?(step: Step<N>, wanted: number): number;
  /** Absent: the output is the first input's bytes. All that can be known before the run is found out here. */
  bind?(step: Step<N>, parts: number, activation: Activation | null): Run;
  /** The output may stand where the first input stands. */
  readonly inPlace?: true;
  /** `bind` takes an activation. */
  readonly activates?: true;
  /** Its second input, as rows of its first dimension, is read in panels where they exist. */
  packs?(step: Step<N>): boolean;
  /** Parts need scratch of their own with panels too: it is not for making them alone. */
  readonly ownScratch?: true;
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
