// Walks a module tree as its forward does, and lets every layer write down its ops.
// The tree's depth is bounded where it is built, so the walk may be recursive.

import { ApiError } from '../errors.js';
import type { Tracer, Value } from '../graph/tracer.js';
import type { Mode, Trace } from './layer.js';
import { LAYERS } from './layers/table.js';
import { joinPath, type Module } from './module.js';
import { outputNames } from './signature.js';

export interface TraceOptions {
  readonly mode?: Mode;
  /** The module that runs in place of one that is given `x`. */
  readonly substitute?: (module: Module, x: Value) => Module;
  /** Sees what each module gives, innermost first, and may put another value in its place. */
  readonly observe?: (output: Value, module: Module, path: string) => Value;
}

/**
 * What the module makes of its inputs. Throws ShapeError with the path of the module in which it came up (relative to
 * this one), and NOT_CALLABLE for a module without a forward.
 */
export function traceModule(
  tracer: Tracer,
  given: Module,
  inputs: Value | readonly Value[],
  options: TraceOptions = {},
  path = '',
): Value {
  const { observe, substitute } = options;
  const values = 'source' in inputs ? [inputs] : inputs;
  const module = substitute ? substitute(given, values[0]!) : given;
  const definition = LAYERS[module.type];
  if (!definition.trace) throw new ApiError('NOT_CALLABLE', [JSON.stringify(path), module.type]);
  const output = definition.trace(module, values[0]!, traceOf(tracer, module, values, { options, path }));
  return observe ? observe(output, module, path) : output;
}

/** The same for a module that may give several tensors, in the order of their names (signature.ts). */
export function traceOutputs(
  tracer: Tracer,
  module: Module,
  inputs: readonly Value[],
  options: TraceOptions = {},
): readonly Value[] {
  if (!outputNames(module)) return [traceModule(tracer, module, inputs, options)];
  return LAYERS[module.type].traceOutputs!(module, traceOf(tracer, module, inputs, { options, path: '' }));
}

function traceOf(
  tracer: Tracer,
  module: Module,
  inputs: readonly Value[],
  { options, path }: { options: TraceOptions; path: string },
): Trace {
  const { mode = 'eval' } = options;
  return {
    tracer,
    mode,
    inputs,
    child: (name, ...values) => {
      const child = name.split('.').reduce((parent, step) => parent.children.get(step)!, module);
      return tracer.within(name, () => traceModule(tracer, child, values, options, joinPath(path, name)));
    },
  };
}
