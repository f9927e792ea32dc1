// torch.nn.MultiheadAttention: PyTorch's first result, the output; its second one, the weights, is not made. Masks are not
// here.

import { ShapeError } from '../../graph/op.js';
import { matmul } from '../../graph/ops-product.js';
import type { Value } from '../../graph/tracer.js';
import type { LayerDefinition, ParameterDefinition, Trace } from '../layer.js';
import type { Module } from '../module.js';
import { numberOf, type Options } from '../options.js';
import { extent, flag, float, nullable } from './arguments.js';
import { dropout } from './dropout.js';

export const ATTENTION_LAYERS = {
  MultiheadAttention: {
    options: [
      extent('embed_dim'),
      extent('num_heads'),
      float('dropout', 0),
      flag('bias', true),
      { name: 'add_bias_kv', kind: 'bool', default: false, supported: [false] },
      { name: 'add_zero_attn', kind: 'bool', default: false, supported: [false] },
      nullable(extent('kdim')),
      nullable(extent('vdim')),
      flag('batch_first', false),
    ],
    check: attentionFaults,
    parameters: projections,
    parts: ({ embed_dim, bias }) => [
      {
        name: 'out_proj',
        type: 'NonDynamicallyQuantizableLinear',
        options: { in_features: embed_dim!, out_features: embed_dim!, bias: bias! },
      },
    ],
    settles: () => [{ part: 'out_proj', parameter: 'bias', init: { name: 'zeros' } }],
    inputs: ['query', 'key?', 'value?'],
    trace: traceAttention,
    flow: ({ embed_dim }) => ({
      takes: { axes: [-1], extent: embed_dim as number, of: 'features' },
      changes: 0,
    }),
  },
} satisfies Record<string, LayerDefinition>;

/** What is wrong with an attention's arguments, in PyTorch's words. */
export function attentionFaults(options: Options): string[] {
  const p = numberOf(options.dropout!);
  return [
    ...((options.embed_dim as number) % (options.num_heads as number) === 0
      ? []
      : ['embed_dim must be divisible by num_heads']),
    ...(p >= 0 && p <= 1 ? [] : [`dropout probability has to be between 0 and 1, but got ${p}`]),
  ];
}

/** Queries, keys and values are projected by one weight where all have the same number of features. */
function projections({ embed_dim, kdim, vdim, bias }: Options): ParameterDefinition[] {
  const embed = embed_dim as number;
  const [keys, values] = [(kdim ?? embed) as number, (vdim ?? embed) as number];
  const together = keys === embed && values === embed;
  const weight = (name: string, shape: number[], present: boolean): ParameterDefinition => ({
    name,
    kind: 'parameter',
    shape: present ? shape : null,
    init: { name: 'xavier_uniform', gain: 1 },
  });
  const apart = [
    weight('q_proj_weight', [embed, embed], !together),
    weight('k_proj_weight', [embed, keys], !together),
    weight('v_proj_weight', [embed, values], !together),
  ];
  const one = weight('in_proj_weight', [3 * embed, embed], together);
  return [
    ...(together ? [one, ...apart] : [...apart, one]),
    {
      name: 'in_proj_bias',
      kind: 'parameter',
      shape: bias === true ? [3 * embed] : null,
      init: { name: 'zeros' },
    },
  ];
}

function traceAttention(module: Module, query: Value, trace: Trace): Value {
  const { options } = module;
  const { tracer, mode, inputs } = trace;
  const [, key = query, value = key] = inputs;
  const rank = requireRanks(query, [key, value]);
  const batched = rank === 3;
  const attributes = {
    heads: options.num_heads as number,
    // What has no batch is a batch of one.
    batchFirst: options.batch_first === true || !batched,
  };
  const batch = (x: Value): Value => (batched ? x : tracer.apply('reshape', [x], { shape: [1, ...x.shape] }));
  const projected = inputs.length === 1 ? together(module, batch(query), trace) : undefined;
  const parts = projected ? [projected] : apart(module, [query, key, value].map(batch), trace);
  const p = numberOf(options.dropout!);
  const heads =
    mode === 'train' && p > 0
      ? dropped(parts, { ...attributes, p }, trace)
      : tracer.apply('attention', parts, attributes);
  const output = trace.child('out_proj', heads);
  return batched ? output : tracer.apply('reshape', [output], { shape: output.shape.slice(1) });
}

