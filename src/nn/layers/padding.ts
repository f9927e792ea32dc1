// torch.nn's pads: the last one, two or three dimensions made longer at both ends, or shorter where an end is negative.

import { padded, type PadMode } from '../../graph/ops-pad.js';
import { ShapeError } from '../../graph/op.js';
import type { LayerDefinition } from '../layer.js';
import { MAX_INT, numberOf, pythonRepr, type Options } from '../options.js';
import { perDimension, tupleOf } from './arguments.js';

type Dims = 1 | 2 | 3;

export const PADDING_LAYERS = {
  ZeroPad1d: padding('constant', 1),
  ZeroPad2d: padding('constant', 2),
  ZeroPad3d: padding('constant', 3),
  ConstantPad1d: constantPadding(1),
  ConstantPad2d: constantPadding(2),
  ConstantPad3d: constantPadding(3),
  ReflectionPad1d: padding('reflect', 1),
  ReflectionPad2d: padding('reflect', 2),
  ReflectionPad3d: padding('reflect', 3),
  ReplicationPad1d: padding('replicate', 1),
  ReplicationPad2d: padding('replicate', 2),
  ReplicationPad3d: padding('replicate', 3),
  CircularPad1d: padding('circular', 1),
  CircularPad2d: padding('circular', 2),
  CircularPad3d: padding('circular', 3),
};

/** An int, or (left, right, top, bottom, front, back) as far as there are such dimensions. */
function padding(mode: PadMode, dims: Dims): LayerDefinition {
  const lengths = { minimum: 2 * dims, maximum: 2 * dims };
  const ends = ({ padding: given }: Options) => tupleOf(given!, 2 * dims) as number[];
  return {
    options: [perDimension('padding', lengths, { minimum: -MAX_INT })],
    trace: ({ options }, x, { tracer }) => {
      const rank = x.shape.length;
      if (mode === 'circular' && rank !== dims + 1 && rank !== dims + 2) {
        throw new ShapeError(`expected ${dims + 1}D or ${dims + 2}D input (got ${rank}D input)`);
      }
      const value = 'value' in options ? numberOf(options.value) : 0;
      return padded(tracer.apply, x, ends(options), { mode, value });
    },
    flow: () => ({ changes: dims }),
    repr: (options) => pythonRepr(ends(options)),
  };
}

function constantPadding(dims: Dims): LayerDefinition {
  const plain = padding('constant', dims);
  return {
    ...plain,
    options: [...plain.options, { name: 'value', kind: 'float' }],
    repr: (options, module) => `padding=${plain.repr!(options, module)}, value=${pythonRepr(options.value!)}`,
  };
}
