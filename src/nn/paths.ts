// Modules and parameters by dotted path, as a client writes it: child names, negative positions, a slice at the end;
// and trees with a module put in, or taken out. Trees are never changed: an edit shares what it leaves alone.

import { wrongChildName } from './children.js';
import { LAYERS } from './layers/table.js';
import { joinPath, type Module, type Parameter } from './module.js';
import { nearest } from './near-miss.js';
import { inputsFault } from './signature.js';
import { excess, TreeSizes, type TreeLimits } from './tree-size.js';

export interface NotFound {
  /** A path like the one that was asked for, which exists. */
  readonly suggestion: string | undefined;
}

/** An edit that cannot be made. */
export interface Refused {
  readonly fault: string;
  /** No module stands where the path leads, or on the way there. */
  readonly missing?: true;
}

/**
 * The module at a path, and the path by names alone (`-1` of three children is `2`). A child's name comes before any
 * other meaning. The last component may be a slice (`1:3`), as in `net[1:3]`: a new container of the same type, with
 * the same children; a Sequential's keep their names.
 */
export function findModule(root: Module, path: string): { path: string; module: Module } | NotFound {
  let [module, walked] = [root, ''];
  const names = path === '' ? [] : path.split('.');
  for (const [at, written] of names.entries()) {
    const name = childName(module, written);
    if (name === undefined) {
      const slice = at === names.length - 1 ? sliceOf(module, written) : undefined;
      return slice
        ? { path: joinPath(walked, written), module: slice }
        : notFound({ module, walked }, names.slice(at));
    }
    module = module.children.get(name)!;
    walked = joinPath(walked, name);
  }
  return { path: walked, module };
}

/** The parameter or buffer at a path (`-1.weight`), and its path by names alone. One that is absent is not found. */
export function findParameter(root: Module, path: string): { path: string; parameter: Parameter } | NotFound {
  const names = path.split('.');
  const name = names.pop()!;
  let [module, walked] = [root, ''];
  for (const [at, written] of names.entries()) {
    const child = childName(module, written);
    if (child === undefined) return notFound({ module, walked }, [...names.slice(at), name]);
    module = module.children.get(child)!;
    walked = joinPath(walked, child);
  }
  const parameter = module.parameters.get(name);
  if (parameter) return { path: joinPath(walked, name), parameter };
  const present = [...module.parameters].filter(([, value]) => value !== null).map(([known]) => known);
  const near = nearby(name, present);
  return { suggestion: near === undefined ? undefined : joinPath(walked, near) };
}

function hasPositions(module: Module): boolean {
  const { container } = LAYERS[module.type];
  return container === 'index' || container === 'index_or_name';
}

/** The name of the child that a component of a path means. */
function childName(module: Module, written: string): string | undefined {
  if (module.children.has(written)) return written;
  if (!hasPositions(module) || !/^-[1-9]\d{0,15}$/.test(written)) return undefined;
  return [...module.children.keys()].at(Number(written));
}

const SLICE = /^(-?\d{1,15})?:(-?\d{1,15})?(?::(-?\d{1,15})?)?$/;

/** `net[start:stop:step]`, by Python's rules. */
function sliceOf(module: Module, written: string): Module | undefined {
  const bounds = SLICE.exec(written)
    ?.slice(1)
    .map((bound) => (bound === undefined ? undefined : Number(bound)));
  if (!bounds || !hasPositions(module)) return undefined;
  const [start, stop, step = 1] = bounds;
  if (step === 0) return undefined;
  const entries = [...module.children];
  const [lowest, highest] = step > 0 ? [0, entries.length] : [-1, entries.length - 1];
  const clamp = (bound: number): number =>
    Math.min(Math.max(bound < 0 ? bound + entries.length : bound, lowest), highest);
  const first = start === undefined ? (step > 0 ? lowest : highest) : clamp(start);
  const last = stop === undefined ? (step > 0 ? highest : lowest) : clamp(stop);
  const chosen: [string, Module][] = [];
  for (let i = first; step > 0 ? i < last : i > last; i += step) chosen.push(entries[i]!);
  const renamed = LAYERS[module.type].container === 'index';
  return {
    ...module,
    children: new Map(chosen.map(([name, child], i) => [renamed ? String(i) : name, child])),
  };
}

/** A number is no slip for another one. */
function nearby(written: string, known: Iterable<string>): string | undefined {
  const isNumber = (name: string): boolean => /^-?\d*$/.test(name);
  return isNumber(written)
    ? undefined
    : nearest(
        written,
        [...known].filter((name) => !isNumber(name)),
      );
}

