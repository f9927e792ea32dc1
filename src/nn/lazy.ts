// Modules whose parameters have no shape yet: what they will have, and the modules that they become. A tree is never
// changed: the module that a lazy one becomes is another, with other parameters.

import { ShapeError } from '../graph/op.js';
import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { InitSpec } from './init/spec.js';
import { LAYERS, type LayerType } from './layers/table.js';
import { makeModule } from './make-module.js';
import { joinPath, type Module, type Named, type Parameter } from './module.js';
import { checkOptions } from './options.js';

/** An init that is done once its parameters are there, after their own. */
export interface PendingInit {
  /** Names of the module's parameters; absent: all that are no buffers. */
  readonly parameters?: readonly string[];
  readonly init: InitSpec;
}

/** A parameter or buffer without a shape. */
export interface Uninitialized {
  readonly kind: Parameter['kind'];
  readonly dtype: DType;
  /** With an assumed extent: as many dimensions as it will have. */
  readonly assumed: Shape;
}

/** The parameters that a module will have; none where it has them. */
export function uninitialized({ type, options }: Module): Named<Uninitialized>[] {
  const { lazy } = LAYERS[type];
  if (!lazy) return [];
  const full = { [lazy.option]: lazy.assumed(options), ...options };
  const definitions = LAYERS[lazy.becomes as LayerType].parameters!(full);
  return (['parameter', 'buffer'] as const).flatMap((kind) =>
    definitions.flatMap(({ name, kind: own, shape, dtype = 'float32' }) =>
      shape && own === kind ? [{ path: name, value: { kind, dtype, assumed: shape } }] : [],
    ),
  );
}

/** Every name of a tree's parameters and buffers in state_dict's order, those without a shape among them. */
export function everyEntry(root: Module, prefix = ''): Named<Parameter | Uninitialized>[] {
  const found: Named<Parameter | Uninitialized>[] = [];
  const visit = (module: Module, path: string): void => {
    for (const kind of ['parameter', 'buffer'] as const) {
      for (const [name, parameter] of module.parameters) {
        if (parameter?.kind === kind) found.push({ path: joinPath(path, name), value: parameter });
      }
    }
    for (const { path: name, value } of uninitialized(module))
      found.push({ path: joinPath(path, name), value });
    for (const [name, child] of module.children) visit(child, joinPath(path, name));
  };
  visit(root, prefix);
  return found;
}

const known = new WeakMap<Module, boolean>();

/** Whether a module in the tree is yet to become another. */
export function isLazy(root: Module): boolean {
  let lazy = known.get(root);
  if (lazy === undefined) {
    lazy = LAYERS[root.type].lazy !== undefined || [...root.children.values()].some(isLazy);
    known.set(root, lazy);
  }
  return lazy;
}

/** What a lazy module becomes with its extent. Throws ShapeError where such a module cannot be. */
export function materialized({ type, options }: Module, extent: number): Module {
  const lazy = LAYERS[type].lazy!;
  const becomes = lazy.becomes as LayerType;
  const definition = LAYERS[becomes];
  const given = new Map<string, unknown>([[lazy.option, extent], ...Object.entries(options)]);
  const { options: full, faults } = checkOptions({ type: becomes, definition }, given, becomes);
  if (faults[0]) throw new ShapeError(faults[0].message);
  return makeModule(becomes, full);
}
