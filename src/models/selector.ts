// Which parameters or modules a client means: by exact path or glob, by type, by requires_grad; and a page of many.

import { ApiError, type Fault } from '../errors.js';
import { didYouMean } from '../nearest.js';
import { LAYERS, layerType } from '../nn/layers/table.js';
import { everyName, type Module, type Named, type Parameter } from '../nn/module.js';
import { MAX_PATTERN, nearestPath, PathPattern } from '../nn/path-pattern.js';
import { findModule } from '../nn/paths.js';
import { parameterAt, quoted, type ModelState } from './state.js';

/** What is not said is not asked. */
export interface Where {
  readonly path?: string | undefined;
  /** Of parameters: that of the module whose they are. */
  readonly type?: string | undefined;
  readonly requires_grad?: boolean | undefined;
}

export interface Page {
  readonly limit: number;
  /** The path that the page before ended with. */
  readonly cursor?: string | undefined;
}

/** Throws INVALID_REQUEST; `at`: where the selector stands. */
export function testOf(
  where: Where,
  at: string,
): (name: string, module: Module, requiresGrad?: boolean) => boolean {
  const faults: Fault[] = [];
  const { path, type, requires_grad: trained } = where;
  const of = type === undefined ? undefined : layerType(type);
  if (type !== undefined && of === undefined) {
    faults.push({ path: `${at}type`, message: `unknown type${didYouMean(type, Object.keys(LAYERS))}` });
  }
  if (path !== undefined && path.length > MAX_PATTERN) {
    faults.push({ path: `${at}path`, message: `must have at most ${MAX_PATTERN} characters` });
  }
  if (faults.length > 0) throw new ApiError('INVALID_REQUEST', [], faults);
  const pattern = path === undefined ? undefined : new PathPattern(path);
  return (name, module, requiresGrad) =>
    (!pattern || pattern.matches(name)) &&
    (of === undefined || module.type === of) &&
    (trained === undefined || requiresGrad === trained);
}

/** Of entries in order, those behind the cursor, `limit` at most. Throws INVALID_REQUEST for a cursor that is none of them. */
export function pageOf<T extends { readonly path: string }>(
  entries: readonly T[],
  { limit, cursor }: Page,
): { page: readonly T[]; next: string | null } {
  const from = cursor === undefined ? 0 : entries.findIndex(({ path }) => path === cursor) + 1;
  if (cursor !== undefined && from === 0) {
    const message = 'is not the next_cursor of a page of this list';
    throw new ApiError('INVALID_REQUEST', [], [{ path: 'query.cursor', message }]);
  }
  const page = entries.slice(from, from + limit);
  return { page, next: from + limit < entries.length ? page.at(-1)!.path : null };
}

/**
 * The storages of a key, which is a path or a glob, each by the first of its names that matches: parameters, or buffers
 * where it is no parameter's. Throws PARAMETER_NOT_FOUND where there is none, and INVALID_REQUEST.
 */
export function chosenBy(
  state: ModelState,
  key: string,
  where: Omit<Where, 'path'> | undefined,
  at: string,
): readonly Named<Parameter>[] {
  if (!key.includes('*') && where === undefined) {
    const { path, parameter } = parameterAt(state, key);
    return [{ path, value: parameter }];
  }
  const test = testOf({ path: key, ...where }, at);
  const all = everyName(state.structure.root);
  const seen = new Set<Parameter>();
  const matching = all.filter(({ path, value }) => {
    const { requiresGrad } = state.tensors.get(value);
    if (seen.has(value) || !test(path, ownerOf(state, path), requiresGrad)) return false;
    seen.add(value);
    return true;
  });
  const parameters = matching.filter(({ value }) => value.kind === 'parameter');
  const chosen = parameters.length > 0 ? parameters : matching;
  if (chosen.length > 0) return chosen;
  const near = nearestPath(
    new PathPattern(key),
    all.map(({ path }) => path),
  );
  const hint = near === undefined ? undefined : [{ path: key, message: `did you mean ${quoted(near)}?` }];
  throw new ApiError('PARAMETER_NOT_FOUND', [quoted(key)], hint);
}

/** The module that has a parameter by this name. */
export function ownerOf({ structure }: ModelState, path: string): Module {
  const found = findModule(structure.root, path.slice(0, Math.max(path.lastIndexOf('.'), 0)));
  if (!('module' in found)) throw new Error(`no module has ${path}`);
  return found.module;
}

/** Throws INVALID_REQUEST where another number was expected. */
export function requireCount(expected: number | undefined, count: number): void {
  if (expected === undefined || expected === count) return;
  const message = `is ${expected}, but ${count} are chosen`;
  throw new ApiError('INVALID_REQUEST', [], [{ path: 'expect_count', message }]);
}
