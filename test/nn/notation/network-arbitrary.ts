// Networks that try the notation: ModuleLists of equal neighbours, and names that look like parts of a print.

import fc from 'fast-check';
import { PythonFloat } from '#src/nn/options.js';

type Node = Record<string, unknown>;

const extent = fc.integer({ min: 1, max: 64 });
const float = fc.oneof(
  fc.double({ min: 1e-9, max: 1e20, noNaN: true }).map((x) => (Number.isInteger(x) ? new PythonFloat(x) : x)),
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 9 }).map((x) => new PythonFloat(x)),
);
const pairOr = (item: fc.Arbitrary<number>): fc.Arbitrary<unknown> => fc.oneof(item, fc.tuple(item, item));
const small = fc.integer({ min: 1, max: 3 });

/** `requiredKeys: []`: each option may be left to its default. */
function layer(
  type: string,
  required: Record<string, fc.Arbitrary<unknown>>,
  optional: Record<string, fc.Arbitrary<unknown>> = {},
): fc.Arbitrary<Node> {
  return fc
    .tuple(fc.record(required), fc.record(optional, { requiredKeys: [] }))
    .map(([given, chosen]) => ({ type, ...given, ...chosen }));
}

const anyLayer = fc.oneof(
  layer('Linear', { in_features: extent, out_features: extent }, { bias: fc.boolean() }),
  layer(
    'Conv2d',
    { in_channels: extent, out_channels: extent, kernel_size: pairOr(small) },
    { stride: pairOr(small), padding: pairOr(fc.nat(2)), bias: fc.boolean() },
  ),
  layer(
    'Conv1d',
    { in_channels: extent, out_channels: extent, kernel_size: small },
    { padding: fc.constantFrom('same', 'valid', 1), dilation: small },
  ),
  layer('MaxPool2d', { kernel_size: pairOr(small) }, { stride: pairOr(small), ceil_mode: fc.boolean() }),
  layer('AdaptiveAvgPool2d', { output_size: fc.oneof(extent, fc.tuple(fc.constant(null), extent)) }),
  layer(
    'BatchNorm2d',
    { num_features: extent },
    {
      eps: float,
      momentum: fc.option(float),
      affine: fc.boolean(),
      bias: fc.boolean(),
      track_running_stats: fc.boolean(),
    },
  ),
  layer(
    'LayerNorm',
    { normalized_shape: fc.array(extent, { minLength: 1, maxLength: 3 }) },
    { eps: float, elementwise_affine: fc.boolean() },
  ),
  layer(
    'Embedding',
    { num_embeddings: extent, embedding_dim: extent },
    { padding_idx: fc.constantFrom(0, -1, null), norm_type: float },
  ),
  layer('LeakyReLU', {}, { negative_slope: float, inplace: fc.boolean() }),
  layer('GELU', {}, { approximate: fc.constantFrom('none', 'tanh') }),
  layer('ReLU', {}, { inplace: fc.boolean() }),
  layer('Softmax', {}, { dim: fc.constantFrom(null, -1, 1) }),
  layer(
    'Dropout',
    {},
    {
      p: fc
        .double({ min: 0, max: 1, noNaN: true })
        .map((p) => (Number.isInteger(p) ? new PythonFloat(p) : p)),
    },
  ),
);

/** No dot, not empty, on one line: PyTorch's rule, and what a print can show. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }),
  fc.stringMatching(/^[()\d: x-]{1,8}$/),
  fc.constantFrom('block 0', '): Linear(', '0-3', '(0): ReLU()', '__proto__', 'constructor', '1'),
);
const childName = name.filter((text) => !/[.\n]/.test(text));

export const networksOnOneLineNames: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => {
  const named = fc.uniqueArray(fc.tuple(childName, tie('node')), {
    selector: ([text]) => text,
    maxLength: 4,
  });
  const repeated = fc.array(fc.tuple(tie('node'), fc.integer({ min: 1, max: 4 })), { maxLength: 3 });
  return {
    node: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      anyLayer,
      fc.array(tie('node'), { maxLength: 4 }).map((children) => ({ type: 'Sequential', children })),
      fc.tuple(fc.constantFrom('Sequential', 'ModuleDict'), named).map(([type, entries]) => ({
        type,
        children: entries.map(([text, node]) => ({ ...node, name: text })),
      })),
      repeated.map((runs) => ({
        type: 'ModuleList',
        children: runs.flatMap(([node, count]) => Array.from({ length: count }, () => node)),
      })),
    ),
  };
}).node;
