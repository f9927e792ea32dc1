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

/** named_modules() of the subtree at `prefix`. */
export function modules(state: ModelState, prefix: string) {
  const { module: root, path } = moduleAt(state, prefix);
  return namedModules(root, path).map(({ value, path: at }) => describeModule(state, value, at));
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

export interface ParametersQuery {
  readonly module: string;
  readonly recurse: boolean;
  readonly kind: 'parameter' | 'buffer' | 'all';
}

/** named_parameters() of a subtree: each storage once, named relative to it. */
export function parameters(state: ModelState, { module: at, recurse, kind }: ParametersQuery) {
  const { module: root } = moduleAt(state, at);
  const top = recurse ? root : { ...root, children: new Map() };
  const named = everyName(top);
  const names = new Map<Parameter, string[]>();
  for (const { path, value } of named) {
    if (kind !== 'all' && value.kind !== kind) continue;
    names.set(value, [...(names.get(value) ?? []), path]);
  }
  const described = new Map(
    [...names].map(([parameter, [path, ...aliases]]) => [
      path!,
      { parameter, described: { ...describeParameter(state, parameter, path!), aliases } },
    ]),
  );
  if (!state.structure.lazy) return [...described.values()];
  return everyEntry(top)
    .filter(({ path, value }) =>
      'assumed' in value ? kind === 'all' || value.kind === kind : described.has(path),
    )
    .map(({ path, value }) =>
      'assumed' in value
        ? { parameter: null, described: describeUninitialized(value, path) }
        : described.get(path)!,
    );
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
