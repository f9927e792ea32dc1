// torch.nn.BatchNorm1d, BatchNorm2d and LayerNorm, as they are in eval mode.

import type { Shape } from '../../tensor/shape.js';
import type { LayerDefinition, ParameterDefinition } from '../layer.js';
import { numberOf, pythonRepr, type OptionValue } from '../options.js';
import { extent, flag, float, nullable, tupleOf } from './arguments.js';

export const NORMALIZATION_LAYERS = {
  BatchNorm1d: batchNorm(1),
  BatchNorm2d: batchNorm(2),
  LayerNorm: layerNorm(),
};

/** weight and bias, each registered as absent where it is not wanted. */
function affineParameters(
  shape: Shape,
  { weight, bias }: { weight: boolean; bias: boolean },
): ParameterDefinition[] {
  return [
    { name: 'weight', kind: 'parameter', shape: weight ? shape : null, init: { name: 'ones' } },
    { name: 'bias', kind: 'parameter', shape: weight && bias ? shape : null, init: { name: 'zeros' } },
  ];
}

function batchNorm(dims: 1 | 2): LayerDefinition {
  const layer = `BatchNorm${dims}d`;
  return {
    options: [
      extent('num_features'),
      float('eps', 1e-5),
      nullable(float('momentum', 0.1), 0.1),
      flag('affine', true),
      flag('track_running_stats', true),
      flag('bias', true),
    ],
    check: ({ eps }) => nonNegative(eps!),
    parameters: ({ num_features, affine, track_running_stats, bias }) => {
      const shape = [num_features as number];
      const tracked = track_running_stats === true;
      return [
        ...affineParameters(shape, { weight: affine === true, bias: bias === true }),
        { name: 'running_mean', kind: 'buffer', shape: tracked ? shape : null, init: { name: 'zeros' } },
        { name: 'running_var', kind: 'buffer', shape: tracked ? shape : null, init: { name: 'ones' } },
        {
          name: 'num_batches_tracked',
          kind: 'buffer',
          shape: tracked ? [] : null,
          dtype: 'int64',
          init: { name: 'zeros' },
        },
      ];
    },
    trace: ({ parameters, options }, x, { tracer }) => {
      const names = ['running_mean', 'running_var', 'weight', 'bias'];
      const inputs = [x, ...names.map((name) => tracer.read(parameters.get(name)))];
      const ranks = dims === 1 ? [2, 3] : [4];
      const features = options.num_features as number;
      return tracer.apply('batch_norm', inputs, { layer, ranks, features, eps: numberOf(options.eps!) });
    },
    // BatchNorm1d takes [n, c, l] and [n, c]: the channels' axis is the last but one if anything is known of it.
    flow: ({ num_features }) => ({
      takes: {
        axes: dims === 1 ? [-2, -1] : [-3],
        extent: num_features as number,
        of: dims === 1 ? 'features' : 'channels',
      },
      changes: 0,
    }),
    repr: ({ num_features, eps, momentum, affine, bias, track_running_stats }) =>
      `${pythonRepr(num_features!)}, eps=${pythonRepr(eps!)}, momentum=${pythonRepr(momentum!)}, ` +
      `affine=${pythonRepr(affine!)}, bias=${pythonRepr(affine === true && bias === true)}, ` +
      `track_running_stats=${pythonRepr(track_running_stats!)}`,
  };
}

function layerNorm(): LayerDefinition {
  const shapeOf = (value: OptionValue | undefined): number[] => tupleOf(value!, 1) as number[];
  return {
    options: [
      // 64 dimensions are as many as a tensor of PyTorch can have.
      { name: 'normalized_shape', kind: 'ints', minimum: 1, lengths: { minimum: 1, maximum: 64 } },
      float('eps', 1e-5),
      flag('elementwise_affine', true),
      flag('bias', true),
    ],
    parameters: ({ normalized_shape, elementwise_affine, bias }) =>
      affineParameters(shapeOf(normalized_shape), {
        weight: elementwise_affine === true,
        bias: bias === true,
      }),
    trace: ({ parameters, options }, x, { tracer }) =>
      tracer.apply(
        'layer_norm',
        [x, tracer.read(parameters.get('weight')), tracer.read(parameters.get('bias'))],
        {
          normalizedShape: shapeOf(options.normalized_shape),
          eps: numberOf(options.eps!),
        },
      ),
    flow: ({ normalized_shape }) => ({
      takes: { axes: [-1], extent: shapeOf(normalized_shape).at(-1)!, of: 'features' },
      changes: 0,
    }),
    repr: ({ normalized_shape, eps, elementwise_affine, bias }) =>
      `${pythonRepr(shapeOf(normalized_shape))}, eps=${pythonRepr(eps!)}, ` +
      `elementwise_affine=${pythonRepr(elementwise_affine!)}, ` +
      `bias=${pythonRepr(elementwise_affine === true && bias === true)}`,
  };
}

function nonNegative(eps: OptionValue): string[] {
  return numberOf(eps) < 0 ? [`batch_norm eps must be non-negative, but got ${pythonRepr(eps)}`] : [];
}
