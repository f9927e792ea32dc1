// A container's children as an architecture lists them, and what they may be called: PyTorch's rules and words.

import type { LayerDefinition } from './layer.js';
import { LAYERS, type LayerType } from './layers/table.js';
import { pathKey, PythonFloat, shown } from './options.js';

/** Longer ones are no names, and a tree's paths are as long as its names together. */
const MAX_NAME = 255;

/** What is wrong with a name for the child at `position` of a container; undefined: nothing. */
export function wrongChildName(
  container: NonNullable<LayerDefinition['container']>,
  name: string,
  position: number,
): string | undefined {
  if (name === '') return 'module name can\'t be empty string ""';
  if (name.includes('.')) return `module name can't contain ".", got: ${shown(name)}`;
  if (name.length > MAX_NAME) return `a module name has at most ${MAX_NAME} characters`;
  if (container === 'index' && name !== String(position)) {
    return `a ModuleList names its children by position: "${position}"`;
  }
  return undefined;
}

export interface ListedChild {
  readonly name: string;
  /** Where it is in the document. */
  readonly at: string;
  readonly json: unknown;
}

const NUMBERED =
  'a number is no name here, as JSON objects do not keep its place in the order: give a list, [{"name": ..., ...}]';

type Report = (path: string, message: string) => void;

/** The children of a node: a list (named by position unless one has a `name`), or for a ModuleDict an object by name. */
export function listChildren(json: unknown, type: LayerType, at: string, report: Report): ListedChild[] {
  const naming = LAYERS[type].container!;
  if (json === undefined) return [];
  if (Array.isArray(json)) return listed(json, { type, naming }, at, report);
  if (naming === 'name' && isObject(json)) return keyed(json, at, report);
  const wanted =
    naming === 'name' ? 'a list of modules with names, or an object of modules' : 'a list of modules';
  report(at, `must be ${wanted}, got ${shown(json)}`);
  return [];
}

interface Naming {
  readonly type: LayerType;
  readonly naming: NonNullable<LayerDefinition['container']>;
}

function listed(
  json: readonly unknown[],
  { type, naming }: Naming,
  at: string,
  report: Report,
): ListedChild[] {
  const taken = new Set<string>();
  return json.map((child, position) => {
    const childAt = `${at}[${position}]`;
    const given = isObject(child) && Object.hasOwn(child, 'name') ? child.name : undefined;
    const name = typeof given === 'string' ? given : String(position);
    if (given === undefined) {
      if (naming === 'name' && isObject(child)) report(childAt, `needs a name, as every child of a ${type}`);
    } else if (typeof given !== 'string') {
      report(`${childAt}.name`, `must be a string, got ${shown(given)}`);
    }
    const wrong = wrongChildName(naming, name, position);
    const message = wrong ?? (taken.has(name) ? `there are two children named ${shown(name)}` : undefined);
    if (message !== undefined) report(given === undefined ? childAt : `${childAt}.name`, message);
    taken.add(name);
    return { name, at: childAt, json: child };
  });
}

function keyed(json: Readonly<Record<string, unknown>>, at: string, report: Report): ListedChild[] {
  const entries = Object.entries(json);
  return entries.map(([name, child]) => {
    const childAt = `${at}${pathKey(name)}`;
    if (entries.length > 1 && reordered(name)) report(childAt, NUMBERED);
    if (isObject(child) && Object.hasOwn(child, 'name'))
      report(`${childAt}.name`, 'is named by its key already');
    const wrong = wrongChildName('name', name, 0);
    if (wrong !== undefined) report(childAt, wrong);
    return { name, at: childAt, json: child };
  });
}

/** Whether a key, once JSON is read, comes before others that were written before it: numbers do, in ascending order. */
export function reordered(key: string): boolean {
  return /^(0|[1-9]\d*)$/.test(key);
}

/** A JSON object. */
export function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof PythonFloat);
}
