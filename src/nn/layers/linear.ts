// torch.nn.Linear, and how its parameters (and a convolution's) are drawn.

import type { Shape } from '../../tensor/shape.js';
import { numel } from '../../tensor/shape.js';
import type { LayerDefinition, ParameterDefinition } from '../layer.js';
import { pythonRepr } from '../options.js';
import { extent, flag } from './arguments.js';

/**
 * torch.nn.Linear.reset_parameters, which is _ConvNd's too: fan_in is the number of weights of one output. (A transposed
 * convolution's weight has its inputs first, and is drawn as if they were the outputs.)
 */
export function weightAndBias(weight: Shape, bias: boolean, outputs = weight[0]!): ParameterDefinition[] {
  const bound = 1 / Math.sqrt(numel(weight.slice(1)));
  return [
    { name: 'weight', kind: 'parameter', shape: weight, init: { name: 'kaiming_uniform', a: Math.sqrt(5) } },
    {
      name: 'bias',
      kind: 'parameter',
      shape: bias ? [outputs] : null,
      init: { name: 'uniform', a: -bound, b: bound },
    },
  ];
}

const linear: LayerDefinition = {
  options: [extent('in_features'), extent('out_features'), flag('bias', true)],
  parameters: ({ in_features, out_features, bias }) =>
    weightAndBias([out_features as number, in_features as number], bias === true),
  trace: ({ parameters }, x, { tracer }) =>
    tracer.apply(
      'linear',
      [x, tracer.read(parameters.get('weight')), tracer.read(parameters.get('bias'))],
      {},
    ),
  flow: ({ in_features, out_features }) => ({
    takes: { axes: [-1], extent: in_features as number, of: 'features' },
    changes: 1,
    gives: { axis: -1, extent: out_features as number },
  }),
  repr: ({ in_features, out_features, bias }) =>
    `in_features=${pythonRepr(in_features!)}, out_features=${pythonRepr(out_features!)}, bias=${pythonRepr(bias!)}`,
};

/** The second is the one that torch.nn.MultiheadAttention has. */
export const LINEAR_LAYERS = { Linear: linear, NonDynamicallyQuantizableLinear: linear };
