import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { everyName } from '#src/nn/module.js';
import { numel } from '#src/tensor/shape.js';
import { casesOf, itMatchesPyTorch } from './cases.js';
import { run, type Tensor } from './network.js';

const LIMITS = { maxModules: 100, maxDepth: 9 };

describe('MultiheadAttention and the transformer encoder, forward and backward', () =>
  itMatchesPyTorch(casesOf('attention')));

describe('what is not here, or cannot be, is refused with a word', () => {
  const attention = { type: 'MultiheadAttention', embed_dim: 6, num_heads: 2 };
  const layer = { type: 'TransformerEncoderLayer', d_model: 6, nhead: 2 };
  const encoder = { type: 'TransformerEncoder', encoder_layer: layer, num_layers: 2 };
  it.each([
    [{ ...attention, num_heads: 4 }, 'embed_dim must be divisible by num_heads'],
    [{ ...attention, add_bias_kv: true }, 'only False is supported, got true'],
    [{ ...attention, add_zero_attn: true }, 'only False is supported, got true'],
    [{ ...attention, dropout: -1 }, 'dropout probability has to be between 0 and 1, but got -1'],
    [{ ...layer, nhead: 5 }, 'embed_dim must be divisible by num_heads'],
    [{ ...layer, activation: 'tanh' }, "must be 'relu' or 'gelu', got \"tanh\""],
    [
      { ...layer, dim_feedforward: 2 ** 31 - 1, d_model: 2 ** 31 - 2 },
      'self_attn.in_proj_weight: [6442450938, 2147483646] has too many elements',
    ],
    [{ ...encoder, encoder_layer: null }, 'must be an object with a type, got null'],
    [{ type: 'TransformerEncoder', num_layers: 2 }, 'TransformerEncoder needs encoder_layer'],
    [{ ...encoder, encoder_layer: [layer] }, 'is a list of 1, num_layers is 2'],
    [{ ...encoder, encoder_layer: { ...layer, name: 'a' } }, 'only the child of a container has a name'],
    [{ ...encoder, norm: { type: 'LayerNorm' } }, 'LayerNorm needs normalized_shape'],
    [{ ...encoder, children: [] }, 'TransformerEncoder has no children'],
  ])('%j', (architecture, message) => {
    const build = (): unknown => readTree(architecture, LIMITS);
    const fault = expect.objectContaining({ message: expect.stringContaining(message) as string }) as object;
    expect(build).toThrow(
      expect.objectContaining({ errors: expect.arrayContaining([fault]) as object }) as Error,
    );
  });
});

describe('inputs', () => {
  const attention = { type: 'MultiheadAttention', embed_dim: 6, num_heads: 2, batch_first: true };
  const float = (...shape: number[]): Tensor => ({
    shape,
    dtype: 'float32',
    data: Array<number>(numel(shape)).fill(0.5),
  });
  const { root } = readTree(attention, LIMITS);
  const state = Object.fromEntries(everyName(root).map(({ path, value }) => [path, float(...value.shape)]));

  it.each([
    [[float(6)], 'query should be unbatched 2D or batched 3D tensor but received 1-D query tensor'],
    [
      [float(2, 3, 6), float(3, 6)],
      'For batched 3D `query`, expected `key` and `value` to be 3-D but found 2-D',
    ],
    [[float(2, 3, 5)], 'was expecting embedding dimension of 6, but got 5'],
    [[float(2, 3, 6), float(1, 3, 6)], 'queries [2, 3, 6], keys [1, 3, 6] and values [1, 3, 6] do not fit'],
    [[float(2, 3, 6), float(2, 4, 6), float(2, 5, 6)], 'do not fit'],
  ])('that do not fit are refused: %j', (inputs, message) => {
    expect(() => run({ architecture: attention, state, inputs })).toThrow(message);
  });

  it('may be a batch of nothing', () => {
    const { shape, grads } = run({ architecture: attention, state, inputs: [float(0, 3, 6)] });
    expect(shape).toEqual([0, 3, 6]);
    for (const grad of grads.values()) expect([...new Set(grad)]).toEqual([0]);
  });
});
