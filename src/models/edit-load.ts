// A state that is loaded: torch.nn.Module.load_state_dict, strict by default, everything wrong told at once.

import { ApiError, type Fault } from '../errors.js';
import { isObject } from '../nn/children.js';
import { LAYERS } from '../nn/layers/table.js';
import { everyEntry, isLazy, materialized, uninitialized } from '../nn/lazy.js';
import { everyName, joinPath, namedModules, type Module, type Parameter } from '../nn/module.js';
import { replaced } from '../nn/paths.js';
import { inspectTensor } from '../tensor/json.js';
import { byteLength, sameShape, type Shape } from '../tensor/shape.js';
import { Complaints } from './complaints.js';
import { place } from './edit-materialize.js';
import { moduleAt, quoted, type Preparation } from './state.js';

export interface LoadRequest {
  readonly module: string;
  readonly strict: boolean;
  readonly state: ReadonlyMap<string, unknown>;
}

/** torch.nn.Module.load_state_dict: everything wrong is reported at once, in its words. */
export function load(request: LoadRequest): Preparation {
  return async (state, draft) => {
    const found = moduleAt(state, request.module);
    const made = statedModules(found.module, request.state);
    let module = found.module;
    for (const [lazy, full] of made) module = replaced(module, lazy, full);
    // Drawn first, for those of its parameters that the state does not have.
    const placed = made.size > 0 ? place(state.structure.root, made, draft) : undefined;
    const lazies = new Set(
      everyEntry(module).flatMap(({ path, value }) => ('assumed' in value ? [path] : [])),
    );
    const own = new Map(everyName(module).map(({ path, value }) => [path, value]));
    const missing = [...own.keys(), ...lazies].filter((name) => !request.state.has(name));
    const unexpected = [...request.state.keys()].filter((name) => !own.has(name) && !lazies.has(name));
    const complaints = new Complaints();
    if (request.strict) complaints.add('STATE_DICT_MISMATCH', keyFaults(missing, unexpected));
    complaints.add(
      'STATE_DICT_MISMATCH',
      [...request.state]
        .filter(([name, value]) => lazies.has(name) && !isUninitialized(value))
        .map(([name]) => ({
          path: pathOf(name),
          message: 'is uninitialized, and the state does not tell its shape',
        })),
    );
    const given = [...request.state].filter(([name]) => own.has(name));
    for (const [name, value] of given) {
      const at = pathOf(name);
      const inspected = complaints.attempt(() => inspectTensor(value, at), { at });
      const { shape } = own.get(name)!;
      if (!inspected || sameShape(inspected.shape, shape)) continue;
      complaints.add('STATE_DICT_MISMATCH', [
        { path: at, message: sizeMismatch(name, inspected.shape, shape) },
      ]);
    }
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const staged = given.map(([name, value]) => {
      const parameter = own.get(name)!;
      const tensor = { shape: parameter.shape, dtype: parameter.dtype, path: pathOf(name) };
      return {
        name,
        parameter,
        placed: complaints.attempt(() => draft.stage(value, tensor), { at: tensor.path }),
      };
    });
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const touched = placed?.touched ?? new Map<Parameter, null>();
    const first = new Map<Parameter, { name: string; address: number }>();
    const twice: { names: [string, string]; pair: { a: number; b: number; bytes: number } }[] = [];
    for (const { name, parameter, placed } of staged) {
      const { address } = placed!;
      const before = first.get(parameter);
      if (before) {
        const bytes = byteLength(parameter.shape, parameter.dtype);
        twice.push({ names: [before.name, name], pair: { a: before.address, b: address, bytes } });
        continue;
      }
      first.set(parameter, { name, address });
      draft.copy(address, draft.replace(parameter));
      touched.set(parameter, null);
    }
    const same = await draft.same(twice.map(({ pair }) => pair));
    const differing = twice.filter((_, i) => !same[i]);
    if (differing[0]) {
      const faults = differing.map(({ names: [a, b] }) => ({
        path: pathOf(b),
        message: `${quoted(a)} and ${quoted(b)} are one storage: their values must be the same`,
      }));
      throw new ApiError('TIED_VALUES_DIFFER', differing[0].names.map(quoted), faults);
    }
    const answer = { missing_keys: missing, unexpected_keys: unexpected };
    return { kind: 'load', touched, answer, ...(placed && { root: placed.root }) };
  };
}

/** The lazy modules to which the state gives shapes, and what they become. A parameter without a shape tells nothing. */
function statedModules(root: Module, state: ReadonlyMap<string, unknown>): ReadonlyMap<Module, Module> {
  const made = new Map<Module, Module>();
  if (!isLazy(root)) return made;
  for (const { path, value: module } of namedModules(root)) {
    const { lazy } = LAYERS[module.type];
    if (!lazy) continue;
    const shapes = new Map<string, Shape>();
    for (const { path: name } of uninitialized(module)) {
      const at = joinPath(path, name);
      const value = state.get(at);
      if (value !== undefined && !isUninitialized(value))
        shapes.set(name, inspectTensor(value, pathOf(at)).shape);
    }
    const extent = lazy.stated(shapes, module.options);
    if (extent !== undefined) made.set(module, materialized(module, extent));
  }
  return made;
}

/** As a state that was read has it for a lazy parameter. */
function isUninitialized(value: unknown): boolean {
  return isObject(value) && value.status === 'uninitialized' && value.shape === null;
}

function pathOf(name: string): string {
  return `state_dict.${name}`;
}

function keyFaults(missing: readonly string[], unexpected: readonly string[]): Fault[] {
  return [
    ...unexpected.map((name) => ({ path: pathOf(name), message: `unexpected key ${quoted(name)}` })),
    ...missing.map((name) => ({ path: 'state_dict', message: `missing key ${quoted(name)}` })),
  ];
}

/** In the words of load_state_dict. */
function sizeMismatch(name: string, given: Shape, own: Shape): string {
  const size = (shape: Shape): string => `torch.Size([${shape.join(', ')}])`;
  return (
    `size mismatch for ${name}: copying a param with shape ${size(given)} from checkpoint, ` +
    `the shape in current model is ${size(own)}.`
  );
}
