// From a constructor's call to a node of the JSON architecture: which argument is which option, which are children.
// The options' values are not judged here: readArchitecture does that.

import { didYouMean } from '../near-miss.js';
import { LAYERS, type LayerType } from '../layers/table.js';
import type { OptionValue } from '../options.js';
import { clipped, type Faults } from './faults.js';
import { optionOf, type Pair, type Value } from './value.js';

/** `{type, ...options, children: [{..., name?}]}` or `{shared: name}`. */
export type ArchitectureNode = Readonly<Record<string, unknown>>;

export interface Argument {
  readonly at: number;
  readonly keyword?: string;
  readonly value: Value;
}

export interface Child {
  readonly at: number;
  readonly name: string;
  readonly value: Value;
}

/** Deeper than any network that people write down; it bounds every recursion over what was read. */
export const MAX_DEPTH = 64;

/** Where a layer lives does not change what runs here; only what every layer has anyway is taken. */
const PLACEMENT = new Map<string, readonly unknown[]>([
  ['device', [null, 'cpu']],
  ['dtype', [null, 'float32']],
]);

/** Options that PyTorch's constructor takes by keyword alone. */
const KEYWORD_ONLY = new Map<string, string>([
  ...['BatchNorm', 'InstanceNorm', 'LazyBatchNorm'].flatMap((name) =>
    [1, 2, 3].map((d) => [`${name}${d}d`, 'bias'] as const),
  ),
  ['GroupNorm', 'bias'],
]);

export function isLayerType(name: string): name is LayerType {
  return Object.hasOwn(LAYERS, name);
}

export function isContainer(type: LayerType): boolean {
  return LAYERS[type].container !== undefined;
}

/** What to say of a layer that has no notation: neither its call nor its print. */
export function onlyJson(type: LayerType): string {
  return `a ${type} is not read from a text: give its architecture as JSON`;
}

/** What to say of a name that is no layer. */
export function unknownLayer(name: string): string {
  const short = clipped(name);
  return `there is no layer ${short}${didYouMean(short.slice(short.lastIndexOf('.') + 1), Object.keys(LAYERS))}`;
}

/** The module that `type(...args)` makes. */
export function construct(type: LayerType, at: number, args: readonly Argument[], faults: Faults): Value {
  if (LAYERS[type].wired) {
    faults.add(at, onlyJson(type));
    return { is: 'fault', at };
  }
  if (!isContainer(type)) return assemble(type, at, args, undefined, faults);
  const positional = args.filter(({ keyword }) => keyword === undefined).map(({ value }) => value);
  const keywords = args.filter(({ keyword }) => keyword !== undefined);
  const children = (CHILDREN.get(type) ?? listed)(type, positional, faults);
  return assemble(type, at, keywords, children, faults);
}

/** The module of a type, its options and, for a container, its children. */
export function assemble(
  type: LayerType,
  at: number,
  args: readonly Argument[],
  children: readonly Child[] | undefined,
  faults: Faults,
): Value {
  const { options, depth: deepest } = optionEntries(type, args, faults);
  let depth = deepest;
  if (children === undefined) {
    if (depth <= MAX_DEPTH) {
      return { is: 'module', at, node: Object.fromEntries([['type', type], ...options]), depth };
    }
    faults.add(at, `modules are nested deeper than ${MAX_DEPTH}`);
    return { is: 'fault', at };
  }
  const nodes: ArchitectureNode[] = [];
  const seen = new Set<string>();
  for (const [index, { at: childAt, name, value }] of children.entries()) {
    if (seen.has(name)) faults.add(childAt, `there are two children named ${JSON.stringify(clipped(name))}`);
    seen.add(name);
    if (value.is !== 'module') {
      if (value.is !== 'fault') faults.add(value.at, `${type} takes modules, this is ${kindOf(value)}`);
      continue;
    }
    depth = Math.max(depth, value.depth + 1);
    nodes.push(type !== 'ModuleDict' && name === String(index) ? value.node : { ...value.node, name });
  }
  if (depth > MAX_DEPTH) {
    faults.add(at, `modules are nested deeper than ${MAX_DEPTH}`);
    return { is: 'fault', at };
  }
  return {
    is: 'module',
    at,
    node: Object.fromEntries([['type', type], ...options, ['children', nodes]]),
    depth,
  };
}

interface OptionEntries {
  readonly options: readonly [string, unknown][];
  /** Of the module, with those among its arguments. */
  readonly depth: number;
}

function optionEntries(type: LayerType, args: readonly Argument[], faults: Faults): OptionEntries {
  const { lazy } = LAYERS[type];
  if (lazy) return optionEntriesOf(type, withoutExtent(lazy.option, args), faults);
  return optionEntriesOf(type, args, faults);
}

/** What a lazy layer prints first is the extent that it has not, as 0. */
function withoutExtent(option: string, args: readonly Argument[]): readonly Argument[] {
  const [first, ...others] = args;
  const zero = first?.value.is === 'constant' && first.value.value === 0;
  return zero && (first.keyword ?? option) === option ? others : args;
}

