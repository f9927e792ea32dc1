// Changes of the tree: modules that are put and removed, storages that are tied and separated.

import { ApiError, type Fault } from '../errors.js';
import { readArchitecture, type ReadArchitecture, type TreeLimits } from '../nn/architecture.js';
import type { Module, Parameter } from '../nn/module.js';
import { everyName } from '../nn/module.js';
import type { Placed } from '../runtime/protocol.js';
import { parseNotation } from '../nn/notation/parse.js';
import { findModule, replaced, withModule, withoutModule, type Refused } from '../nn/paths.js';
import { byteLength, sameShape } from '../tensor/shape.js';
import type { Draft } from './draft.js';
import { Complaints } from './complaints.js';
import { parameterAt, quoted, type ModelState, type Preparation } from './state.js';

/** A tree as the client describes it. */
export interface Built extends ReadArchitecture {
  /** As JSON, also where the client wrote PyTorch notation. */
  readonly architecture: unknown;
}

/** Reads JSON or PyTorch notation; throws ARCHITECTURE_INVALID with everything that is wrong. */
export function readTree(given: unknown, limits: TreeLimits): Built {
  let architecture = given;
  if (typeof given === 'string') {
    const parsed = parseNotation(given, limits);
    if ('faults' in parsed) throw new ApiError('ARCHITECTURE_INVALID', [], parsed.faults);
    architecture = parsed.architecture;
  }
  const read = readArchitecture(architecture, limits);
  if ('faults' in read) throw new ApiError('ARCHITECTURE_INVALID', [], read.faults);
  return { ...read, architecture };
}

/**
 * Draws a new tree's parameters in PyTorch's order of construction. Sizes are summed before anything is taken:
 * throws QuotaError. Those that a tie has replaced are drawn too, as the generator moves on for them. `seed`: the
 * generator begins there.
 */
export function drawTree(
  { root, drawn }: ReadArchitecture,
  draft: Draft,
  seed?: number,
): ReadonlyMap<Parameter, null> {
  draft.reserve(drawn.reduce((sum, { parameter }) => sum + byteLength(parameter.shape, parameter.dtype), 0));
  if (seed !== undefined) draft.seed(seed);
  const kept = new Set(everyName(root).map(({ value }) => value));
  const touched = new Map<Parameter, null>();
  const targets = new Map<Parameter, Placed>();
  for (const { parameter, init, zeroRow, copyOf } of drawn) {
    const known = targets.get(parameter);
    const target = known ?? (kept.has(parameter) ? draft.replace(parameter) : draft.scratch(parameter));
    targets.set(parameter, target);
    if (kept.has(parameter)) touched.set(parameter, null);
    if (copyOf) draft.copy(targets.get(copyOf)!.address, target);
    else draft.init(target, init, zeroRow);
  }
  return touched;
}

/** Puts a subtree at a path: a new child at the end, or another one in its place. */
export function putModule(path: string, architecture: unknown): Preparation {
  return (state, draft) => {
    const built = readTree(architecture, state.limits);
    const edited = withModule(state.structure.root, path, built.root, state.limits);
    if (!('root' in edited)) throw refusal(path, edited);
    return {
      kind: 'put_module',
      module: canonical(state, path),
      touched: drawTree(built, draft),
      root: edited.root,
    };
  };
}

export function removeModule(path: string): Preparation {
  return (state) => {
    const edited = withoutModule(state.structure.root, path);
    if (!('root' in edited)) throw refusal(path, edited);
    return { kind: 'remove_module', module: canonical(state, path), touched: new Map(), root: edited.root };
  };
}

function refusal(path: string, { fault, missing }: Refused): ApiError {
  const faults = [{ path, message: fault }];
  return missing
    ? new ApiError('MODULE_NOT_FOUND', [quoted(path)], faults)
    : new ApiError('MODULE_INVALID', [], faults);
}