/** [q | k | v] of the same x; undefined where they have weights of their own. */
function together({ parameters, options }: Module, x: Value, { tracer }: Trace): Value | undefined {
  const weight = tracer.read(parameters.get('in_proj_weight'));
  if (!weight) return undefined;
  requireFeatures(x, options.embed_dim as number);
  return tracer.apply('linear', [x, weight, tracer.read(parameters.get('in_proj_bias'))], {});
}

function apart({ parameters, options }: Module, inputs: readonly Value[], { tracer }: Trace): Value[] {
  const embed = options.embed_dim as number;
  requireFeatures(inputs[0]!, embed);
  const slice = (name: string, i: number): Value | null => {
    const all = tracer.read(parameters.get(name));
    return all && tracer.apply('slice', [all], { dim: 0, start: i * embed, step: 1, count: embed });
  };
  return ['q', 'k', 'v'].map((name, i) => {
    const weight = tracer.read(parameters.get(`${name}_proj_weight`)) ?? slice('in_proj_weight', i);
    return tracer.apply('linear', [inputs[i]!, weight, slice('in_proj_bias', i)], {});
  });
}

interface Dropping {
  readonly heads: number;
  readonly batchFirst: boolean;
  readonly p: number;
}

/** As the op `attention`, with weights that are dropped: they are drawn head by head, whatever comes first in the input. */
function dropped(parts: readonly Value[], { heads, batchFirst, p }: Dropping, trace: Trace): Value {
  const { apply } = trace.tracer;
  const [q, k, v] = parts.length === 1 ? columns(parts[0]!, trace) : (parts as [Value, Value, Value]);
  const dims = batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3];
  const [d] = [q.shape[2]! / heads];
  const split = (x: Value): Value => {
    const shape = [...x.shape.slice(0, 2), heads, d];
    return apply('permute', [apply('reshape', [x], { shape })], { dims });
  };
  const queries = apply('affine', [split(q)], { scale: Math.sqrt(1 / d), shift: 0 });
  const scores = matmul(apply, { value: queries }, { value: split(k), transposed: true });
  const weights = dropout(trace, apply('softmax', [scores], { dim: -1 }), p);
  const joined = matmul(apply, { value: weights }, { value: split(v) });
  const back = apply('permute', [joined], { dims: batchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3] });
  return apply('reshape', [back], { shape: q.shape });
}

/** Three tensors of one that holds them side by side. */
function columns(x: Value, { tracer }: Trace): [Value, Value, Value] {
  const count = x.shape[2]! / 3;
  const at = (i: number): Value => tracer.apply('slice', [x], { dim: 2, start: i * count, step: 1, count });
  return [at(0), at(1), at(2)];
}

/** In PyTorch's words; the rank of all three. */
function requireRanks(query: Value, others: readonly Value[]): number {
  const rank = query.shape.length;
  if (rank !== 2 && rank !== 3) {
    throw new ShapeError(
      `query should be unbatched 2D or batched 3D tensor but received ${rank}-D query tensor`,
    );
  }
  for (const { shape } of others) {
    if (shape.length === rank) continue;
    const kind = rank === 3 ? 'batched 3D' : 'unbatched 2D';
    throw new ShapeError(
      `For ${kind} \`query\`, expected \`key\` and \`value\` to be ${rank}-D but found ` +
        `${others.map((other) => `${other.shape.length}-D`).join(' and ')} tensors respectively`,
    );
  }
  return rank;
}

function requireFeatures(query: Value, embed: number): void {
  const features = query.shape.at(-1);
  if (features === embed) return;
  throw new ShapeError(`was expecting embedding dimension of ${embed}, but got ${features}`);
}