function optionEntriesOf(type: LayerType, args: readonly Argument[], faults: Faults): OptionEntries {
  if (type === 'Identity') return { options: [], depth: 1 }; // takes anything and keeps nothing, as torch.nn.Identity does
  const names = LAYERS[type].options.map(({ name }) => name);
  const positions = positionsOf(type, names);
  const given = new Map<string, unknown>();
  let position = 0;
  let depth = 1;
  for (const { at, keyword, value } of args) {
    let name = keyword;
    if (name === undefined) {
      name = positions[position++];
      if (name === undefined) {
        if (position === positions.length + 1) faults.add(at, tooMany(type, positions, args));
        continue;
      }
    }
    if (given.has(name)) {
      faults.add(at, `${type} is given ${name} twice`);
      continue;
    }
    const placement = names.includes(name) ? undefined : PLACEMENT.get(name);
    if (!names.includes(name) && placement === undefined) {
      faults.add(at, `unknown option of ${type}: ${clipped(name)}${didYouMean(clipped(name), names)}`);
      continue;
    }
    if (value.is === 'fault') continue;
    const taken = LAYERS[type].options.find((option) => option.name === name);
    if (taken?.kind === 'module' && !(taken.nullable && isNone(value))) {
      if (value.is === 'module') {
        given.set(name, value.node);
        // Copies stand in a list.
        depth = Math.max(depth, value.depth + (taken.copies ? 2 : 1));
      } else faults.add(value.at, `${name} of ${type} is a module, this is ${kindOf(value)}`);
      continue;
    }
    const option = optionOf(value);
    if (option === undefined) faults.add(value.at, `${name} of ${type} is ${kindOf(value)}, not a constant`);
    else if (placement === undefined) given.set(name, name === 'bias' ? truth(option) : option);
    else if (!placement.includes(option))
      faults.add(value.at, `${name} can only be ${String(placement.at(-1))} here`);
  }
  return { options: [...given], depth };
}

function isNone(value: Value): boolean {
  return value.is === 'constant' && value.value === null;
}

/** What has one of these has parameters, and takes their placement last. */
const PLACED = ['parameters', 'parts', 'lazy'] as const;

/** Names of the arguments that are taken by position. Embedding's placement stands behind weights, which are not,
 * and so does more of EmbeddingBag. */
function positionsOf(type: LayerType, names: readonly string[]): string[] {
  if (type === 'EmbeddingBag') return names.slice(0, names.indexOf('include_last_offset'));
  const placed = PLACED.some((kind) => LAYERS[type][kind] !== undefined) && type !== 'Embedding';
  const own = names.filter((name) => KEYWORD_ONLY.get(type) !== name);
  return placed ? [...own, ...PLACEMENT.keys()] : own;
}

/** PyTorch's layers only ask whether their bias is true, and keep no other trace of it. */
function truth(value: OptionValue): OptionValue {
  return value === 0 || value === 1 || value === null ? Boolean(value) : value;
}

function tooMany(type: LayerType, positions: readonly string[], args: readonly Argument[]): string {
  const count = args.filter(({ keyword }) => keyword === undefined).length;
  const takes =
    positions.length === 0 ? 'no arguments' : `at most ${positions.length} (${positions.join(', ')})`;
  return `${type} takes ${takes} by position, ${count} are given`;
}

type ReadChildren = (type: LayerType, positional: readonly Value[], faults: Faults) => Child[];

/** One by one, or by name in an OrderedDict. */
const chained: ReadChildren = (type, positional, faults) => {
  const [only, ...more] = positional;
  if (only?.is !== 'dict' || more.length > 0) return listed(type, positional, faults);
  if (!only.ordered) faults.add(only.at, `${type} takes an OrderedDict, this is a dict`);
  return keyed(type, only.pairs, faults);
};

const CHILDREN = new Map<string, ReadChildren>([
  ['Sequential', chained],
  ['Residual', chained],
  ['Parallel', chained],
  [
    'ModuleList',
    (type, positional, faults) => {
      const [only, ...more] = positional;
      if (only === undefined || only.is === 'fault') return [];
      if (only.is === 'sequence' && more.length === 0) return listed(type, only.items, faults);
      faults.add(only.at, 'ModuleList takes one list of modules: ModuleList([...])');
      return [];
    },
  ],
  [
    'ModuleDict',
    (type, positional, faults) => {
      const [only, ...more] = positional;
      if (only === undefined || only.is === 'fault') return [];
      const pairs = more.length === 0 ? pairsOf(only) : undefined;
      if (pairs !== undefined) return keyed(type, pairs, faults);
      faults.add(
        only.at,
        'ModuleDict takes one dict, or one list of pairs: ModuleDict({"name": module, ...})',
      );
      return [];
    },
  ],
]);

function listed(type: LayerType, items: readonly Value[], faults: Faults): Child[] {
  const [only] = items;
  if (items.length === 1 && only?.is === 'sequence' && type !== 'ModuleList') {
    faults.add(only.at, `${type} takes modules one by one: ${type}(*[...])`);
    return [];
  }
  return items.map((value, index) => ({ at: value.at, name: String(index), value }));
}

function keyed(type: LayerType, pairs: readonly Pair[], faults: Faults): Child[] {
  const children: Child[] = [];
  for (const { key, value } of pairs) {
    if (key.is === 'constant' && typeof key.value === 'string')
      children.push({ at: key.at, name: key.value, value });
    else if (key.is !== 'fault') faults.add(key.at, `a name in ${type} is a string, this is ${kindOf(key)}`);
  }
  return children;
}

/** The pairs of a dict or of a sequence of pairs. */
export function pairsOf(value: Value): readonly Pair[] | undefined {
  if (value.is === 'dict') return value.pairs;
  if (value.is !== 'sequence') return undefined;
  const pairs: Pair[] = [];
  for (const item of value.items) {
    const [key, of, ...more] = item.is === 'sequence' ? item.items : [];
    if (key === undefined || of === undefined || more.length > 0) return undefined;
    pairs.push({ key, value: of });
  }
  return pairs;
}

function kindOf(value: Value): string {
  if (value.is === 'sequence') return 'a list';
  if (value.is === 'dict') return 'a dict';
  if (value.is === 'module') return 'a module';
  if (value.is === 'fault' || value.value === null) return 'None';
  if (typeof value.value === 'string') return 'a string';
  return typeof value.value === 'boolean' ? 'a bool' : 'a number';
}
