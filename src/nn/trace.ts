// Walks a module tree as its forward does, and lets every layer write down its ops.
// The tree's depth is bounded where it is built, so the walk may be recursive.

import { ApiError } from '../errors.js';
import type { Tracer, Value } from '../graph/tracer.js';
import type { Mode } from './layer.js';
import { LAYERS } from './layers/table.js';
import { joinPath, type Module } from './module.js';

export interface TraceOptions {
  readonly mode?: Mode;
  /** Sees what each module gives, innermost first, and may put another value in its place. */
  readonly observe?: (output: Value, module: Module, path: string) => Value;
}

/**
 * What the module makes of its inputs. Throws ShapeError with the path of the module in which it came up (relative to
 * this one), and NOT_CALLABLE for a module without a forward.
 */
export function traceModule(
  tracer: Tracer,
  module: Module,
  inputs: Value | readonly Value[],
  options: TraceOptions = {},
  path = '',
): Value {
  const { mode = 'eval', observe } = options;
  const definition = LAYERS[module.type];
  if (!definition.trace) throw new ApiError('NOT_CALLABLE', [JSON.stringify(path), module.type]);
  const given = 'source' in inputs ? [inputs] : inputs;
  const output = definition.trace(module, given[0]!, {
    tracer,
    mode,
    inputs: given,
    child: (name, ...values) => {
      const child = name.split('.').reduce((parent, step) => parent.children.get(step)!, module);
      return tracer.within(name, () => traceModule(tracer, child, values, options, joinPath(path, name)));
    },
  });
  return observe ? observe(output, module, path) : output;
}
