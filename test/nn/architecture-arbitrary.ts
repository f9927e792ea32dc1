// Architectures that read without fault, for properties. All of their texts are deterministic in what is drawn.
// With `sharing`, modules are also placed again (ref, shared, block) and parameters tied to earlier ones.

import fc from 'fast-check';
import type { LayerType } from '#src/nn/layers/table.js';
import { PythonFloat } from '#src/nn/options.js';

export interface Node {
  [field: string]: unknown;
  children?: Node[];
}

const extent = fc.integer({ min: 1, max: 9 });
const number = fc.oneof(
  fc.double({ noNaN: true, min: 1e-8, max: 1e20 }).map((x) => (Number.isInteger(x) ? new PythonFloat(x) : x)),
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 40 }).map((x) => new PythonFloat(x)),
);
const flag = fc.boolean();
const perDimension = (dims: number, minimum: number): fc.Arbitrary<unknown> => {
  const item = fc.integer({ min: minimum, max: 5 });
  return fc.oneof(item, fc.array(item, { minLength: dims, maxLength: dims }));
};

/** Each type's options; all but those of `required` may be left out. */
function options(
  required: Record<string, fc.Arbitrary<unknown>>,
  optional: Record<string, fc.Arbitrary<unknown>> = {},
) {
  return fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) });
}

function convolution(dims: 1 | 2 | 3, more: Record<string, fc.Arbitrary<unknown>> = {}) {
  const padding = fc.oneof(perDimension(dims, 0), fc.constant('valid'));
  return fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      options(
        { in_channels: extent, out_channels: extent, kernel_size: perDimension(dims, 1) },
        { stride: perDimension(dims, 1), padding, dilation: perDimension(dims, 1), bias: flag, ...more },
      ),
    )
    .map(([groups, given]) => ({
      ...given,
      in_channels: (given.in_channels as number) * groups,
      out_channels: (given.out_channels as number) * groups,
      groups,
    }));
}

const pool = (dims: 1 | 2, more: Record<string, fc.Arbitrary<unknown>>) =>
  options(
    { kernel_size: perDimension(dims, 1) },
    {
      stride: fc.oneof(fc.constant(null), perDimension(dims, 1)),
      padding: perDimension(dims, 0),
      ceil_mode: flag,
      ...more,
    },
  );
const padMode = { padding_mode: fc.constantFrom('zeros', 'reflect', 'replicate', 'circular') };
const transposed = (dims: 1 | 2) =>
  convolution(dims, { padding: perDimension(dims, 0), output_padding: perDimension(dims, 0) });
const pads = (dims: number) => {
  const padding = perDimension(2 * dims, -2);
  const kinds = ['Zero', 'Reflection', 'Replication', 'Circular'];
  return {
    ...Object.fromEntries(kinds.map((kind) => [`${kind}Pad${dims}d`, options({ padding })])),
    [`ConstantPad${dims}d`]: options({ padding, value: number }),
  };
};
const factor = fc.oneof(number, fc.tuple(number, number));
const sizeOrFactor = fc.oneof(options({ size: perDimension(2, 0) }), options({ scale_factor: factor }));
const batchNorm = options(
  { num_features: extent },
  {
    eps: number,
    momentum: fc.oneof(fc.constant(null), number),
    affine: flag,
    track_running_stats: flag,
    bias: flag,
  },
);
const dim = options({}, { dim: fc.oneof(fc.constant(null), fc.integer({ min: -3, max: 3 })) });
const inplace = options({}, { inplace: flag });
const dropout = options(
  {},
  { p: fc.oneof(fc.double({ noNaN: true, min: 0.001, max: 0.999 }), fc.constantFrom(0, 1)), inplace: flag },
);
const none = fc.constant({});

const recurrent = (more: Record<string, fc.Arbitrary<unknown>>) =>
  options(
    { input_size: extent, hidden_size: extent },
    {
      num_layers: fc.integer({ min: 1, max: 3 }),
      bias: flag,
      batch_first: flag,
      dropout: fc.oneof(fc.double({ noNaN: true, min: 0.001, max: 0.999 }), fc.constantFrom(0, 1)),
      bidirectional: flag,
      ...more,
    },
  );

