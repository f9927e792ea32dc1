// An optimizer's state on the wire: its groups, and tensors by dotted names, `0.weight.exp_avg`. Read as it stands, and
// restored whole, everything wrong told at once.

import { ApiError, type Fault } from '../errors.js';
import { isObject } from '../nn/children.js';
import { didYouMean } from '../nn/near-miss.js';
import type { Parameter } from '../nn/module.js';
import { pathKey, shown } from '../nn/options.js';
import type { LbfgsSettings } from '../nn/optim/lbfgs-options.js';
import { settingsOf, type ParameterGroup } from '../nn/optim/spec.js';
import { lbfgsShapes, stateShapes } from '../nn/optim/state.js';
import { optimizerName, OPTIMIZERS, type OptimizerName } from '../nn/optim/table.js';
import { findParameter } from '../nn/paths.js';
import { inspectTensor } from '../tensor/json.js';
import { listed, sameShape, type Shape } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { companion, GRAD, type Companion } from './companion.js';
import { Complaints } from './complaints.js';
import { LBFGS_NUMBERS, readNumbers, writeNumbers } from './lbfgs-numbers.js';
import type { ModelState, OptimizerState, Preparation } from './state.js';

export interface OptimizerRequest {
  readonly optimizer: string;
  readonly param_groups: readonly unknown[];
  readonly state: Readonly<Record<string, unknown>>;
}

/** What trained the model last; null and nothing where nothing did. */
export function optimizerState({ optimizer, structure, tensors }: ModelState) {
  const { name = null, groups = [], lbfgs } = optimizer ?? {};
  const kept = tensors.companions().filter(({ name: tensor }) => tensor !== GRAD);
  const state: [string, TensorValue][] = [];
  for (const path of groups.flatMap(({ params }) => params)) {
    const own = kept.filter(({ of }) => of === parameterAt(structure.root, path));
    for (const tensor of own) state.push([`${path}.${tensor.name}`, tensors.read(tensor)]);
    if (!lbfgs || own.length === 0) continue;
    for (const [tensor, value] of Object.entries(writeNumbers(lbfgs)))
      state.push([`${path}.${tensor}`, value]);
  }
  return {
    optimizer: name,
    param_groups: groups.map(({ params, settings }) => ({ params, ...settings })),
    state: Object.fromEntries(state),
  };
}

/** From then on a training with `resume` goes on from this state. */
export function loadOptimizer(request: OptimizerRequest): Preparation {
  return (state, draft) => {
    const complaints = new Complaints();
    const faults: Fault[] = [];
    const name = nameOf(request.optimizer);
    const groups = readGroups(state, name, request.param_groups, faults);
    complaints.add('INVALID_REQUEST', faults);
    complaints.throwIfAny('INVALID_REQUEST');
    const { tensors, numbers } = wantedOf(state, { name, groups }, request.state);
    complaints.add('STATE_DICT_MISMATCH', keyFaults([...tensors.keys(), ...numbers.keys()], request.state));
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const touched = new Map<Companion, null>();
    for (const [key, value] of Object.entries(request.state)) {
      const tensor = tensors.get(key);
      if (!tensor) continue;
      const at = `state${pathKey(key)}`;
      const check = () => {
        const { shape } = inspectTensor(value, at);
        if (sameShape(shape, tensor.shape)) {
          return draft.stage(value, { shape: tensor.shape, dtype: tensor.dtype, path: at });
        }
        const message = `must have shape ${listed(tensor.shape)}, got ${listed(shape)}`;
        complaints.add('STATE_DICT_MISMATCH', [{ path: at, message }]);
        return undefined;
      };
      const placed = complaints.attempt(check, { at });
      if (!placed) continue;
      draft.copy(placed.address, draft.replace(tensor));
      touched.set(tensor, null);
    }
    const optimizer = complaints.attempt(
      (): OptimizerState => {
        if (name !== 'LBFGS' || touched.size === 0) return { name, groups };
        const given = new Map(
          [...numbers].map(([key, tensor]) => [tensor, { key, value: request.state[key] }]),
        );
        const { history_size: rows } = groups[0]!.settings as LbfgsSettings;
        return { name, groups, lbfgs: readNumbers(given, rows) };
      },
      { at: 'state' },
    );
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const cleared = state.tensors.companions().filter((kept) => kept.name !== GRAD && !touched.has(kept));
    return { kind: 'load', touched, cleared, optimizer: optimizer! };
  };
}

function parameterAt(root: ModelState['structure']['root'], path: string): Parameter | undefined {
  const found = findParameter(root, path);
  return 'parameter' in found ? found.parameter : undefined;
}

