// The functions that the WebAssembly module of src/kernels exports: addresses are bytes, the rest are counts.
// Tensors are contiguous, row-major float32 unless said otherwise; outputs are overwritten, never aliased to inputs
// (an activation's output may be its input).

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

export type Kernels = Record<UnaryName, UnaryKernel> &
  Record<`${UnaryName}_gradient`, UnaryGradientKernel> &
  Record<'add' | 'sub' | 'mul' | 'div', BinaryKernel> & {
    /** y[i] = scale · x[i] + shift, rounded twice */
    affine(x: number, y: number, n: number, scale: number, shift: number): void;
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
     * (pt, pl): zeros above and left; those below and right follow from oh, ow. Each output is one madd chain from the
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
    /** planes × (h, w) → planes × (oh, ow); padding counts as -infinity; NaN wins, as in PyTorch. */
    max_pool(
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
    ): void;
    /** As PyTorch's avg_pool2d; include: 1 = count_include_pad; divisor: 0 = the window's own size. */
    avg_pool(
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
    ): void;
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
    /** Each of `rows` rows of d elements: (x - mean) / sqrt(var + eps) · weight + bias; biased variance; weight, bias 0: none. */
    layer_norm(
      x: number,
      weight: number,
      bias: number,
      y: number,
      rows: number,
      d: number,
      eps: number,
    ): void;
    /** Over the middle dimension of x[outer,d,inner]; the row's maximum is subtracted first. */
    softmax(x: number, y: number, outer: number, d: number, inner: number): void;
    log_softmax(x: number, y: number, outer: number, d: number, inner: number): void;
    /** y[i] = weight[index[i]]; index: int64[n]; weight[rows,d]. Answers -1, or the first i whose index is outside [0, rows). */
    embedding(index: number, weight: number, y: number, n: number, rows: number, d: number): number;
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

export type WriteKernel = (
  x: number,
  lists: number,
  rank: number,
  from: number,
  to: number,
  out: number,
) => number;