const LEAVES: Partial<Record<LayerType, fc.Arbitrary<object>>> = {
  Linear: options({ in_features: extent, out_features: extent }, { bias: flag }),
  Conv1d: convolution(1, padMode),
  Conv2d: convolution(2, padMode),
  Conv3d: convolution(3, padMode),
  ConvTranspose1d: transposed(1),
  ConvTranspose2d: transposed(2),
  ...pads(1),
  ...pads(2),
  ...pads(3),
  Upsample: fc.tuple(sizeOrFactor, fc.constantFrom('nearest', 'bilinear', 'area')).map(([given, mode]) => ({
    ...given,
    mode,
  })),
  UpsamplingNearest2d: sizeOrFactor,
  UpsamplingBilinear2d: sizeOrFactor,
  PixelShuffle: options({ upscale_factor: extent }),
  PixelUnshuffle: options({ downscale_factor: extent }),
  Unflatten: options({
    dim: fc.integer({ min: -3, max: 3 }),
    unflattened_size: fc.array(extent, { minLength: 1, maxLength: 4 }),
  }),
  MaxPool1d: pool(1, { dilation: perDimension(1, 1) }),
  MaxPool2d: pool(2, { dilation: perDimension(2, 1) }),
  AvgPool1d: pool(1, { count_include_pad: flag }),
  AvgPool2d: pool(2, { count_include_pad: flag, divisor_override: extent }),
  AdaptiveAvgPool1d: options({ output_size: perDimension(1, 1) }),
  AdaptiveAvgPool2d: options({
    output_size: fc.oneof(perDimension(2, 1), fc.constant(null), fc.tuple(fc.constant(null), extent)),
  }),
  AdaptiveMaxPool1d: options({ output_size: perDimension(1, 0) }),
  AdaptiveMaxPool2d: options({ output_size: fc.oneof(perDimension(2, 0), fc.constant(null)) }),
  BatchNorm1d: batchNorm,
  BatchNorm2d: batchNorm,
  BatchNorm3d: batchNorm,
  InstanceNorm1d: batchNorm,
  InstanceNorm2d: batchNorm,
  InstanceNorm3d: batchNorm,
  GroupNorm: fc
    .tuple(extent, extent, options({}, { eps: number, affine: flag, bias: flag }))
    .map(([groups, each, given]) => ({ num_groups: groups, num_channels: groups * each, ...given })),
  RMSNorm: options(
    { normalized_shape: fc.oneof(extent, fc.array(extent, { minLength: 1, maxLength: 3 })) },
    { eps: fc.oneof(fc.constant(null), number), elementwise_affine: flag },
  ),
  LayerNorm: options(
    { normalized_shape: fc.oneof(extent, fc.array(extent, { minLength: 1, maxLength: 3 })) },
    { eps: number, elementwise_affine: flag, bias: flag },
  ),
  Embedding: options(
    { num_embeddings: extent, embedding_dim: extent },
    { padding_idx: fc.constantFrom(null, 0, -1), norm_type: number },
  ),
  EmbeddingBag: options(
    { num_embeddings: extent, embedding_dim: extent },
    {
      padding_idx: fc.constantFrom(null, 0, -1),
      norm_type: number,
      mode: fc.constantFrom('sum', 'mean', 'max'),
      include_last_offset: flag,
    },
  ),
  Bilinear: options({ in1_features: extent, in2_features: extent, out_features: extent }, { bias: flag }),
  NonDynamicallyQuantizableLinear: options({ in_features: extent, out_features: extent }, { bias: flag }),
  RNN: recurrent({ nonlinearity: fc.constantFrom('tanh', 'relu') }),
  LSTM: recurrent({ proj_size: fc.constant(0) }),
  GRU: recurrent({}),
  Flatten: options(
    {},
    { start_dim: fc.integer({ min: -3, max: 3 }), end_dim: fc.integer({ min: -3, max: 3 }) },
  ),
  Identity: none,
  ...Object.fromEntries(
    ['Sigmoid', 'Tanh', 'Softsign', 'LogSigmoid', 'Tanhshrink', 'Softmax2d'].map((type) => [type, none]),
  ),
  ...Object.fromEntries(
    ['ReLU', 'ReLU6', 'SELU', 'SiLU', 'Hardsigmoid', 'Hardswish', 'Mish'].map((type) => [type, inplace]),
  ),
  LeakyReLU: options({}, { negative_slope: number, inplace: flag }),
  ELU: options({}, { alpha: number, inplace: flag }),
  CELU: options({}, { alpha: number, inplace: flag }),
  GELU: options({}, { approximate: fc.constantFrom('none', 'tanh') }),
  Softplus: options({}, { beta: number, threshold: number }),
  Hardtanh: options(
    {},
    { min_val: fc.constantFrom(-2, -0.5, new PythonFloat(0)), max_val: number, inplace: flag },
  ),
  Softmax: dim,
  LogSoftmax: dim,
  Softmin: dim,
  GLU: options({}, { dim: fc.integer({ min: -3, max: 3 }) }),
  Threshold: options({ threshold: number, value: number }, { inplace: flag }),
  Hardshrink: options({}, { lambd: number }),
  Softshrink: options({}, { lambd: number }),
  RReLU: options({}, { lower: fc.constantFrom(0.1, new PythonFloat(0)), inplace: flag }),
  PReLU: options({}, { num_parameters: extent, init: number }),
  Dropout: dropout,
  Dropout1d: dropout,
  Dropout2d: dropout,
  Dropout3d: dropout,
  AlphaDropout: dropout,
  LazyLinear: options({ out_features: extent }, { bias: flag }),
  LazyConv1d: options({ out_channels: extent, kernel_size: perDimension(1, 1) }, { bias: flag }),
  LazyConv2d: options(
    { out_channels: extent, kernel_size: perDimension(2, 1) },
    { stride: perDimension(2, 1) },
  ),
  LazyBatchNorm1d: options({}, { eps: number, affine: flag, bias: flag }),
  LazyBatchNorm2d: options({}, { track_running_stats: flag }),
  Lambda: options(
    { expression: fc.constantFrom('x - mean(x)', '-x', 'max(x, dim=1)', 'x>0 and\nx < 1') },
    {},
  ),
  FeatureAlphaDropout: dropout,
};

