// torch.nn's lazy layers: without one extent until it is seen what they are given, when they become what they stand for.

import { ShapeError } from '../../graph/op.js';
import { list } from '../../graph/requirements.js';
import type { Shape } from '../../tensor/shape.js';
import type { LayerDefinition, Lazy } from '../layer.js';
import type { Options } from '../options.js';
import { CONVOLUTION_LAYERS } from './convolution.js';
import { LINEAR_LAYERS } from './linear.js';
import { NORMALIZATION_LAYERS } from './normalization.js';

/** What is done alike for all of them; `assumed` is an extent for as long as there is none. */
function lazy(
  definition: LayerDefinition,
  rest: Omit<Lazy, 'assumed'> & { assumed?: Lazy['assumed'] },
): LayerDefinition {
  const assumed = rest.assumed ?? (() => 1);
  const { option, becomes } = rest;
  const withExtent = (options: Options, extent: number): Options => ({ [option]: extent, ...options });
  return {
    options: definition.options.filter(({ name }) => name !== option),
    lazy: { ...rest, assumed },
    ...(definition.check && {
      check: (options: Options) => definition.check!(withExtent(options, assumed(options))),
    }),
    trace: () => {
      throw new ShapeError(
        `Lazy${becomes} is uninitialized: a forward of the whole, or materialize, gives it a shape`,
      );
    },
    flow: (options) => {
      const { changes, gives } = definition.flow!(withExtent(options, assumed(options)));
      return { changes, ...(gives && { gives }) };
    },
    repr: (options, module) => definition.repr!(withExtent(options, 0), module),
  };
}

/** The channels of a batch, or of one example, with so many dimensions behind them. */
function channels(shape: Shape, dims: number, layer: string): number {
  const axis = shape.length - dims - 1;
  if (axis === 0 || axis === 1) return shape[axis]!;
  const expected = `${dims + 1}D (unbatched) or ${dims + 2}D (batched)`;
  throw new ShapeError(`Expected ${expected} input to ${layer}, but got input of size: ${list(shape)}`);
}

const groupsOf = ({ groups }: Options): number => groups as number;

function convolution(dims: 1 | 2): LayerDefinition {
  const becomes = `Conv${dims}d` as const;
  return lazy(CONVOLUTION_LAYERS[becomes], {
    becomes,
    option: 'in_channels',
    assumed: groupsOf,
    seen: (shape) => channels(shape, dims, `Lazy${becomes}`),
    stated: (shapes, options) => multiplied(shapes.get('weight')?.[1], groupsOf(options)),
  });
}

function batchNorm(dims: 1 | 2): LayerDefinition {
  const becomes = `BatchNorm${dims}d` as const;
  return lazy(NORMALIZATION_LAYERS[becomes], {
    becomes,
    option: 'num_features',
    seen: (shape) => {
      if (shape.length >= 2) return shape[1]!;
      const expected = dims === 1 ? '2D or 3D' : '4D';
      throw new ShapeError(`expected ${expected} input (got ${shape.length}D input)`);
    },
    stated: (shapes) =>
      ['weight', 'bias', 'running_mean', 'running_var'].map((name) => shapes.get(name)?.[0]).find(Boolean),
  });
}

function multiplied(extent: number | undefined, factor: number): number | undefined {
  return extent === undefined ? undefined : extent * factor;
}

export const LAZY_LAYERS = {
  LazyLinear: lazy(LINEAR_LAYERS.Linear, {
    becomes: 'Linear',
    option: 'in_features',
    seen: (shape) => {
      if (shape.length === 0) throw new ShapeError('LazyLinear takes at least one dimension, got a scalar');
      return shape.at(-1)!;
    },
    stated: (shapes) => shapes.get('weight')?.[1],
  }),
  LazyConv1d: convolution(1),
  LazyConv2d: convolution(2),
  LazyBatchNorm1d: batchNorm(1),
  LazyBatchNorm2d: batchNorm(2),
} satisfies Record<string, LayerDefinition>;
