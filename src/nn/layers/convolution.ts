// torch.nn.Conv1d and Conv2d. Padding is with zeros only.

import type { OpAttributes } from '../../graph/op.js';
import type { LayerDefinition } from '../layer.js';
import { pythonRepr, type Options, type OptionValue } from '../options.js';
import { extent, flag, pairOf, perDimension, tupleOf } from './arguments.js';
import { weightAndBias } from './linear.js';

type Dims = 1 | 2;

export const CONVOLUTION_LAYERS = { Conv1d: convolution(1), Conv2d: convolution(2) };

function convolution(dims: Dims): LayerDefinition {
  const lengths = { minimum: dims, maximum: dims };
  const words = ['same', 'valid'];
  return {
    options: [
      extent('in_channels'),
      extent('out_channels'),
      perDimension('kernel_size', lengths, { minimum: 1 }),
      perDimension('stride', lengths, { minimum: 1, value: 1 }),
      { name: 'padding', kind: 'ints', lengths, minimum: 0, words, default: 0 },
      perDimension('dilation', lengths, { minimum: 1, value: 1 }),
      { name: 'groups', kind: 'int', minimum: 1, default: 1 },
      flag('bias', true),
      {
        name: 'padding_mode',
        kind: 'string',
        choices: ['zeros', 'reflect', 'replicate', 'circular'],
        supported: ['zeros'],
        default: 'zeros',
      },
    ],
    check: ({ in_channels, out_channels, groups, padding, stride }) => [
      ...((in_channels as number) % (groups as number) === 0
        ? []
        : ['in_channels must be divisible by groups']),
      ...((out_channels as number) % (groups as number) === 0
        ? []
        : ['out_channels must be divisible by groups']),
      ...(padding === 'same' && tupleOf(stride!, dims).some((step) => step !== 1)
        ? ["padding='same' is not supported for strided convolutions"]
        : []),
    ],
    parameters: ({ in_channels, out_channels, kernel_size, groups, bias }) => {
      const kernel = tupleOf(kernel_size!, dims) as number[];
      const inputs = (in_channels as number) / (groups as number);
      return weightAndBias([out_channels as number, inputs, ...kernel], bias === true);
    },
    trace: ({ parameters, options }, x, { tracer }) => {
      const inputs = [x, tracer.read(parameters.get('weight')), tracer.read(parameters.get('bias'))];
      return tracer.apply('conv', inputs, attributes(options, dims));
    },
    flow: ({ in_channels, out_channels }) => ({
      takes: { axes: [-dims - 1], extent: in_channels as number, of: 'channels' },
      changes: dims + 1,
      gives: { axis: -dims - 1, extent: out_channels as number },
    }),
    repr: (options) => extraRepr(options, dims),
  };
}

function attributes({ stride, padding, dilation, groups }: Options, dims: Dims): OpAttributes['conv'] {
  return {
    dims,
    stride: pairOf(stride!, dims, 1),
    padding: padding === 'same' ? 'same' : pairOf(padding === 'valid' ? 0 : padding!, dims, 0),
    dilation: pairOf(dilation!, dims, 1),
    groups: groups as number,
  };
}

/** torch.nn.modules.conv._ConvNd.extra_repr, which shows what differs from the default. */
function extraRepr(options: Options, dims: Dims): string {
  const { in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias } = options;
  const tuple = (value: OptionValue | undefined): OptionValue[] => tupleOf(value!, dims);
  const text = [
    `${pythonRepr(in_channels!)}, ${pythonRepr(out_channels!)}`,
    `kernel_size=${pythonRepr(tuple(kernel_size))}`,
    `stride=${pythonRepr(tuple(stride))}`,
  ];
  if (typeof padding === 'string') text.push(`padding=${padding}`);
  else if (tuple(padding).some((pad) => pad !== 0)) text.push(`padding=${pythonRepr(tuple(padding))}`);
  if (tuple(dilation).some((step) => step !== 1)) text.push(`dilation=${pythonRepr(tuple(dilation))}`);
  if (groups !== 1) text.push(`groups=${pythonRepr(groups!)}`);
  if (bias !== true) text.push('bias=False');
  return text.join(', ');
}
