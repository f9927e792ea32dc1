// torch.nn's convolutions over one, two and three dimensions, and transposed ones over one and two.

import { conv3d, type Conv3d } from '../../graph/ops-conv3d.js';
import { padded, type PadMode } from '../../graph/ops-pad.js';
import type { Apply, Value } from '../../graph/tracer.js';
import type { LayerDefinition, OptionDefinition } from '../layer.js';
import type { Module } from '../module.js';
import { pythonRepr, type Options, type OptionValue } from '../options.js';
import { extent, flag, pairOf, perDimension, tupleOf } from './arguments.js';
import { weightAndBias } from './linear.js';

type Dims = 1 | 2 | 3;

const PADDING_MODES = ['zeros', 'reflect', 'replicate', 'circular'] as const;
type PaddingMode = (typeof PADDING_MODES)[number];

const paddingMode: OptionDefinition = {
  name: 'padding_mode',
  kind: 'string',
  choices: PADDING_MODES,
  default: 'zeros',
};

export const CONVOLUTION_LAYERS = {
  Conv1d: convolution(1),
  Conv2d: convolution(2),
  Conv3d: convolution(3),
  ConvTranspose1d: transposed(1),
  ConvTranspose2d: transposed(2),
};

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
      paddingMode,
    ],
    check: (options) => [
      ...checkGroups(options),
      ...(options.padding === 'same' && tupleOf(options.stride!, dims).some((step) => step !== 1)
        ? ["padding='same' is not supported for strided convolutions"]
        : []),
    ],
    parameters: ({ in_channels, out_channels, kernel_size, groups, bias }) => {
      const kernel = tupleOf(kernel_size!, dims) as number[];
      const inputs = (in_channels as number) / (groups as number);
      return weightAndBias([out_channels as number, inputs, ...kernel], bias === true);
    },
    trace: (module, x, { tracer }) => {
      const { options, parameters } = module;
      const weight = tracer.read(parameters.get('weight'))!;
      const bias = tracer.read(parameters.get('bias'));
      const mode = options.padding_mode as PaddingMode;
      if (mode === 'zeros') return convolve(tracer.apply, x, { weight, bias, options, dims });
      const around = padded(tracer.apply, x, endsOf(module, dims), { mode: mode satisfies PadMode });
      return convolve(tracer.apply, around, { weight, bias, options: { ...options, padding: 0 }, dims });
    },
    flow: (options) => channelFlow(options, dims),
    repr: (options) => extraRepr(options, dims),
  };
}

interface Convolution {
  readonly weight: Value;
  readonly bias: Value | null;
  readonly options: Options;
  readonly dims: Dims;
}

function convolve(apply: Apply, x: Value, { weight, bias, options, dims }: Convolution): Value {
  const { stride, padding, dilation } = options;
  const zeros = padding === 'valid' ? 0 : padding!;
  const groups = options.groups as number;
  if (dims === 3) {
    const triple = (value: OptionValue) => tupleOf(value, 3) as unknown as Conv3d['stride'];
    const attributes = { stride: triple(stride!), dilation: triple(dilation!), groups };
    return conv3d(
      apply,
      x,
      { weight, bias },
      { ...attributes, padding: zeros === 'same' ? zeros : triple(zeros) },
    );
  }
  return apply('conv', [x, weight, bias], {
    dims,
    stride: pairOf(stride!, dims, 1),
    padding: zeros === 'same' ? zeros : pairOf(zeros, dims, 0),
    dilation: pairOf(dilation!, dims, 1),
    groups,
  });
}

