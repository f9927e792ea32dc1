// The functions that the WebAssembly module of src/kernels exports: addresses are bytes, the rest are counts.
// Tensors are contiguous, row-major float32 unless said otherwise; outputs are overwritten, never aliased to inputs
// (an activation's output may be its input).

import type { OptimizerKernels } from './optimizer-kernels.js';
import type { DType } from '../tensor/dtype.js';

/** y[i] = f(x[i]) for i < n; a and b are the function's own parameters (0 where it has none). */
export type UnaryKernel = (x: number, y: number, n: number, a: number, b: number) => void;

export const UNARY_KERNELS = [
  'relu', // max(x, 0), NaN kept
  'leaky_relu', // a: negative_slope
  'elu', // a: alpha
  'selu',
  'celu', // a: alpha
  'gelu', // erf form
  'gelu_tanh',
  'silu',
  'sigmoid',
  'tanh',
  'softplus', // a: beta, b: threshold
  'softsign',
  'hardtanh', // a: min_val, b: max_val
  'hardsigmoid',
  'hardswish',
  'mish',
  'log_sigmoid',
] as const;
export type UnaryName = (typeof UNARY_KERNELS)[number];

/** y[i] = f(x[i]) for i < n: what expressions compute besides activations. */
export const FUNCTION_KERNELS = [
  'abs',
  'sqrt',
  'exp',
  'log',
  'sin',
  'cos',
  'floor',
  'round', // halves to the even neighbour
  'sign',
  'reciprocal',
  'logical_not',
] as const;
export type FunctionName = (typeof FUNCTION_KERNELS)[number];

/** What the kernel `elementwise` computes of two tensors, by its number; conditions are 0 and 1. */
export const ELEMENTWISE = [
  'minimum', // NaN wins, as in `maximum`
  'maximum',
  'less',
  'less_equal',
  'equal',
  'not_equal',
  'both', // neither is 0
  'either',
  'power',
  'remainder', // with the sign of the divisor
] as const;
export type ElementwiseName = (typeof ELEMENTWISE)[number];

/** dx[i] = dy[i] · f'(x[i]) for i < n; s is x, or f(x) where that is enough (src/graph/ops-pointwise.ts). */
export type UnaryGradientKernel = (
  s: number,
  dy: number,
  dx: number,
  n: number,
  a: number,
  b: number,
) => void;

/** y[n0,n1,n2] = a ∘ b; the operands' steps in elements along each loop, those of the innermost are 0 or 1. */
export type BinaryKernel = (
  a: number,
  b: number,
  y: number,
  n0: number,
  n1: number,
  n2: number,
  a0: number,
  a1: number,
  a2: number,
  b0: number,
  b1: number,
  b2: number,
) => void;