/** Throws INVALID_REQUEST. */
function nameOf(given: string): OptimizerName {
  const name = optimizerName(given);
  if (name !== undefined) return name;
  const names = Object.keys(OPTIMIZERS);
  const message = `unknown optimizer ${shown(given)}${didYouMean(given, names) || `; known are ${names.join(', ')}`}`;
  throw new ApiError('INVALID_REQUEST', [], [{ path: 'optimizer', message }]);
}

function readGroups(
  { structure: { root } }: ModelState,
  name: OptimizerName,
  given: readonly unknown[],
  faults: Fault[],
): ParameterGroup[] {
  if (name === 'LBFGS' && given.length > 1) {
    const message = "LBFGS doesn't support per-parameter options (parameter groups)";
    faults.push({ path: 'param_groups', message });
  }
  const seen = new Set<Parameter>();
  return given.map((group, i) => {
    const place = `param_groups[${i}]`;
    const { params, initial_lr: initial, ...options } = isObject(group) ? group : {};
    if (!Array.isArray(params)) {
      faults.push({ path: place, message: `must be an object with params, got ${shown(group)}` });
      return { params: [], settings: { lr: 0 } };
    }
    params.forEach((path: unknown, at) => {
      const fault = (message: string): void => {
        faults.push({ path: `${place}.params[${at}]`, message });
      };
      const parameter = typeof path === 'string' ? parameterAt(root, path) : undefined;
      if (parameter?.kind !== 'parameter') fault(`there is no parameter at ${shown(path)}`);
      else if (seen.has(parameter)) fault('some parameters appear in more than one parameter group');
      else seen.add(parameter);
    });
    const settings = settingsOf(name, withoutFixed(name, options), place, faults);
    if (typeof initial === 'number') settings.initial_lr = initial;
    return { params: params as string[], settings };
  });
}

/** What an optimizer has always is told with its settings, and is not to be chosen. */
function withoutFixed(name: OptimizerName, options: Readonly<Record<string, unknown>>) {
  const fixed = Object.keys(OPTIMIZERS[name].fixed ?? {});
  return Object.fromEntries(Object.entries(options).filter(([option]) => !fixed.includes(option)));
}

/** What a state may have, by key: tensors, and (of LBFGS) names of numbers. */
function wantedOf(
  { structure: { root } }: ModelState,
  { name, groups }: OptimizerState,
  given: Readonly<Record<string, unknown>>,
): { tensors: ReadonlyMap<string, Companion>; numbers: ReadonlyMap<string, string> } {
  const tensors = new Map<string, Companion>();
  const numbers = new Map<string, string>();
  const want = (path: string, shapes: Iterable<readonly [string, Shape]>): void => {
    const parameter = parameterAt(root, path)!;
    for (const [tensor, shape] of shapes)
      tensors.set(`${path}.${tensor}`, companion(parameter, tensor, shape));
  };
  if (name !== 'LBFGS') {
    for (const { params, settings } of groups) {
      for (const path of params) want(path, stateShapes(name, settings, parameterAt(root, path)!.shape));
    }
    return { tensors, numbers };
  }
  // One state for all parameters stands at one of them; how many elements they have, its direction tells.
  for (const { params, settings } of groups) {
    const owner = params.find((path) => Object.hasOwn(given, `${path}.d`)) ?? params[0];
    if (owner === undefined) continue;
    const direction = given[`${owner}.d`];
    const elements =
      direction === undefined ? 0 : (inspectTensor(direction, `state${pathKey(`${owner}.d`)}`).shape[0] ?? 0);
    want(owner, Object.entries(lbfgsShapes(elements, settings as LbfgsSettings)));
    for (const number of LBFGS_NUMBERS) numbers.set(`${owner}.${number}`, number);
  }
  return { tensors, numbers };
}

/** A parameter has all of its state, or none: it has made no step yet. */
function keyFaults(wanted: readonly string[], given: Readonly<Record<string, unknown>>): Fault[] {
  const owners = new Set(Object.keys(given).map(ownerOf));
  const missing = wanted.filter((key) => owners.has(ownerOf(key)) && !Object.hasOwn(given, key));
  const known = new Set(wanted);
  const unexpected = Object.keys(given).filter((key) => !known.has(key));
  return [
    ...unexpected.map((key) => ({
      path: `state${pathKey(key)}`,
      message: `unexpected key${didYouMean(key, wanted)}`,
    })),
    ...missing.map((key) => ({ path: 'state', message: `missing key ${shown(key)}` })),
  ];
}

const ownerOf = (key: string): string => key.slice(0, key.lastIndexOf('.'));
