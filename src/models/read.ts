// What a model tells of itself: the bodies of its answers. Values are copied out in one piece or held, so that an
// answer which is still being written never shows a later change; whoever gets held ones lets them go.

import { ApiError } from '../errors.js';
import { optionsAsJson } from '../nn/options.js';
import { featureWarnings } from '../nn/features.js';
import { everyEntry, uninitialized, type Uninitialized } from '../nn/lazy.js';
import { everyName, joinPath, namedModules, type Module, type Parameter } from '../nn/module.js';
import { printModule } from '../nn/notation/print.js';
import { byteLength, numel } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { ChangeLog } from './change-log.js';
import { ownerOf, pageOf, testOf, type Page, type Where } from './selector.js';
import { moduleAt, parameterAt, uninitializedAt, type ModelState } from './state.js';
import type { Structure } from './structure.js';

/** What of a structure never changes, computed when first asked for. */
const summaries = new WeakMap<Structure, ReturnType<typeof summarize>>();

export function summary({ structure }: ModelState) {
  let known = summaries.get(structure);
  if (!known) summaries.set(structure, (known = summarize(structure)));
  return known;
}

function summarize({ root, namesOf }: Structure) {
  const all = [...namesOf.keys()];
  const parameters = all.filter(({ kind }) => kind === 'parameter');
  return {
    repr: printModule(root),
    parameter_count: parameters.reduce((sum, { shape }) => sum + numel(shape), 0),
    bytes: all.reduce((sum, { shape, dtype }) => sum + byteLength(shape, dtype), 0),
    warnings: featureWarnings(root),
  };
}

export function repr(state: ModelState): string {
  return summary(state).repr;
}

/** More than a page has where nobody says how many. */
const ALL = Number.MAX_SAFE_INTEGER;

/** named_modules() of the subtree at `prefix`, as far as they are chosen: a page of them. */
export function modules(
  state: ModelState,
  prefix: string,
  { limit = ALL, cursor, ...where }: Omit<Where, 'requires_grad'> & Partial<Page> = {},
) {
  const { module: root, path } = moduleAt(state, prefix);
  const test = testOf(where, 'query.');
  const chosen = namedModules(root, path).filter(({ value, path: at }) => test(at, value));
  const { page, next } = pageOf(chosen, { limit, cursor });
  return {
    modules: page.map(({ value, path: at }) => describeModule(state, value, at)),
    next_cursor: next,
  };
}

export function module(state: ModelState, path: string) {
  const found = moduleAt(state, path);
  return describeModule(state, found.module, found.path);
}

function describeModule(state: ModelState, module: Module, path: string) {
  const { type, options, parameters: own, children } = module;
  const present = [...own].filter((entry): entry is [string, Parameter] => entry[1] !== null);
  return {
    path,
    type,
    options: optionsAsJson(options),
    parameters: [
      ...present.map(([name, parameter]) => describeParameter(state, parameter, joinPath(path, name))),
      ...uninitialized(module).map(({ path: name, value }) =>
        describeUninitialized(value, joinPath(path, name)),
      ),
    ],
    ...(module.pending && { pending_init: module.pending }),
    children: [...children].map(([name, child]) => ({ name, path: joinPath(path, name), type: child.type })),
    repr: printModule(module),
  };
}

export interface ParametersQuery extends Where, Partial<Page> {
  readonly module: string;
  readonly recurse: boolean;
  readonly kind: 'parameter' | 'buffer' | 'all';
}