const heads = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }));

/** Layers that are made of modules: their prints show these, and not what they are made by. */
const MADE: Partial<Record<LayerType, fc.Arbitrary<object>>> = {
  MultiheadAttention: fc
    .tuple(
      heads,
      options({}, { bias: flag, dropout: fc.constantFrom(0, 0.5), kdim: extent, batch_first: flag }),
    )
    .map(([[count, d], given]) => ({ ...given, embed_dim: count * d, num_heads: count })),
  TransformerEncoderLayer: fc
    .tuple(
      heads,
      options(
        { dim_feedforward: extent },
        { bias: flag, norm_first: flag, activation: fc.constantFrom('relu', 'gelu'), layer_norm_eps: number },
      ),
    )
    .map(([[count, d], given]) => ({ ...given, d_model: count * d, nhead: count })),
};
const made: fc.Arbitrary<Node> = fc.oneof(
  ...Object.entries(MADE).map(([type, given]) => given.map((values) => ({ type, ...values }))),
);

/** The types that the arbitrary makes: a test holds them equal to the table's. */
export const ARBITRARY_TYPES = [
  ...Object.keys(LEAVES),
  ...Object.keys(MADE),
  ...['TransformerEncoder', 'Sequential', 'ModuleList', 'ModuleDict', 'Residual', 'Parallel'],
];

const leaf: fc.Arbitrary<Node> = fc.oneof(
  ...Object.entries(LEAVES).map(([type, given]) => given.map((values) => ({ type, ...values }))),
);

