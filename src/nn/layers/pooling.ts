// torch.nn's pools over one and two dimensions: maxima and averages of windows, and of as many as an output has elements.

import type { LayerDefinition, OptionDefinition } from '../layer.js';
import { pythonRepr, type Options } from '../options.js';
import { flag, nullable, pairOf, perDimension, tupleOf } from './arguments.js';

type Dims = 1 | 2;

export const POOLING_LAYERS = {
  MaxPool1d: maxPool(1),
  MaxPool2d: maxPool(2),
  AvgPool1d: averagePool(1),
  AvgPool2d: averagePool(2),
  AdaptiveAvgPool1d: adaptivePool('adaptive_avg_pool', 1),
  AdaptiveAvgPool2d: adaptivePool('adaptive_avg_pool', 2),
  AdaptiveMaxPool1d: adaptivePool('adaptive_max_pool', 1),
  AdaptiveMaxPool2d: adaptivePool('adaptive_max_pool', 2),
};

/** kernel_size, stride (None: the kernel's) and padding. A tuple of one is good for both dimensions, as in PyTorch. */
function window(dims: Dims): [OptionDefinition, OptionDefinition, OptionDefinition] {
  const lengths = { minimum: 1, maximum: dims };
  return [
    perDimension('kernel_size', lengths, { minimum: 1 }),
    nullable(perDimension('stride', lengths, { minimum: 1 })),
    perDimension('padding', lengths, { minimum: 0, value: 0 }),
  ];
}

function geometry({ kernel_size, stride, padding }: Options, dims: Dims) {
  const kernel = pairOf(kernel_size!, dims, 1);
  return {
    dims,
    kernel,
    stride: pairOf(stride ?? kernel_size!, dims, 1),
    padding: pairOf(padding!, dims, 0),
  };
}

function maxPool(dims: Dims): LayerDefinition {
  return {
    options: [
      ...window(dims),
      perDimension('dilation', { minimum: 1, maximum: dims }, { minimum: 1, value: 1 }),
      { name: 'return_indices', kind: 'bool', default: false, supported: [false] },
      flag('ceil_mode', false),
    ],
    trace: ({ options }, x, { tracer }) =>
      tracer.apply('max_pool', [x], {
        ...geometry(options, dims),
        dilation: pairOf(options.dilation!, dims, 1),
        ceilMode: options.ceil_mode === true,
      }),
    flow: () => ({ changes: dims }),
    repr: ({ kernel_size, stride, padding, dilation, ceil_mode }) =>
      `kernel_size=${pythonRepr(kernel_size!)}, stride=${pythonRepr(stride ?? kernel_size!)}, ` +
      `padding=${pythonRepr(padding!)}, dilation=${pythonRepr(dilation!)}, ceil_mode=${pythonRepr(ceil_mode!)}`,
  };
}

function averagePool(dims: Dims): LayerDefinition {
  // AvgPool1d makes tuples of its arguments, AvgPool2d keeps them as they are.
  const printed = (value: Options[string] | undefined): string =>
    pythonRepr(dims === 1 ? tupleOf(value!, 1) : value!);
  const divisor: OptionDefinition = { name: 'divisor_override', kind: 'int', minimum: 1 };
  return {
    options: [
      ...window(dims),
      flag('ceil_mode', false),
      flag('count_include_pad', true),
      ...(dims === 2 ? [nullable(divisor)] : []),
    ],
    trace: ({ options }, x, { tracer }) =>
      tracer.apply('avg_pool', [x], {
        ...geometry(options, dims),
        ceilMode: options.ceil_mode === true,
        countIncludePad: options.count_include_pad === true,
        divisor: (options.divisor_override ?? null) as number | null,
      }),
    flow: () => ({ changes: dims }),
    repr: ({ kernel_size, stride, padding }) =>
      `kernel_size=${printed(kernel_size)}, stride=${printed(stride ?? kernel_size)}, padding=${printed(padding)}`,
  };
}

function adaptivePool(op: 'adaptive_avg_pool' | 'adaptive_max_pool', dims: Dims): LayerDefinition {
  const lengths = { minimum: dims, maximum: dims };
  const size: OptionDefinition = {
    name: 'output_size',
    kind: 'ints',
    lengths,
    minimum: 0,
    nullable: true,
    nullableItems: true,
  };
  const indices: OptionDefinition = {
    name: 'return_indices',
    kind: 'bool',
    default: false,
    supported: [false],
  };
  return {
    options: op === 'adaptive_max_pool' ? [size, indices] : [size],
    trace: ({ options }, x, { tracer }) => {
      const output = tupleOf(options.output_size!, dims) as (number | null)[];
      return tracer.apply(op, [x], {
        dims,
        output: dims === 1 ? [1, output[0]!] : [output[0]!, output[1]!],
      });
    },
    flow: () => ({ changes: dims }),
    repr: ({ output_size }) => `output_size=${pythonRepr(output_size!)}`,
  };
}
