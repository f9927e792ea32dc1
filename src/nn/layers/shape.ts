// Layers that move no number: torch.nn.Flatten, Unflatten and Identity.

import { anyRows } from '../../graph/broadcasting.js';
import { ShapeError } from '../../graph/op.js';
import { dimension, list } from '../../graph/requirements.js';
import { MAX_RANK, numel, type Shape } from '../../tensor/shape.js';
import type { LayerDefinition } from '../layer.js';
import { MAX_INT, pythonRepr } from '../options.js';

export const SHAPE_LAYERS = {
  Flatten: {
    options: [
      { name: 'start_dim', kind: 'int', default: 1 },
      { name: 'end_dim', kind: 'int', default: -1 },
    ],
    trace: ({ options }, x, { tracer }) =>
      tracer.apply('flatten', [x], {
        startDim: options.start_dim as number,
        endDim: options.end_dim as number,
      }),
    // The last extent becomes a product of others; of a [n, c] nothing changes, but ranks are not known.
    flow: () => ({ changes: Infinity }),
    repr: ({ start_dim, end_dim }) => `start_dim=${pythonRepr(start_dim!)}, end_dim=${pythonRepr(end_dim!)}`,
  },
  Unflatten: {
    options: [
      { name: 'dim', kind: 'int' },
      {
        name: 'unflattened_size',
        kind: 'ints',
        minimum: -MAX_INT,
        lengths: { minimum: 0, maximum: MAX_RANK },
      },
    ],
    check: ({ unflattened_size }) =>
      Array.isArray(unflattened_size) ? [] : ['unflattened_size must be a tuple of ints, but found type int'],
    trace: ({ options }, x, { tracer }) => {
      const at = dimension(options.dim as number, x.shape.length);
      const sizes = unflattened(x.shape[at]!, options.unflattened_size as readonly number[], at);
      const shape = [...x.shape.slice(0, at), ...sizes, ...x.shape.slice(at + 1)];
      return tracer.apply('reshape', [x], { shape: at > 0 ? anyRows(shape) : shape });
    },
    repr: ({ dim, unflattened_size }) =>
      `dim=${pythonRepr(dim!)}, unflattened_size=${pythonRepr(unflattened_size!)}`,
  },
  Identity: {
    options: [],
    trace: (_module, x, { tracer }) => tracer.apply('identity', [x], {}),
    flow: () => ({ changes: 0 }),
  },
} satisfies Record<string, LayerDefinition>;

/** The extents that one falls into; one of them may be -1, which is what the others leave (ATen, unflatten). */
function unflattened(extent: number, sizes: Shape, dim: number): Shape {
  if (sizes.length === 0) throw new ShapeError('unflatten: sizes must be non-empty');
  const wrong = sizes.findIndex((size) => size < -1);
  if (sizes.filter((size) => size === -1).length > 1) {
    throw new ShapeError('unflatten got an unexpected error:\nonly one dimension can be inferred');
  }
  if (wrong >= 0) {
    throw new ShapeError(
      `unflatten got an unexpected error:\ninvalid shape dimension ${sizes[wrong]} at index ${wrong} of shape ${list(sizes)}`,
    );
  }
  const known = numel(sizes.filter((size) => size !== -1));
  const open = sizes.includes(-1);
  if (open && known === 0 && extent === 0) {
    throw new ShapeError(
      `unflatten got an unexpected error:\ncannot reshape tensor of 0 elements into shape ${list(sizes)} ` +
        'because the unspecified dimension size -1 can be any value and is ambiguous',
    );
  }
  if (open ? known === 0 || extent % known !== 0 : known !== extent) {
    throw new ShapeError(
      `unflatten: Provided sizes ${list(sizes)} don't multiply up to the size of dim ${dim} (${extent}) in the input tensor`,
    );
  }
  return sizes.map((size) => (size === -1 ? extent / known : size));
}
