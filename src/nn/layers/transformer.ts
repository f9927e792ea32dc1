// torch.nn.TransformerEncoderLayer and TransformerEncoder. Masks are not here.

import type { Value } from '../../graph/tracer.js';
import type { LayerDefinition, PartDefinition, Trace } from '../layer.js';
import { numberOf, type Options } from '../options.js';
import { extent, flag, float, nullable } from './arguments.js';
import { attentionFaults } from './attention.js';

export const TRANSFORMER_LAYERS = {
  TransformerEncoderLayer: {
    options: [
      extent('d_model'),
      extent('nhead'),
      { ...extent('dim_feedforward'), default: 2048 },
      float('dropout', 0.1),
      { name: 'activation', kind: 'string', choices: ['relu', 'gelu'], default: 'relu' },
      float('layer_norm_eps', 1e-5),
      flag('batch_first', false),
      flag('norm_first', false),
      flag('bias', true),
    ],
    check: (options) => [
      ...attentionFaults({ ...options, embed_dim: options.d_model!, num_heads: options.nhead! }),
      ...(numberOf(options.layer_norm_eps!) >= 0 ? [] : ['layer_norm_eps must be non-negative']),
    ],
    parts({ d_model, nhead, dim_feedforward, dropout, layer_norm_eps, batch_first, bias }): PartDefinition[] {
      const norm = { normalized_shape: [d_model as number], eps: layer_norm_eps!, bias: bias! };
      return [
        {
          name: 'self_attn',
          type: 'MultiheadAttention',
          options: {
            embed_dim: d_model!,
            num_heads: nhead!,
            dropout: dropout!,
            bias: bias!,
            batch_first: batch_first!,
          },
        },
        {
          name: 'linear1',
          type: 'Linear',
          options: { in_features: d_model!, out_features: dim_feedforward!, bias: bias! },
        },
        { name: 'dropout', type: 'Dropout', options: { p: dropout! } },
        {
          name: 'linear2',
          type: 'Linear',
          options: { in_features: dim_feedforward!, out_features: d_model!, bias: bias! },
        },
        { name: 'norm1', type: 'LayerNorm', options: norm },
        { name: 'norm2', type: 'LayerNorm', options: norm },
        { name: 'dropout1', type: 'Dropout', options: { p: dropout! } },
        { name: 'dropout2', type: 'Dropout', options: { p: dropout! } },
      ];
    },
    trace: ({ options }, x, trace) => {
      const attended = (value: Value): Value => dropFirst(trace.child('self_attn', value), options, trace);
      const fed = (value: Value): Value => {
        const inner = trace.tracer.apply(
          options.activation as 'relu' | 'gelu',
          [trace.child('linear1', value)],
          {},
        );
        return trace.child('dropout2', trace.child('linear2', trace.child('dropout', inner)));
      };
      const sum = (a: Value, b: Value): Value => trace.tracer.apply('add', [a, b], {});
      if (options.norm_first === true) {
        const middle = sum(x, attended(trace.child('norm1', x)));
        return sum(middle, fed(trace.child('norm2', middle)));
      }
      const middle = trace.child('norm1', sum(x, attended(x)));
      return trace.child('norm2', sum(middle, fed(middle)));
    },
    flow: ({ d_model }) => ({ takes: { axes: [-1], extent: d_model as number, of: 'features' }, changes: 0 }),
  },
  TransformerEncoder: {
    options: [
      { name: 'encoder_layer', kind: 'module', copies: { into: 'layers', count: 'num_layers' } },
      { name: 'num_layers', kind: 'int', minimum: 0 },
      nullable({ name: 'norm', kind: 'module' }),
      flag('enable_nested_tensor', true),
      flag('mask_check', true),
    ],
    trace: ({ children }, x, trace) => {
      let value = x;
      for (const name of children.get('layers')!.children.keys())
        value = trace.child(`layers.${name}`, value);
      return children.has('norm') ? trace.child('norm', value) : value;
    },
  },
} satisfies Record<string, LayerDefinition>;

/** PyTorch draws step by step, whatever comes first in the input: its attention computes that way. */
function dropFirst(value: Value, { batch_first, dropout }: Options, trace: Trace): Value {
  const turns = batch_first === true && value.shape.length === 3;
  if (!turns || trace.mode === 'eval' || numberOf(dropout!) === 0) return trace.child('dropout1', value);
  const turned = (x: Value): Value => trace.tracer.apply('permute', [x], { dims: [1, 0, 2] });
  return turned(trace.child('dropout1', turned(value)));
}