/** _reversed_padding_repeated_twice: the ends of the last dimension first. With 'same' the odd one stands at the end. */
function endsOf({ options }: Module, dims: Dims): number[] {
  const { padding, dilation, kernel_size } = options;
  const [kernel, apart] = [tupleOf(kernel_size!, dims), tupleOf(dilation!, dims)] as [number[], number[]];
  const ends = kernel.map((size, i): [number, number] => {
    if (padding === 'valid') return [0, 0];
    if (padding !== 'same')
      return [tupleOf(padding!, dims)[i] as number, tupleOf(padding!, dims)[i] as number];
    const total = apart[i]! * (size - 1);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  return ends.reverse().flat();
}

function transposed(dims: 1 | 2): LayerDefinition {
  const lengths = { minimum: dims, maximum: dims };
  const type = `ConvTranspose${dims}d`;
  return {
    options: [
      extent('in_channels'),
      extent('out_channels'),
      perDimension('kernel_size', lengths, { minimum: 1 }),
      perDimension('stride', lengths, { minimum: 1, value: 1 }),
      perDimension('padding', lengths, { minimum: 0, value: 0 }),
      perDimension('output_padding', lengths, { minimum: 0, value: 0 }),
      { name: 'groups', kind: 'int', minimum: 1, default: 1 },
      flag('bias', true),
      perDimension('dilation', lengths, { minimum: 1, value: 1 }),
      paddingMode,
    ],
    check: (options) => [
      ...(options.padding_mode === 'zeros' ? [] : [`Only "zeros" padding mode is supported for ${type}`]),
      ...checkGroups(options),
    ],
    parameters: ({ in_channels, out_channels, kernel_size, groups, bias }) => {
      const kernel = tupleOf(kernel_size!, dims) as number[];
      const outputs = out_channels as number;
      const weight = [in_channels as number, outputs / (groups as number), ...kernel];
      return weightAndBias(weight, bias === true, outputs);
    },
    trace: ({ parameters, options }, x, { tracer }) => {
      const inputs = [x, tracer.read(parameters.get('weight')), tracer.read(parameters.get('bias'))];
      return tracer.apply('conv_transpose', inputs, {
        dims,
        stride: pairOf(options.stride!, dims, 1),
        padding: pairOf(options.padding!, dims, 0),
        outputPadding: pairOf(options.output_padding!, dims, 0),
        dilation: pairOf(options.dilation!, dims, 1),
        groups: options.groups as number,
      });
    },
    flow: (options) => channelFlow(options, dims),
    repr: (options) => extraRepr(options, dims),
  };
}

function checkGroups({ in_channels, out_channels, groups }: Options): string[] {
  return [
    ...((in_channels as number) % (groups as number) === 0
      ? []
      : ['in_channels must be divisible by groups']),
    ...((out_channels as number) % (groups as number) === 0
      ? []
      : ['out_channels must be divisible by groups']),
  ];
}

function channelFlow({ in_channels, out_channels }: Options, dims: Dims) {
  return {
    takes: { axes: [-dims - 1], extent: in_channels as number, of: 'channels' as const },
    changes: dims + 1,
    gives: { axis: -dims - 1, extent: out_channels as number },
  };
}

/** torch.nn.modules.conv._ConvNd.extra_repr, which shows what differs from the default. */
function extraRepr(options: Options, dims: Dims): string {
  const { in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias } =
    options;
  const tuple = (value: OptionValue | undefined): OptionValue[] => tupleOf(value!, dims);
  const text = [
    `${pythonRepr(in_channels!)}, ${pythonRepr(out_channels!)}`,
    `kernel_size=${pythonRepr(tuple(kernel_size))}`,
    `stride=${pythonRepr(tuple(stride))}`,
  ];
  const unless = (usual: number, name: string, value: OptionValue | undefined): void => {
    if (value !== undefined && tuple(value).some((item) => item !== usual)) {
      text.push(`${name}=${pythonRepr(tuple(value))}`);
    }
  };
  if (typeof padding === 'string') text.push(`padding=${padding}`);
  else unless(0, 'padding', padding);
  unless(1, 'dilation', dilation);
  unless(0, 'output_padding', output_padding);
  if (groups !== 1) text.push(`groups=${pythonRepr(groups!)}`);
  if (bias !== true) text.push('bias=False');
  if (options.padding_mode !== 'zeros') text.push(`padding_mode=${options.padding_mode as string}`);
  return text.join(', ');
}