/** Any string that PyTorch lets a child be called; some are odd on purpose. */
export const childNames: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9_]{0,6}$/),
  fc.constantFrom(
    'block 0',
    '0',
    '1',
    '7',
    '-1',
    '1:3',
    "it's",
    '"',
    '(0)',
    'été',
    '\n',
    '\\',
    '__proto__',
    'constructor',
    '):',
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((name) => !name.includes('.')),
);

const children = (node: fc.Arbitrary<Node>) => fc.array(node, { maxLength: 4 });
const named = (node: fc.Arbitrary<Node>) =>
  fc
    .uniqueArray(fc.tuple(childNames, node), { maxLength: 4, selector: ([name]) => name })
    .map((pairs) => pairs.map(([name, child]) => ({ ...child, name })));

const { tree } = fc.letrec<{ tree: Node; container: Node }>((tie) => ({
  tree: fc.oneof({ maxDepth: 3, withCrossShrink: true }, leaf, tie('container')),
  container: fc.oneof(
    children(tie('tree')).map((nodes) => ({ type: 'Sequential', children: nodes })),
    named(tie('tree')).map((nodes) => ({ type: 'Sequential', children: nodes })),
    children(tie('tree')).map((nodes) => ({ type: 'ModuleList', children: nodes })),
    named(tie('tree')).map((nodes) => ({ type: 'ModuleDict', children: nodes })),
    named(tie('tree')).map((nodes) => ({ type: 'Residual', children: nodes })),
    fc
      .tuple(children(tie('tree')), fc.constantFrom({}, { merge: 'sum' }, { dim: -1 }))
      .map(([nodes, given]) => ({ type: 'Parallel', ...given, children: nodes })),
  ),
}));

/** Copies of one module, or each its own; any will do that has a name for them. */
const encoder: fc.Arbitrary<Node> = fc
  .tuple(
    fc.oneof(
      fc.tuple(fc.oneof(made, tree), fc.integer({ min: 0, max: 3 })),
      fc.array(fc.oneof(made, tree), { maxLength: 3 }).map((list): [Node[], number] => [list, list.length]),
    ),
    fc.option(tree),
  )
  .map(([[layers, count], norm]) => ({
    type: 'TransformerEncoder',
    encoder_layer: unnamed(layers),
    num_layers: count,
    norm: norm && unnamed(norm),
  }));

function unnamed<T extends Node | Node[]>(node: T): T {
  if (Array.isArray(node)) return node.map(unnamed) as T;
  const { name: _, ...rest } = node;
  return rest as T;
}

/** Architectures without sharing: what a print shows is all of it. */
export const architectures: fc.Arbitrary<Node> = tree;

/** Architectures with blocks, shared modules, references and ties, where a tree has room for them. */
export const sharingArchitectures: fc.Arbitrary<Node> = fc
  .record({
    root: children(fc.oneof({ weight: 4, arbitrary: tree }, made, encoder)).map((nodes): Node => ({
      type: 'Sequential',
      children: nodes,
    })),
    block: tree,
    shared: tree,
    again: fc.array(fc.tuple(fc.constantFrom('block', 'shared', 'ref', 'tied'), fc.nat(50)), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ root, block, shared, again }) => {
    const added = again.map(([kind, pick], i) =>
      appended(kind, pick, [...(root.children ?? []), { type: 'Tanh' }], i),
    );
    return {
      blocks: { b: block },
      shared: { s: shared },
      ...root,
      children: [...(root.children ?? []), ...added],
    };
  });

/** One more child of a root that has these already. */
function appended(kind: string, pick: number, before: readonly Node[], salt: number): Node {
  if (kind === 'block') return { block: 'b' };
  if (kind === 'shared') return { shared: 's' };
  const at = pick % before.length;
  const node = before[at]!;
  if (at === before.length - 1) return { type: 'ReLU' };
  if (kind === 'ref') return { ref: String(at), name: `again ${salt}` };
  const { name: _, ...copy } = node;
  const tied = node.type === 'Linear' || node.type === 'Embedding';
  return tied ? { ...copy, tie: { weight: `${at}.weight` } } : copy;
}
