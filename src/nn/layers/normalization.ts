// torch.nn.LayerNorm, RMSNorm and GroupNorm: each row, or group of channels of a row, by its own statistics.

import { ShapeError } from '../../graph/op.js';
import { list } from '../../graph/requirements.js';
import { numel } from '../../tensor/shape.js';
import type { LayerDefinition, OptionDefinition } from '../layer.js';
import { numberOf, pythonRepr, type OptionValue } from '../options.js';
import { extent, flag, float, nullable, tupleOf } from './arguments.js';
import { affine, affineParameters, BATCH_NORMALIZATION_LAYERS } from './batch-normalization.js';

const shapeOf = (value: OptionValue | undefined): number[] => tupleOf(value!, 1) as number[];

const NORMALIZED_SHAPE: OptionDefinition = {
  name: 'normalized_shape',
  kind: 'ints',
  minimum: 1,
  // 64 dimensions are as many as a tensor of PyTorch can have.
  lengths: { minimum: 1, maximum: 64 },
};

const lastOf = (normalizedShape: OptionValue): ReturnType<NonNullable<LayerDefinition['flow']>> => ({
  takes: { axes: [-1], extent: shapeOf(normalizedShape).at(-1)!, of: 'features' },
  changes: 0,
});

const layerNorm: LayerDefinition = {
  options: [NORMALIZED_SHAPE, float('eps', 1e-5), flag('elementwise_affine', true), flag('bias', true)],
  parameters: ({ normalized_shape, elementwise_affine, bias }) =>
    affineParameters(shapeOf(normalized_shape), {
      weight: elementwise_affine === true,
      bias: bias === true,
    }),
  trace: ({ parameters, options }, x, { tracer }) =>
    tracer.apply(
      'layer_norm',
      [x, tracer.read(parameters.get('weight')), tracer.read(parameters.get('bias'))],
      { normalizedShape: shapeOf(options.normalized_shape), eps: numberOf(options.eps!) },
    ),
  flow: ({ normalized_shape }) => lastOf(normalized_shape!),
  repr: ({ normalized_shape, eps, elementwise_affine, bias }) =>
    `${pythonRepr(shapeOf(normalized_shape))}, eps=${pythonRepr(eps!)}, ` +
    `elementwise_affine=${pythonRepr(elementwise_affine!)}, ` +
    `bias=${pythonRepr(elementwise_affine === true && bias === true)}`,
};

/** torch.finfo(torch.float32).eps */
const FLOAT32_EPS = 2 ** -23;

const rmsNorm: LayerDefinition = {
  options: [NORMALIZED_SHAPE, nullable({ name: 'eps', kind: 'float' }), flag('elementwise_affine', true)],
  parameters: ({ normalized_shape, elementwise_affine }) => {
    const [weight] = affineParameters(shapeOf(normalized_shape), {
      weight: elementwise_affine === true,
      bias: false,
    });
    return [weight!];
  },
  trace: ({ parameters, options: { normalized_shape, eps } }, x, { tracer }) =>
    tracer.apply('rms_norm', [x, tracer.read(parameters.get('weight')), null], {
      normalizedShape: shapeOf(normalized_shape),
      eps: eps === null ? FLOAT32_EPS : numberOf(eps!),
    }),
  flow: ({ normalized_shape }) => lastOf(normalized_shape!),
  repr: ({ normalized_shape, eps, elementwise_affine }) =>
    `${pythonRepr(shapeOf(normalized_shape))}, eps=${pythonRepr(eps!)}, ` +
    `elementwise_affine=${pythonRepr(elementwise_affine!)}`,
};

const groupNorm: LayerDefinition = {
  options: [
    extent('num_groups'),
    extent('num_channels'),
    float('eps', 1e-5),
    flag('affine', true),
    flag('bias', true),
  ],
  check: ({ num_groups, num_channels }) => {
    const [groups, channels] = [num_groups as number, num_channels as number];
    return channels % groups === 0
      ? []
      : [`num_channels (${channels}) must be divisible by num_groups (${groups})`];
  },
  parameters: ({ num_channels, affine: learnt, bias }) =>
    affineParameters([num_channels as number], { weight: learnt === true, bias: bias === true }),
  trace: (module, x, trace) => {
    const groups = module.options.num_groups as number;
    const features = module.options.num_channels as number;
    const { apply } = trace.tracer;
    const { shape } = x;
    if (shape.length < 2) {
      throw new ShapeError(`Expected at least 2 dimensions for input tensor but received ${shape.length}`);
    }
    const [n, c, ...inner] = shape as [number, number, ...number[]];
    if (Math.floor((n * c) / groups) * numel(inner) === 1) {
      const size = list([1, groups, ...inner]);
      throw new ShapeError(`Expected more than 1 value per channel when training, got input size ${size}`);
    }
    if (c % groups !== 0) {
      throw new ShapeError(
        'Expected number of channels in input to be divisible by num_groups, ' +
          `but got input of shape ${list(shape)} and num_groups=${groups}`,
      );
    }
    if (module.parameters.get('weight') && c !== features) {
      throw new ShapeError(
        'Expected weight to be a vector of size equal to the number of channels in input, ' +
          `but got weight of shape [${features}] and input of shape ${list(shape)}`,
      );
    }
    if (numel(shape) === 0) return apply('identity', [x], {});
    const d = (c / groups) * numel(inner);
    const rows = apply('reshape', [x], { shape: [-1, groups, d] });
    const eps = numberOf(module.options.eps!);
    const normal = apply('layer_norm', [rows, null, null], { normalizedShape: [d], eps });
    return affine(module, apply('reshape', [normal], { shape: [-1, c, ...inner] }), trace);
  },
  // The channels' axis is known from the front, not from the end.
  flow: () => ({ changes: 0 }),
  repr: ({ num_groups, num_channels, eps, affine: learnt, bias }) =>
    `${pythonRepr(num_groups!)}, ${pythonRepr(num_channels!)}, eps=${pythonRepr(eps!)}, ` +
    `affine=${pythonRepr(learnt!)}, bias=${pythonRepr(learnt === true && bias === true)}`,
};

export const NORMALIZATION_LAYERS = {
  ...BATCH_NORMALIZATION_LAYERS,
  LayerNorm: layerNorm,
  RMSNorm: rmsNorm,
  GroupNorm: groupNorm,
};
