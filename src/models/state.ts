// What a live model consists of, and how its parts are found by a client's path. No part of it is changed here.

import { ApiError } from '../errors.js';
import { uninitialized, type Uninitialized } from '../nn/lazy.js';
import { joinPath, type Module, type Named, type Parameter } from '../nn/module.js';
import type { LbfgsState } from '../nn/optim/lbfgs.js';
import type { ParameterGroup } from '../nn/optim/spec.js';
import type { OptimizerName } from '../nn/optim/table.js';
import { findModule, findParameter } from '../nn/paths.js';
import type { Draft } from './draft.js';
import type { ChangeKind } from './change-log.js';
import type { Companion, Storage } from './companion.js';
import type { Structure } from './structure.js';
import type { Tensors } from './tensors.js';

export interface ModelState {
  readonly name: string;
  readonly structure: Structure;
  readonly tensors: Tensors;
  /** What trained it last; its state stands beside the parameters. */
  readonly optimizer?: OptimizerState | undefined;
  readonly limits: { readonly maxModules: number; readonly maxDepth: number };
}

/** An optimizer's name and groups; its tensors are companions of the parameters. */
export interface OptimizerState {
  readonly name: OptimizerName;
  readonly groups: readonly ParameterGroup[];
  /** Of LBFGS: what it keeps besides tensors. Those are companions of its first parameter. */
  readonly lbfgs?: LbfgsState;
}

/** What a change does once its draft has run; it becomes visible all at once. */
export interface Outcome {
  readonly kind: ChangeKind;
  /** The storages whose values change, with the slice that does (null: all of it). */
  readonly touched: ReadonlyMap<Storage, string | null>;
  /** Those that have no values from now on. */
  readonly cleared?: readonly Companion[];
  readonly requiresGrad?: ReadonlyMap<Parameter, boolean>;
  /** Where a module was put or removed. */
  readonly module?: string;
  /** The tree from now on. */
  readonly root?: Module;
  /** What trained it. */
  readonly optimizer?: OptimizerState;
  /** What the answer says besides epoch, revision and the touched parameters. */
  readonly answer?: Readonly<Record<string, unknown>>;
}

/** Prepares a change: checks it against the state, and fills the draft. Throws ApiError; undefined: there is nothing to do. */
export type Preparation = (
  state: ModelState,
  draft: Draft,
) => Outcome | undefined | Promise<Outcome | undefined>;

/** The module at a path; throws MODULE_NOT_FOUND. */
export function moduleAt(state: ModelState, path: string): { path: string; module: Module } {
  const found = findModule(state.structure.root, path);
  if (!('module' in found))
    throw new ApiError('MODULE_NOT_FOUND', [quoted(path)], suggestion(path, found.suggestion));
  return found;
}

/** The parameter or buffer at a path; throws PARAMETER_NOT_FOUND. */
export function parameterAt(state: ModelState, path: string): { path: string; parameter: Parameter } {
  const found = findParameter(state.structure.root, path);
  if (!('parameter' in found)) {
    const lazy = uninitializedAt(state, path);
    if (lazy) throw new ApiError('UNINITIALIZED', [quoted(lazy.path)]);
    throw new ApiError('PARAMETER_NOT_FOUND', [quoted(path)], suggestion(path, found.suggestion));
  }
  return found;
}

/** The parameter or buffer at a path, where it has no shape yet. */
export function uninitializedAt({ structure }: ModelState, path: string): Named<Uninitialized> | undefined {
  if (!structure.lazy) return undefined;
  const dot = path.lastIndexOf('.');
  const owner = findModule(structure.root, path.slice(0, Math.max(dot, 0)));
  if (!('module' in owner)) return undefined;
  const found = uninitialized(owner.module).find(({ path: name }) => name === path.slice(dot + 1));
  return found && { path: joinPath(owner.path, found.path), value: found.value };
}

function suggestion(path: string, nearest: string | undefined) {
  return nearest === undefined ? undefined : [{ path, message: `did you mean ${quoted(nearest)}?` }];
}

export function quoted(path: string): string {
  return JSON.stringify(path);
}