/** Looks for the nearest name where the path was lost, and whether the rest of the path leads on from there. */
function notFound({ module, walked }: { module: Module; walked: string }, rest: readonly string[]): NotFound {
  const near = nearby(rest[0]!, module.children.keys());
  if (near === undefined) return { suggestion: undefined };
  const child = module.children.get(near);
  const found = joinPath(walked, near);
  if (!child || rest.length === 1) return { suggestion: found };
  const below = rest.slice(1).join('.');
  const exists = 'module' in findModule(child, below) || 'parameter' in findParameter(child, below);
  return { suggestion: exists ? joinPath(found, below) : found };
}

/**
 * `parent[name] = module` for an existing child, `parent.add_module(name, module)` for a new name: one place changes.
 * The parent itself is one module wherever it stands, so all of its places show the change.
 */
export function withModule(
  root: Module,
  path: string,
  module: Module,
  limits?: TreeLimits,
): { root: Module } | Refused {
  if (path === '') return within({ root: module }, limits);
  const place = parentOf(root, path);
  if ('fault' in place) return place;
  const { parent, written } = place;
  const { container } = LAYERS[parent.type];
  if (!container) return { fault: childless(parent) };
  let name = childName(parent, written);
  if (name === undefined) {
    if (parent.wiring) return { fault: UNWIRED };
    if (hasPositions(parent) && /^-\d+$/.test(written)) return { fault: `index ${written} is out of range` };
    if (written.includes(':')) return { fault: 'one module is put in one place: a slice is several' };
    const wrong = wrongChildName(container, written, parent.children.size);
    if (wrong !== undefined) return { fault: wrong };
    name = written;
  }
  const reads = parent.wiring?.nodes.find((node) => node.name === name)?.inputs.length;
  const wrong = reads === undefined ? undefined : inputsFault(module, reads);
  if (wrong !== undefined) return { fault: wrong };
  const children = new Map(parent.children).set(name, module);
  return within({ root: replaced(root, parent, { ...parent, children }) }, limits);
}

/**
 * The tree without the module at a path. Where children are named by their positions they are numbered anew, as after
 * `del net[1]`; other names stay, as after `del net.head`.
 */
export function withoutModule(root: Module, path: string): { root: Module } | Refused {
  if (path === '') return { fault: 'the root cannot be removed' };
  const place = parentOf(root, path);
  if ('fault' in place) return place;
  const { parent, written } = place;
  const name = childName(parent, written);
  if (name === undefined) return lost(notFound({ module: parent, walked: place.walked }, [written]));
  if (!LAYERS[parent.type].container) return { fault: childless(parent) };
  if (parent.wiring) return { fault: UNWIRED };
  const kept = [...parent.children].filter(([key]) => key !== name);
  const numbered = hasPositions(parent) && [...parent.children.keys()].every((key, i) => key === String(i));
  const children = new Map(numbered ? kept.map(([, child], i) => [String(i), child]) : kept);
  return { root: replaced(root, parent, { ...parent, children }) };
}

/** Why no child of a module can be put or removed. */
function childless({ type, children }: Module): string {
  return children.size > 0 ? `a ${type} is made of its modules: they stay` : `a ${type} has no children`;
}

const UNWIRED = "a Graph's modules are its nodes: put another Graph in its place";

function parentOf(root: Module, path: string): { parent: Module; written: string; walked: string } | Refused {
  const dot = path.lastIndexOf('.');
  const names = dot < 0 ? [] : path.slice(0, dot).split('.');
  let [parent, walked] = [root, ''];
  for (const [at, written] of names.entries()) {
    const name = childName(parent, written);
    if (name === undefined) return lost(notFound({ module: parent, walked }, names.slice(at)));
    parent = parent.children.get(name)!;
    walked = joinPath(walked, name);
  }
  return { parent, written: path.slice(dot + 1), walked };
}

function lost({ suggestion }: NotFound): Refused {
  const hint = suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`;
  return { fault: `no module stands there${hint}`, missing: true };
}

function within(edited: { root: Module }, limits: TreeLimits | undefined): { root: Module } | Refused {
  const fault = limits && excess(new TreeSizes().of(edited.root), limits);
  return fault === undefined ? edited : { fault };
}

/** The tree with one module exchanged wherever it stands; modules that stood at several places still do. */
export function replaced(root: Module, old: Module, by: Module): Module {
  const rebuilt = new Map<Module, Module>([[old, by]]);
  const visit = (module: Module): Module => {
    const known = rebuilt.get(module);
    if (known) return known;
    const children = new Map([...module.children].map(([name, child]) => [name, visit(child)]));
    const changed = [...children].some(([name, child]) => child !== module.children.get(name));
    const result = changed ? { ...module, children } : module;
    rebuilt.set(module, result);
    return result;
  };
  return visit(root);
}