export type Kernels = OptimizerKernels &
  Record<UnaryName, UnaryKernel> &
  Record<`${UnaryName}_gradient`, UnaryGradientKernel> &
  Record<FunctionName, (x: number, y: number, n: number) => void> &
  Record<'add' | 'sub' | 'mul' | 'div', BinaryKernel> &
  StatisticsKernels & {
    /** `of`: the number of one of ELEMENTWISE; the rest as in `add`. */
    elementwise(of: number, ...rest: Parameters<BinaryKernel>): void;
    /** y = a where c is not 0, else b: as `add`, of three tensors. */
    where(c: number, a: number, b: number, y: number, ...loops: readonly number[]): void;
    /** The least (largest 0) or largest along the middle dimension of x[outer,d,inner], d > 0; NaN wins. */
    extreme(largest: number, x: number, y: number, outer: number, d: number, inner: number): void;
    /** y[i · s0 + j · s1 + l · s2] = x[n0,n1,n2] */
    scatter(
      x: number,
      y: number,
      n0: number,
      n1: number,
      n2: number,
      s0: number,
      s1: number,
      s2: number,
    ): void;
    /** y[i] = scale · x[i] + shift, rounded twice */
    affine(x: number, y: number, n: number, scale: number, shift: number): void;
    /** y[n,classes] = 1 at the index, else 0; index: int64[n], one that is `ignored` (NaN: none) has no 1. -1, or the first i whose index is outside. */
    one_hot(index: number, y: number, n: number, classes: number, ignored: number): number;
    /** y[i] = x[i · row + index[i]], 0 for the ignored; as one_hot. */
    pick(
      x: number,
      row: number,
      index: number,
      y: number,
      n: number,
      classes: number,
      ignored: number,
    ): number;
    /** Of probabilities x and targets t, logarithms not below -100; -1, or the first i whose x is no probability. */
    binary_cross_entropy(x: number, t: number, y: number, n: number): number;
    /** y[i] = value */
    fill(y: number, n: number, value: number): void;
    /** Over the middle dimension of x[outer,d,inner], in float64 and one order that d and inner decide. */
    sum(x: number, y: number, outer: number, d: number, inner: number): void;
    copy(x: number, y: number, bytes: number): void;
    /** y[n0,n1,n2] = x[i · s0 + j · s1 + l · s2] */
    gather(
      x: number,
      y: number,
      n0: number,
      n1: number,
      n2: number,
      s0: number,
      s1: number,
      s2: number,
    ): void;
    /** As `pack`, of a w[k,n] whose rows are `row` elements apart. */
    pack_transposed(w: number, panels: number, n: number, k: number, row: number): void;

    /** panels[ceil(n/16),k,16]: panel j holds w[16j ... 16j+15, :] transposed, zeros where w[n,k] has no such row. */
    pack(w: number, panels: number, n: number, k: number): void;
    /**
     * y[m,n] = x[m,k] · w[n,k]ᵀ + bias[n] (bias 0: none), w given in panels; rows of y are ldy elements apart, so that a
     * range of columns can be computed alone. Each output is one chain acc = madd(x[i,k], w[j,k], acc) for
     * k = 0, 1, 2, ... that starts at the bias or 0. relu 1: then max(y, 0), as the kernel relu.
     */
    linear(
      x: number,
      panels: number,
      bias: number,
      y: number,
      m: number,
      ldy: number,
      n: number,
      k: number,
      relu: number,
    ): void;
    /**
     * Cross-correlation with zero padding. x[batch,ci,h,w], weight[co,ci/groups,kh,kw], bias[co] (0: none), y[batch,co,oh,ow].
     * (pt, pl): zeros above and left, or rows and columns left out where negative; those below and right follow from oh, ow.
     * Each output is one madd chain from the
     * bias over (channel, kernel row, kernel column). relu 1: then max(y, 0). scratch: conv_scratch(...) bytes.
     */
    conv(
      x: number,
      weight: number,
      bias: number,
      y: number,
      batch: number,
      ci: number,
      h: number,
      w: number,
      co: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      pt: number,
      pl: number,
      dh: number,
      dw: number,
      groups: number,
      scratch: number,
      relu: number,
    ): void;
    /** Bytes; for any batch and number of output channels. */
    conv_scratch(
      ci: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      pt: number,
      pl: number,
      dh: number,
      dw: number,
      groups: number,
    ): number;
    /**
     * y[images,oh,ow,channels,kh,kw]: what each output position meets, zeros in the padding. `image`: from one image of x to
     * the next, in elements; `taps`: room for kh · kw numbers.
     */
    windows(
      x: number,
      y: number,
      images: number,
      image: number,
      channels: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      pt: number,
      pl: number,
      dh: number,
      dw: number,
      taps: number,
    ): void;
    /** y[channels,kh,kw,images,rows,ow]: what each element of a kernel meets at output rows from ... from + rows - 1. */
    unfold(
      x: number,
      y: number,
      images: number,
      image: number,
      channels: number,
      h: number,
      w: number,
      from: number,
      rows: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      pt: number,
      pl: number,
      dh: number,
      dw: number,
    ): void;
    /**
     * y[groups,outputs,inputs,ny,nx] of weight[groups,inputs,all,kh,kw]: outputs from `from` on, of their elements rows
     * y0, y0 + dy, ... and columns x0, x0 + dx, ..., the last first.
     */
    turn(
      weight: number,
      y: number,
      groups: number,
      inputs: number,
      all: number,
      from: number,
      outputs: number,
      kh: number,
      kw: number,
      y0: number,
      dy: number,
      ny: number,
      x0: number,
      dx: number,
      nx: number,
    ): void;
    /**
     * y[outer,before + d + after,inner] of x[outer,d,inner], inner in words of 4 bytes; negative ends are cut off. mode 0: the
     * words even and odd in turns, 1: mirrored, 2: the last element, 3: round again.
     */
    pad(
      x: number,
      y: number,
      outer: number,
      d: number,
      inner: number,
      before: number,
      after: number,
      mode: number,
      even: number,
      odd: number,
    ): void;
    /** Its gradient; modes 1 to 3. */
    pad_gradient(
      dy: number,
      dx: number,
      outer: number,
      d: number,
      inner: number,
      before: number,
      after: number,
      mode: number,
    ): void;
    /**
     * One dimension resampled: y[outer,od,inner] of x[outer,d,inner]. mode 0: nearest, 1: nearest-exact, 2: linear, 3: cubic;
     * step: elements of x from one of y to the next; align 1: ends are each other's; table: od · 32 bytes of scratch.
     */
    interpolate: InterpolateKernel;
    /** Its gradient, of dy[outer,od,inner]. */
    interpolate_gradient: InterpolateKernel;
    /** y[n,od,c,kd,plane] of x[n,c,d,plane]: what a kernel along the depth meets. */
    frames: FramesKernel;
    /** dx[n,c,d,plane] of dy[n,od,c,kd,plane] */
    frames_gradient: FramesKernel;
    /**
     * y[outputs,channels,kh,kw]: what each element of a kernel meets in x[channels,h,w] times dy[outputs,oh,ow], summed over
     * positions and images (xImage and dyImage elements apart) in float64.
     */
    window_sums(
      x: number,
      dy: number,
      y: number,
      images: number,
      xImage: number,
      dyImage: number,
      channels: number,
      outputs: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      pt: number,
      pl: number,
      dh: number,
      dw: number,
    ): void;
    /** y[columns,rows] += xᵀ of x[rows,columns], rows of y ldy elements apart; begins 1: y = xᵀ. */
    add_transposed(x: number, y: number, rows: number, columns: number, ldy: number, begins: number): void;
    /** y[planes,n] = bias[planes]; zeros where bias is 0. */
    fill_planes(bias: number, y: number, planes: number, n: number): void;
    /** planes × (h, w) → planes × (oh, ow); padding counts as -infinity; NaN wins, as in PyTorch. */
    max_pool: MaxPoolKernel;
    /** As PyTorch's avg_pool2d; include: 1 = count_include_pad; divisor: 0 = the window's own size. */
    avg_pool: AvgPoolKernel;
    /** The same of whole numbers; averages are cut towards 0. */
    max_pool_int64: MaxPoolKernel;
    max_pool_int32: MaxPoolKernel;
    avg_pool_int64: AvgPoolKernel;
    /** Windows [floor(i·h/oh), ceil((i+1)·h/oh)), as PyTorch's adaptive_avg_pool2d. */
    adaptive_avg_pool(
      x: number,
      y: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
    ): void;
    /** The gradients of the pools' inputs; a maximum's goes to the element that the pool chose. */
    max_pool_gradient(
      x: number,
      dy: number,
      dx: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      ph: number,
      pw: number,
      dh: number,
      dw: number,
    ): void;
    avg_pool_gradient(
      dy: number,
      dx: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
      kh: number,
      kw: number,
      sh: number,
      sw: number,
      ph: number,
      pw: number,
      include: number,
      divisor: number,
    ): void;
    adaptive_avg_pool_gradient(
      dy: number,
      dx: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
    ): void;
    /** As adaptive_avg_pool, the largest of each window; NaN wins. */
    adaptive_max_pool(
      x: number,
      y: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
    ): void;
    adaptive_max_pool_gradient(
      x: number,
      dy: number,
      dx: number,
      planes: number,
      h: number,
      w: number,
      oh: number,
      ow: number,
    ): void;
    /** y = (x - mean[c]) / sqrt(variance[c] + eps) · weight[c] + bias[c]; x[n,c,inner]; weight, bias 0: none. */
    batch_norm(
      x: number,
      mean: number,
      variance: number,
      weight: number,
      bias: number,
      y: number,
      n: number,
      c: number,
      inner: number,
      eps: number,
    ): void;
    /**
     * Each of `rows` rows of d elements: (x - mean) / sqrt(var + eps) · weight + bias; biased variance; weight, bias 0: none.
     * centred 0: the mean counts as 0, also in the variance.
     */
    layer_norm(
      x: number,
      weight: number,
      bias: number,
      y: number,
      rows: number,
      d: number,
      eps: number,
      centred: number,
    ): void;
    /** dx of layer_norm; dx may be g. */
    layer_norm_gradient(
      g: number,
      x: number,
      weight: number,
      dx: number,
      rows: number,
      d: number,
      eps: number,
      centred: number,
    ): void;
    /** y[d] = Σ over rows of g · (x - mean) / sqrt(var + eps); scratch: float64[d rounded up to fours] */
    layer_norm_weight_gradient(
      g: number,
      x: number,
      y: number,
      rows: number,
      d: number,
      eps: number,
      centred: number,
      scratch: number,
    ): void;
    /**
     * y[c] = Σ x[n,c,inner] / divisor, in float64 and one order. Of `count` channels from the one that x and y are given
     * at, as in the next two.
     */
    channel_sum(
      x: number,
      y: number,
      n: number,
      c: number,
      inner: number,
      count: number,
      divisor: number,
    ): void;
    /** y[c] = biased variance of x[n,c,inner] around its mean, which mean[c] is rounded to float32. */
    channel_variance(
      x: number,
      mean: number,
      y: number,
      n: number,
      c: number,
      inner: number,
      count: number,
    ): void;
    /** y[c] = Σ g · (x - mean[c]) / sqrt(variance[c] + eps); mean, variance 0: Σ g · x */
    channel_dot(
      g: number,
      x: number,
      mean: number,
      variance: number,
      y: number,
      n: number,
      c: number,
      inner: number,
      count: number,
      eps: number,
    ): void;
    /**
     * dx of batch_norm; dx may be g. sum[c] = Σ g and dot[c] = channel_dot, both over `size` elements, where mean and
     * variance are those of x; 0 where they are given.
     */
    batch_norm_gradient(
      g: number,
      x: number,
      mean: number,
      variance: number,
      weight: number,
      sum: number,
      dot: number,
      dx: number,
      n: number,
      c: number,
      inner: number,
      size: number,
      eps: number,
    ): void;
    /** y[n,c,inner] = x · weight[c] + bias[c]; weight, bias 0: none */
    channel_affine(
      x: number,
      weight: number,
      bias: number,
      y: number,
      n: number,
      c: number,
      inner: number,
    ): void;
    /** y[n] = (1 - f) · running + f · scale · statistic in float64; f = factor, or 1 / count (an int64) for one below 0. */
    running_average(
      statistic: number,
      running: number,
      count: number,
      y: number,
      n: number,
      factor: number,
      scale: number,
    ): void;
    /** An int64: y = x + 1. */
    increment(x: number, y: number): void;
    /** Over the middle dimension of x[outer,d,inner]; the row's maximum is subtracted first. */
    softmax(x: number, y: number, outer: number, d: number, inner: number): void;
    /** Of each of the rows of d elements; y may be x. */
    softmax_rows(x: number, y: number, rows: number, d: number): void;
    log_softmax(x: number, y: number, outer: number, d: number, inner: number): void;
    /** y[i] = weight[index[i]]; index: int64[n]; weight[rows,d]. Answers -1, or the first i whose index is outside [0, rows). */
    embedding(index: number, weight: number, y: number, n: number, rows: number, d: number): number;
    /** As src/kernels/embedding.ts tells. */
    embedding_gradient(
      index: number,
      dy: number,
      dw: number,
      n: number,
      rows: number,
      d: number,
      from: number,
      count: number,
      padding: number,
      counts: number,
    ): void;
    embedding_bag(
      index: number,
      weight: number,
      offsets: number,
      y: number,
      n: number,
      bags: number,
      ends: number,
      rows: number,
      d: number,
      mode: number,
      padding: number,
    ): number;
    embedding_bag_gradient(
      index: number,
      weight: number,
      offsets: number,
      dy: number,
      dw: number,
      n: number,
      bags: number,
      ends: number,
      rows: number,
      d: number,
      mode: number,
      padding: number,
      from: number,
      count: number,
      counts: number,
    ): void;
    /** Rows of x[outer,run] moved `by` elements on, zeros where there are none. */
    shift(x: number, y: number, outer: number, run: number, by: number): void;
    /** g = p · (g - Σ p · g) for each of the rows of d elements that softmax gave as p. */
    softmax_rows_gradient(p: number, g: number, rows: number, d: number): void;
    /** As src/kernels/recurrence.ts tells. */
    recurrence(
      cell: number,
      x: number,
      panels: number,
      bias: number,
      scratch: number,
      y: number,
      rows: number,
      stride: number,
      stepStride: number,
      steps: number,
      n: number,
      reverse: number,
    ): void;
    rnn_step_gradient(
      y: number,
      dy: number,
      yRow: number,
      dh: number,
      dx: number,
      xRow: number,
      dg: number,
      rows: number,
      n: number,
      relu: number,
    ): void;
    lstm_gates(
      x: number,
      hg: number,
      gates: number,
      xRow: number,
      before: number,
      c: number,
      rows: number,
      n: number,
    ): void;
    lstm_step_gradient(
      gates: number,
      xRow: number,
      before: number,
      c: number,
      dy: number,
      yRow: number,
      dh: number,
      dc: number,
      dg: number,
      rows: number,
      n: number,
    ): void;
    gru_step_gradient(
      x: number,
      hg: number,
      xRow: number,
      before: number,
      dy: number,
      yRow: number,
      dh: number,
      direct: number,
      dx: number,
      dhg: number,
      dg: number,
      rows: number,
      n: number,
    ): void;
    /** y[i] = scale with probability p, else 0; generator: the bytes of src/random/generator.ts, which are advanced. */
    bernoulli(generator: number, y: number, n: number, p: number, scale: number): void;
    /** y[i] = 1 where x[i] > 0 (or NaN), else uniform in [lower, upper). */
    rrelu_noise(x: number, generator: number, y: number, n: number, lower: number, upper: number): void;
    /** 1 where madd rounds once (fused), 0 where it rounds twice. */
    madd_is_fused(): number;
    /** The first byte that the module itself does not use. */
    heap_base(): number;
    /**
     * Elements from .. to - 1 of x as JSON text, with the commas and brackets that are theirs. lists: uint32[rank], how many
     * elements a list of each depth has, outermost first (rank 0: a bare number). Answers the bytes written to `out`;
     * a float32 takes 24 at most with its comma, and as many more may be written to.
     */
    write_float32: WriteKernel;
    write_int64: WriteKernel;
    write_int32: WriteKernel;
    /** x: a byte each. */
    write_bool: WriteKernel;
    /** Reads on to the next list of numbers in a text; what it tells, and where it stands, is said in src/runtime/text.ts. */
    next_list(reading: number): number;
    /** A number that is not read here, but by the caller; tells what `next_list` does. */
    take_number(reading: number, value: number): number;
    reading_bytes(): number;
    /** Past the end of the JSON list at `at`; 0 where it does not end before `end`, or stands for a key. */
    list_end(at: number, end: number): number;
    /** How many of the bytes are this one. */
    count_byte(address: number, bytes: number, byte: number): number;
  };

