// Walks a module tree as its forward does, and lets every layer write down its ops.
// The tree's depth is bounded where it is built, so the walk may be recursive.

import { ApiError } from '../errors.js';
import type { Tracer, Value } from '../graph/tracer.js';
import { LAYERS } from './layers/table.js';
import { joinPath, type Module } from './module.js';

/**
 * What the module makes of `x`. Throws ShapeError with the path of the module in which it came up (relative to this
 * one), and NOT_CALLABLE for a module without a forward.
 */
export function traceModule(tracer: Tracer, module: Module, x: Value, path = ''): Value {
  const definition = LAYERS[module.type];
  if (!definition.trace) throw new ApiError('NOT_CALLABLE', [JSON.stringify(path), module.type]);
  return definition.trace(module, x, {
    tracer,
    child: (name, value) =>
      tracer.within(name, () => traceModule(tracer, module.children.get(name)!, value, joinPath(path, name))),
  });
}
