// An optimizer's state on the wire: its groups, and tensors by dotted names, `0.weight.exp_avg`. Read as it stands, and
// restored whole, everything wrong told at once.

import { ApiError, type Fault } from '../errors.js';
import { isObject } from '../nn/children.js';
import { didYouMean } from '../nn/near-miss.js';
import type { Parameter } from '../nn/module.js';
import { pathKey, shown } from '../nn/options.js';
import type { Settings } from '../nn/optim/optimizer.js';
import { settingsOf, type ParameterGroup } from '../nn/optim/spec.js';
import { stateShapes } from '../nn/optim/state-dict.js';
import { optimizerName, OPTIMIZERS, type ElementwiseName } from '../nn/optim/table.js';
import { findParameter } from '../nn/paths.js';
import { inspectTensor } from '../tensor/json.js';
import { listed, sameShape } from '../tensor/shape.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { companion, type Companion } from './companion.js';
import { Complaints } from './complaints.js';
import type { ModelState, OptimizerState, Preparation } from './state.js';

export interface OptimizerRequest {
  readonly optimizer: string;
  readonly param_groups: readonly unknown[];
  readonly state: Readonly<Record<string, unknown>>;
}

/** What trained the model last; null and nothing where nothing did. LBFGS keeps nothing. */
export function optimizerState({ optimizer, structure, tensors }: ModelState) {
  const { name = null, groups = [] } = optimizer ?? {};
  const state: [string, TensorValue][] = [];
  for (const { params, settings } of groups) {
    for (const path of params) {
      const parameter = parameterOf(structure.root, path);
      if (!parameter || name === null || name === 'LBFGS') continue;
      for (const tensor of statesOf(name, settings, parameter)) {
        if (tensors.find(tensor)) state.push([`${path}.${tensor.name}`, tensors.read(tensor)]);
      }
    }
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
    const name = elementwise(request.optimizer);
    const faults: Fault[] = [];
    const groups = readGroups(state, name, request.param_groups, faults);
    complaints.add('INVALID_REQUEST', faults);
    complaints.throwIfAny('INVALID_REQUEST');
    const wanted = new Map<string, Companion>();
    for (const { params, settings } of groups) {
      for (const path of params) {
        const parameter = parameterOf(state.structure.root, path)!;
        for (const tensor of statesOf(name, settings, parameter))
          wanted.set(`${path}.${tensor.name}`, tensor);
      }
    }
    complaints.add('STATE_DICT_MISMATCH', keyFaults(wanted, request.state));
    const touched = new Map<Companion, null>();
    for (const [key, value] of Object.entries(request.state)) {
      const tensor = wanted.get(key);
      if (!tensor) continue;
      const at = `state${pathKey(key)}`;
      const placed = complaints.attempt(
        () => {
          const { shape } = inspectTensor(value, at);
          if (sameShape(shape, tensor.shape)) {
            return draft.stage(value, { shape: tensor.shape, dtype: tensor.dtype, path: at });
          }
          const message = `must have shape ${listed(tensor.shape)}, got ${listed(shape)}`;
          complaints.add('STATE_DICT_MISMATCH', [{ path: at, message }]);
          return undefined;
        },
        { at },
      );
      if (!placed) continue;
      draft.copy(placed.address, draft.replace(tensor));
      touched.set(tensor, null);
    }
    complaints.throwIfAny('STATE_DICT_MISMATCH');
    const cleared = keptBefore(state).filter((tensor) => !touched.has(tensor));
    return { kind: 'load', touched, cleared, optimizer: { name, groups } };
  };
}

function parameterOf(root: ModelState['structure']['root'], path: string): Parameter | undefined {
  const found = findParameter(root, path);
  return 'parameter' in found ? found.parameter : undefined;
}

function statesOf(name: ElementwiseName, settings: Settings, parameter: Parameter): Companion[] {
  return [...stateShapes(name, settings, parameter.shape)].map(([tensor, shape]) =>
    companion(parameter, tensor, shape),
  );
}

/** Throws INVALID_REQUEST. */
function elementwise(given: string): ElementwiseName {
  const name = optimizerName(given);
  if (name !== undefined && name !== 'LBFGS') return name;
  const names = Object.keys(OPTIMIZERS).filter((known) => known !== 'LBFGS');
  const message =
    name === 'LBFGS'
      ? 'LBFGS begins anew with each job: there is no state to restore'
      : `unknown optimizer ${shown(given)}${didYouMean(given, names) || `; known are ${names.join(', ')}`}`;
  throw new ApiError('INVALID_REQUEST', [], [{ path: 'optimizer', message }]);
}

function readGroups(
  { structure: { root } }: ModelState,
  name: ElementwiseName,
  given: readonly unknown[],
  faults: Fault[],
): ParameterGroup[] {
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
      const parameter = typeof path === 'string' ? parameterOf(root, path) : undefined;
      if (parameter?.kind !== 'parameter') fault(`there is no parameter at ${shown(path)}`);
      else if (seen.has(parameter)) fault('some parameters appear in more than one parameter group');
      else seen.add(parameter);
    });
    const own = withoutFixed(name, options);
    const settings = settingsOf(name, own, place, faults);
    if (typeof initial === 'number') settings.initial_lr = initial;
    return { params: params as string[], settings };
  });
}

/** What an optimizer has always is told with its settings, and is not to be chosen. */
function withoutFixed(name: ElementwiseName, options: Readonly<Record<string, unknown>>) {
  const fixed = Object.keys(OPTIMIZERS[name].fixed ?? {});
  return Object.fromEntries(Object.entries(options).filter(([option]) => !fixed.includes(option)));
}

/** A parameter has all of its state, or none: it has made no step yet. */
function keyFaults(
  wanted: ReadonlyMap<string, Companion>,
  given: Readonly<Record<string, unknown>>,
): Fault[] {
  const owners = new Set(Object.keys(given).map(ownerOf));
  const missing = [...wanted.keys()].filter((key) => owners.has(ownerOf(key)) && !Object.hasOwn(given, key));
  const unexpected = Object.keys(given).filter((key) => !wanted.has(key));
  return [
    ...unexpected.map((key) => ({
      path: `state${pathKey(key)}`,
      message: `unexpected key${didYouMean(key, wanted.keys())}`,
    })),
    ...missing.map((key) => ({ path: 'state', message: `missing key ${shown(key)}` })),
  ];
}

const ownerOf = (key: string): string => key.slice(0, key.lastIndexOf('.'));

function keptBefore({ optimizer, structure, tensors }: ModelState): Companion[] {
  const { name, groups = [] }: Partial<OptimizerState> = optimizer ?? {};
  if (name === undefined || name === 'LBFGS') return [];
  return groups.flatMap(({ params, settings }) =>
    params.flatMap((path) => {
      const parameter = parameterOf(structure.root, path);
      return parameter ? statesOf(name, settings, parameter).filter((tensor) => tensors.find(tensor)) : [];
    }),
  );
}
