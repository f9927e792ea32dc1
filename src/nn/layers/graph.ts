// Graph: named nodes, each a module or an op, wired to each other and to any number of inputs and outputs.

import { ShapeError } from '../../graph/op.js';
import type { LayerDefinition } from '../layer.js';
import { traceWiring, wiringRepr } from '../wiring.js';

export const GRAPH_LAYERS = {
  Graph: {
    options: [],
    container: 'name',
    wired: true,
    branches: 'unknown',
    inputs: ({ wiring }) => wiring!.inputs,
    outputs: ({ wiring }) => (wiring!.outputs.length === 1 ? undefined : wiring!.outputs),
    trace: (module, _x, trace) => {
      const [value, ...more] = traceWiring(module, trace);
      if (!value || more.length > 0) {
        const names = module.wiring!.outputs.join(', ');
        throw new ShapeError(
          `a Graph with ${more.length + 1} outputs (${names}) stands where one tensor is taken`,
        );
      }
      return value;
    },
    traceOutputs: (module, trace) => traceWiring(module, trace),
    repr: (_options, module) => wiringRepr(module),
  },
} satisfies Record<string, LayerDefinition>;
