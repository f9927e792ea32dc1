// Layers that move no number: torch.nn.Flatten and Identity.

import type { LayerDefinition } from '../layer.js';
import { pythonRepr } from '../options.js';

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
  Identity: {
    options: [],
    trace: (_module, x, { tracer }) => tracer.apply('identity', [x], {}),
    flow: () => ({ changes: 0 }),
  },
} satisfies Record<string, LayerDefinition>;