/** named_parameters() of a subtree, as far as they are chosen: each storage once, named relative to it; a page of them. */
export function parameters(
  state: ModelState,
  { module: at, recurse, kind, limit = ALL, cursor, ...where }: ParametersQuery,
) {
  const { module: root, path: prefix } = moduleAt(state, at);
  const top = recurse ? root : { ...root, children: new Map() };
  const test = testOf(where, 'query.');
  const owner = (path: string): Module => ownerOf(state, joinPath(prefix, path));
  const names = new Map<Parameter, string[]>();
  for (const { path, value } of everyName(top)) {
    if (kind !== 'all' && value.kind !== kind) continue;
    names.set(value, [...(names.get(value) ?? []), path]);
  }
  const first = new Map([...names].map(([parameter, [path]]) => [path!, parameter]));
  const entries = everyEntry(top).filter(({ path, value }) => {
    const trained = 'assumed' in value ? value.kind === 'parameter' : state.tensors.get(value).requiresGrad;
    const asked = 'assumed' in value ? kind === 'all' || value.kind === kind : first.has(path);
    const own = 'assumed' in value ? [path] : (names.get(value) ?? []);
    return asked && own.some((name) => test(name, owner(name), trained));
  });
  const { page, next } = pageOf(entries, { limit, cursor });
  const listed = page.map(({ path, value }) => {
    if ('assumed' in value) return { parameter: null, described: describeUninitialized(value, path) };
    const [, ...aliases] = names.get(value)!;
    return { parameter: value, described: { ...describeParameter(state, value, path), aliases } };
  });
  return { listed, next_cursor: next };
}

/** Of a lazy module: it has no shape, and no values. */
function describeUninitialized({ kind, dtype }: Uninitialized, path: string) {
  const none = { shape: null, numel: null };
  return {
    path,
    aliases: [],
    kind,
    ...none,
    dtype,
    requires_grad: kind === 'parameter',
    status: 'uninitialized',
  };
}

function describeParameter(state: ModelState, parameter: Parameter, path: string) {
  const { kind, shape, dtype } = parameter;
  return {
    path,
    aliases: state.structure.namesOf.get(parameter)!.filter((name) => name !== path),
    kind,
    shape,
    dtype,
    requires_grad: state.tensors.get(parameter).requiresGrad,
    numel: numel(shape),
  };
}

/** What is known of a parameter besides its numbers; null: it has none yet. */
export function parameter(state: ModelState, path: string) {
  const lazy = uninitializedAt(state, path);
  if (lazy) {
    const known = describeUninitialized(lazy.value, lazy.path);
    return { parameter: null, described: { ...known, is_leaf: true, last_changed: null } };
  }
  const { parameter: found } = parameterAt(state, path);
  const { requiresGrad, lastChanged } = state.tensors.get(found);
  const described = {
    ...describeParameter(state, found, state.structure.identify(found).path),
    is_leaf: true,
    status: 'initialized',
    requires_grad: requiresGrad,
    last_changed: lastChanged,
  };
  return { parameter: found, described };
}

/** What stands for the values of a lazy parameter. */
interface UninitializedEntry {
  readonly status: 'uninitialized';
  readonly dtype: string;
  readonly shape: null;
}

/** Every name with its values; names of one storage each have them. */
export function stateDict(state: ModelState, at: string): Record<string, TensorValue | UninitializedEntry> {
  const { module: root } = moduleAt(state, at);
  const copies = new Map<Parameter, TensorValue>();
  const entries = everyEntry(root).map(({ path, value }): [string, TensorValue | UninitializedEntry] => {
    if ('assumed' in value) return [path, { status: 'uninitialized', dtype: value.dtype, shape: null }];
    const known = copies.get(value) ?? state.tensors.read(value);
    copies.set(value, known);
    return [path, known];
  });
  return Object.fromEntries(entries);
}

export function changes(log: ChangeLog, { after, limit }: { after: number; limit: number }) {
  if (after > log.revision) throw new ApiError('REVISION_UNKNOWN', [after, log.revision]);
  return {
    oldest: log.oldest,
    changes: log.read(after, limit).map(({ revision, kind, time, module: at, parameters: touched }) => ({
      revision,
      kind,
      time,
      ...(at !== undefined && { module: at }),
      parameters: touched.map(({ path, aliases, field, index, shape }) => ({
        path,
        aliases,
        field,
        index,
        shape,
      })),
    })),
  };
}