export type MaxPoolKernel = (
  x: number,
  y: number,
  planes: number,
  h: number,
  w: number,
  oh: number,
  ow: number,
  kh: number,
  kw: number,
  sh: number,
  sw: number,
  ph: number,
  pw: number,
  dh: number,
  dw: number,
) => void;

export type AvgPoolKernel = (
  x: number,
  y: number,
  planes: number,
  h: number,
  w: number,
  oh: number,
  ow: number,
  kh: number,
  kw: number,
  sh: number,
  sw: number,
  ph: number,
  pw: number,
  include: number,
  divisor: number,
) => void;

export type InterpolateKernel = (
  x: number,
  y: number,
  outer: number,
  d: number,
  inner: number,
  od: number,
  mode: number,
  step: number,
  align: number,
  table: number,
) => void;

export type FramesKernel = (
  x: number,
  y: number,
  n: number,
  c: number,
  d: number,
  plane: number,
  od: number,
  kd: number,
  stride: number,
  padding: number,
  dilation: number,
) => void;

export type WriteKernel = (
  x: number,
  lists: number,
  rank: number,
  from: number,
  to: number,
  out: number,
) => number;

/** Of x[n], n > 0: out[10] in float64, as MOMENTS of src/runtime/surveyor.ts names them. */
type MomentsKernel = (x: number, n: number, out: number) => void;

/**
 * Adds to counts[bins] (uint32) how many of x[n] are in edges[i] <= x < edges[i + 1], the last edge included; edges:
 * float64[bins + 1], ascending. even 1: they are as far apart, but for rounding.
 */
type HistogramKernel = (
  x: number,
  n: number,
  edges: number,
  bins: number,
  even: number,
  counts: number,
) => void;

/** By the dtype of x. */
type StatisticsKernels = Record<`moments_${DType}`, MomentsKernel> &
  Record<`histogram_${DType}`, HistogramKernel>;
