// torch.nn.Sequential, ModuleList and ModuleDict: the only modules with children.

import type { LayerDefinition } from '../layer.js';

export const CONTAINER_LAYERS = {
  Sequential: {
    options: [],
    container: 'index_or_name',
    trace: ({ children }, x, trace) => {
      let value = x;
      for (const name of children.keys()) value = trace.child(name, value);
      return value;
    },
  },
  ModuleList: { options: [], container: 'index' },
  ModuleDict: { options: [], container: 'name' },
} satisfies Record<string, LayerDefinition>;