/** A path by names alone, where something stands there (`-1` is `2`). */
function canonical({ structure }: ModelState, path: string): string {
  const found = findModule(structure.root, path);
  return 'module' in found ? found.path : path;
}

/** `b.weight = a.weight`: every path leads to the first one's storage. */
export function tie(paths: readonly string[]): Preparation {
  return (state) => {
    const [first, ...others] = placesOf(state, paths) as [Place, ...Place[]];
    const faults: Fault[] = [];
    others.forEach(({ path, parameter }, i) => {
      const same = sameShape(parameter.shape, first.parameter.shape);
      if (same && parameter.kind === first.parameter.kind && parameter.dtype === first.parameter.dtype)
        return;
      const shape = (place: Place): string => `${quoted(place.path)} is a ${describe(place.parameter)}`;
      faults.push({ path: `paths[${i + 1}]`, message: `${shape({ path, parameter })}, ${shape(first)}` });
    });
    if (faults.length > 0) throw new ApiError('TIE_INVALID', [], faults);
    const moved = others.filter(({ parameter }) => parameter !== first.parameter);
    if (moved.length === 0) return undefined;
    let { root } = state.structure;
    for (const { path } of moved) root = assignParameter(root, path, first.parameter);
    return { kind: 'tie', touched: new Map([[first.parameter, null]]), root };
  };
}

/**
 * Gives each path a storage of its own, with the values of now. Where every name of a storage is listed, the first
 * keeps it. A module that stands at several places becomes several modules along the path.
 */
export function untie(paths: readonly string[]): Preparation {
  return (state, draft) => {
    const names = new Map<Parameter, Set<string>>();
    for (const found of placesOf(state, paths)) {
      names.set(found.parameter, (names.get(found.parameter) ?? new Set()).add(found.path));
    }
    let { root } = state.structure;
    const touched = new Map<Parameter, null>();
    const requiresGrad = new Map<Parameter, boolean>();
    for (const [parameter, listed] of names) {
      const all = state.structure.namesOf.get(parameter)!;
      const leaving = [...listed].slice(listed.size === all.length ? 1 : 0);
      for (const path of leaving) {
        const own: Parameter = { ...parameter };
        root = separateParameter(root, path, own);
        draft.modify(own, parameter);
        touched.set(own, null);
        requiresGrad.set(own, state.tensors.get(parameter).requiresGrad);
      }
    }
    return touched.size === 0 ? undefined : { kind: 'untie', touched, requiresGrad, root };
  };
}

interface Place {
  readonly path: string;
  readonly parameter: Parameter;
}

/** The parameters at some paths; throws with all of the paths that lead to none. */
function placesOf(state: ModelState, paths: readonly string[]): Place[] {
  const complaints = new Complaints();
  const places = paths.map((path, i) =>
    complaints.attempt(() => parameterAt(state, path), { at: `paths[${i}]`, values: [quoted(path)] }),
  );
  complaints.throwIfAny('TIE_INVALID');
  return places as Place[];
}

function describe({ kind, shape, dtype }: Parameter): string {
  return `${kind} of ${dtype} [${shape.join(', ')}]`;
}

/** `net[4].weight = parameter`: the module changes wherever it stands, and stays one module. */
function assignParameter(root: Module, path: string, parameter: Parameter): Module {
  const names = path.split('.');
  const name = names.pop()!;
  const owner = names.reduce((module, child) => module.children.get(child)!, root);
  return replaced(root, owner, { ...owner, parameters: new Map(owner.parameters).set(name, parameter) });
}

/** One path leads to a storage of its own: the modules along it become new ones, all others stay the same. */
function separateParameter(root: Module, path: string, parameter: Parameter): Module {
  const [name, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) return { ...root, parameters: new Map(root.parameters).set(name, parameter) };
  const child = separateParameter(root.children.get(name)!, rest.join('.'), parameter);
  return { ...root, children: new Map(root.children).set(name, child) };
}
