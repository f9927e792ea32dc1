// Lazy modules get their shapes: of what a forward would give them, or of a state. Their parameters are drawn then, in
// the order in which the forward comes to them, each followed by the inits that were asked for before.

import { ApiError } from '../errors.js';
import { defaultInits } from '../nn/architecture.js';
import { LAYERS } from '../nn/layers/table.js';
import { isLazy, materialized } from '../nn/lazy.js';
import type { Module, Parameter } from '../nn/module.js';
import { replaced } from '../nn/paths.js';
import { traceOutputs } from '../nn/trace.js';
import { byteLength } from '../tensor/shape.js';
import type { Draft } from './draft.js';
import { pendingTasks } from './edit-init.js';
import { traceAny, type PlannedInput } from './plans.js';
import { moduleAt, type Preparation } from './state.js';

export interface MaterializeRequest {
  readonly module: string;
  /** What is known of the inputs that the module is given. */
  readonly inputs: (module: Module) => readonly PlannedInput[];
}

/** As the first forward of these inputs does it. Nothing where nothing is lazy. */
export function materialize(request: MaterializeRequest): Preparation {
  return (state, draft) => {
    const { module } = moduleAt(state, request.module);
    if (!isLazy(module)) return undefined;
    const made = successors(module, request.inputs(module));
    const { root, touched } = place(state.structure.root, made, draft);
    return { kind: 'materialize', touched, root };
  };
}

/** What each lazy module becomes, in the order of the forward. Throws ShapeError. */
function successors(module: Module, inputs: readonly PlannedInput[]): ReadonlyMap<Module, Module> {
  const made = new Map<Module, Module>();
  traceAny(inputs, (tracer, values) => {
    made.clear();
    return traceOutputs(tracer, module, values, {
      substitute: (child, x) => {
        const { lazy } = LAYERS[child.type];
        if (!lazy) return child;
        const known = made.get(child) ?? materialized(child, lazy.seen(x.shape));
        made.set(child, known);
        return known;
      },
    });
  });
  return made;
}

/** Draws the parameters of modules that take the places of lazy ones. Throws QuotaError and INIT_INVALID. */
export function place(
  root: Module,
  made: ReadonlyMap<Module, Module>,
  draft: Draft,
): { root: Module; touched: Map<Parameter, null> } {
  const touched = new Map<Parameter, null>();
  const drawn = [...made].map(([lazy, module]) => ({ lazy, module, inits: defaultInits(module) }));
  draft.reserve(
    drawn
      .flatMap(({ inits }) => inits)
      .reduce((sum, { parameter: { shape, dtype } }) => sum + byteLength(shape, dtype), 0),
  );
  let tree = root;
  for (const { lazy, module, inits } of drawn) {
    for (const { parameter, init, zeroRow } of inits) {
      draft.init(draft.replace(parameter), init, zeroRow);
      touched.set(parameter, null);
    }
    const { tasks, faults } = pendingTasks(module, lazy.pending ?? [], draft);
    if (faults.length > 0) throw new ApiError('INIT_INVALID', [], faults);
    for (const task of tasks) task();
    tree = replaced(tree, lazy, module);
  }
  return { root: tree, touched };
}
