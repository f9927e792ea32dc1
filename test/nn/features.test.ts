// Mistakes in extents that are known before any input: which are found, in which words, and what is left alone.

import { describe, expect, it } from 'vitest';
import { readArchitecture } from '#src/nn/architecture.js';
import { featureWarnings } from '#src/nn/features.js';

const linear = (inFeatures: number, outFeatures: number) => ({
  type: 'Linear',
  in_features: inFeatures,
  out_features: outFeatures,
});
const conv = (dims: number, inChannels: number, outChannels: number) => ({
  type: `Conv${dims}d`,
  in_channels: inChannels,
  out_channels: outChannels,
  kernel_size: 3,
});
const of = (type: string, options: object = {}) => ({ type, ...options });
const sequential = (...children: unknown[]) => ({ type: 'Sequential', children });

function warnings(architecture: unknown): string[] {
  const read = readArchitecture(architecture, { maxModules: 1000, maxDepth: 64 });
  if ('faults' in read) throw new Error(JSON.stringify(read.faults));
  return featureWarnings(read.root);
}

describe('a warning names the layer, what it takes, and what the layer before it gives', () => {
  it.each([
    [
      sequential(of('ReLU'), linear(4, 6), linear(8, 1)),
      'layer 2 (Linear) takes 8 features, layer 1 gives 6',
    ],
    [
      sequential(linear(4, 6), of('ReLU'), linear(8, 1)),
      'layer 2 (Linear) takes 8 features, layer 1 gives 6',
    ],
    [
      sequential(linear(4, 6), of('LayerNorm', { normalized_shape: [3, 8] })),
      'layer 1 (LayerNorm) takes 8 features, layer 0 gives 6',
    ],
    [
      sequential(linear(4, 6), of('BatchNorm1d', { num_features: 8 })),
      'layer 1 (BatchNorm1d) takes 8 features, layer 0 gives 6',
    ],
    [
      sequential(of('Embedding', { num_embeddings: 3, embedding_dim: 5 }), linear(4, 1)),
      'layer 1 (Linear) takes 4 features, layer 0 gives 5',
    ],
    [sequential(conv(2, 3, 8), conv(2, 4, 1)), 'layer 1 (Conv2d) takes 4 channels, layer 0 gives 8'],
    [
      sequential(conv(1, 3, 8), of('BatchNorm1d', { num_features: 4 })),
      'layer 1 (BatchNorm1d) takes 4 features, layer 0 gives 8',
    ],
    [
      sequential(conv(2, 3, 8), of('MaxPool2d', { kernel_size: 2 }), of('BatchNorm2d', { num_features: 4 })),
      'layer 2 (BatchNorm2d) takes 4 channels, layer 1 gives 8',
    ],
    [
      sequential(sequential({ ...sequential(linear(4, 8), of('ReLU'), linear(6, 4)), name: 'block 0' })),
      'layer 0.block 0.2 (Linear) takes 6 features, layer 0.block 0.1 gives 8',
    ],
    [
      sequential(sequential(linear(4, 8), of('ReLU')), linear(4, 1)),
      'layer 1 (Linear) takes 4 features, layer 0.1 gives 8',
    ],
    [
      of('ModuleList', { children: [linear(4, 8), sequential(linear(4, 8), linear(4, 1))] }),
      'layer 1.1 (Linear) takes 4 features, layer 1.0 gives 8',
    ],
  ])('%j', (architecture, warning) => expect(warnings(architecture)).toEqual([warning]));

  it('each mistake, in the order of the forward', () => {
    expect(warnings(sequential(linear(4, 6), linear(7, 5), of('Dropout'), linear(4, 3)))).toEqual([
      'layer 1 (Linear) takes 7 features, layer 0 gives 6',
      'layer 3 (Linear) takes 4 features, layer 2 gives 5',
    ]);
  });
});

describe('nothing is said', () => {
  it.each([
    ['of what fits', sequential(linear(4, 8), of('Softmax', { dim: 1 }), of('Identity'), linear(8, 1))],
    ['after a Flatten', sequential(conv(2, 1, 6), of('Flatten'), linear(400, 120))],
    [
      'of the last extent after a convolution or a pool',
      sequential(conv(2, 1, 6), linear(5, 2), of('MaxPool1d', { kernel_size: 2 }), linear(9, 1)),
    ],
    ['across the dimensions of convolutions', sequential(conv(2, 3, 8), conv(1, 5, 2))],
    [
      'of children that do not follow each other',
      of('ModuleList', { children: [linear(4, 8), linear(4, 8)] }),
    ],
    ['after a ModuleList', sequential(linear(4, 8), of('ModuleList'), linear(4, 1))],
    ['of a single layer', linear(4, 8)],
    ['of an empty network', sequential()],
  ])('%s', (_name, architecture) => expect(warnings(architecture)).toEqual([]));

  it('of the channels after a Linear over the last extent', () => {
    expect(warnings(sequential(conv(1, 3, 8), linear(7, 5), conv(1, 8, 1)))).toEqual([]);
    expect(warnings(sequential(conv(1, 3, 8), linear(7, 5), conv(1, 5, 1)))).toHaveLength(1);
  });
});
