// torch.nn's dropouts. A forward is in eval mode, where they give their input back.

import type { Value } from '../../graph/tracer.js';
import type { LayerDefinition, Trace } from '../layer.js';
import { numberOf, pythonRepr } from '../options.js';
import { flag, float } from './arguments.js';

const layer: LayerDefinition = {
  options: [float('p', 0.5), flag('inplace', false)],
  check: ({ p }) => {
    const probability = numberOf(p!);
    return probability < 0 || probability > 1
      ? [`dropout probability has to be between 0 and 1, but got ${pythonRepr(p!)}`]
      : [];
  },
  trace: (_module, x, { tracer }) => tracer.apply('identity', [x], {}),
  flow: () => ({ changes: 0 }),
  repr: ({ p, inplace }) => `p=${pythonRepr(p!)}, inplace=${pythonRepr(inplace!)}`,
};

export const DROPOUT_LAYERS = { Dropout: layer, Dropout2d: layer, AlphaDropout: layer };

export function dropout({ tracer }: Trace, x: Value, _p: number): Value {
  return tracer.apply('identity', [x], {});
}
