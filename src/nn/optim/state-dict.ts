// The state of an optimizer on the wire: dotted names, as model state has them, and PyTorch's state_dict, whose keys
// count the parameters in the order of the groups. What a tensor is is the caller's business.

import type { Fault } from '../../errors.js';
import type { Shape } from '../../tensor/shape.js';
import { pathKey, shown } from '../options.js';
import type { LbfgsSettings } from './lbfgs-options.js';
import { LBFGS_SCRATCH, LBFGS_STATE, readLbfgsState, type SentLbfgsState } from './lbfgs-state.js';
import type { Setting, Settings } from './optimizer.js';
import type { Checked } from './settings.js';
import { settingsOf, type ParameterGroup } from './spec.js';
import { ELEMENTWISE, OPTIMIZERS, type ElementwiseName, type OptimizerName } from './table.js';

const PREFIX = 'optimizer.state.';

/** `optimizer.state.0.weight.exp_avg`: a tensor of the state of the parameter at `0.weight`. */
export function statePath(parameter: string, tensor: string): string {
  return `${PREFIX}${parameter}.${tensor}`;
}

/** The inverse: names of state tensors have no dots. Undefined for what is no such path. */
export function parseStatePath(path: string): { parameter: string; tensor: string } | undefined {
  const dot = path.lastIndexOf('.');
  if (!path.startsWith(PREFIX) || dot <= PREFIX.length || dot === path.length - 1) return undefined;
  return { parameter: path.slice(PREFIX.length, dot), tensor: path.slice(dot + 1) };
}

/** What is kept of a parameter once it has made a step. */
export function stateShapes(name: ElementwiseName, settings: Settings, shape: Shape): Map<string, Shape> {
  const tensors = ELEMENTWISE[name].state(settings);
  return new Map(tensors.map((tensor) => [tensor.name, tensor.shape === 'scalar' ? [] : shape]));
}

export interface StateDict<T> {
  /** By the parameter's number; parameters without a step yet have no entry. */
  readonly state: Readonly<Record<string, Readonly<Record<string, T>>>>;
  readonly param_groups: readonly Readonly<Record<string, Setting | readonly string[]>>[];
}

/** torch.optim.Optimizer.state_dict. `state`: a parameter's tensors; undefined before its first step. */
export function stateDict<T>(
  groups: readonly ParameterGroup[],
  state: (parameter: string) => Readonly<Record<string, T>> | undefined,
): StateDict<T> {
  const paths = groups.flatMap(({ params }) => params);
  const kept = paths.map((path, at) => [String(at), state(path)] as const);
  let next = 0;
  return {
    state: Object.fromEntries(
      kept.filter((entry): entry is [string, Record<string, T>] => !isEmpty(entry[1])),
    ),
    param_groups: groups.map(({ params, settings }) => ({
      ...settings,
      params: params.map(() => next++),
      param_names: params,
    })),
  };
}

function isEmpty(state: object | undefined): boolean {
  return state === undefined || Object.keys(state).length === 0;
}

/** A tensor as it was sent, still to be decoded to this shape. */
export interface SentTensor {
  readonly value: unknown;
  readonly shape: Shape;
}

/** What a state_dict says, for the parameters of the groups it was read against. */
export interface LoadedState {
  readonly groups: readonly ParameterGroup[];
  /** By path, then by name. Absent: no step yet. */
  readonly tensors: ReadonlyMap<string, ReadonlyMap<string, SentTensor>>;
}

/** The optimizer that a state_dict is read for. */
export interface Target {
  readonly name: OptimizerName;
  readonly groups: readonly ParameterGroup[];
}

/** What is sent as the state of one parameter. */
interface Entry {
  readonly parameter: string;
  readonly settings: Settings;
  readonly state: Readonly<Record<string, unknown>>;
  /** Where it stands in what was sent. */
  readonly place: string;
}

/**
 * torch.optim.Optimizer.load_state_dict: groups and parameters are matched by their order, the settings are the sent
 * ones. Everything wrong is reported at once.
 */
export function readStateDict(
  given: unknown,
  {
    name,
    groups,
    shapeOf,
  }: Target & { readonly name: ElementwiseName; readonly shapeOf: (parameter: string) => Shape },
  path: string,
): Checked<LoadedState> {
  const faults: Fault[] = [];
  const read = readEntries(given, { name, groups }, path, faults);
  const tensors = new Map<string, ReadonlyMap<string, SentTensor>>();
  for (const { parameter, settings, state, place } of read.entries) {
    const shapes = stateShapes(name, settings, shapeOf(parameter));
    const sent = complete(state, { name, known: [...shapes.keys()], place }, faults);
    tensors.set(
      parameter,
      new Map([...shapes].map(([key, shape]) => [key, { value: sent.get(key), shape }])),
    );
  }
  return faults.length > 0 ? { faults } : { value: { groups: read.groups, tensors } };
}

/** The same for LBFGS, whose state is one for all parameters and stands at the first. */
export function readLbfgsStateDict(
  given: unknown,
  groups: readonly ParameterGroup[],
  path: string,
): Checked<{ groups: readonly ParameterGroup[]; state: SentLbfgsState | undefined }> {
  const faults: Fault[] = [];
  const { groups: loaded, entries } = readEntries(given, { name: 'LBFGS', groups }, path, faults);
  const [first, ...others] = entries;
  for (const { place } of others)
    faults.push({ path: place, message: 'LBFGS keeps its state at its first parameter' });
  let state: SentLbfgsState | undefined;
  // A parameter that was at a minimum from the start has no direction yet.
  if (first && 'd' in first.state) {
    const { [LBFGS_SCRATCH]: _, ...kept } = first.state;
    const sent = complete(kept, { name: 'LBFGS', known: LBFGS_STATE, place: first.place }, faults);
    state = readLbfgsState(sent, first.place, faults);
    const { history_size } = first.settings as LbfgsSettings;
    if (state.old_dirs.length > history_size)
      faults.push({ path: first.place, message: `remembers more steps than history_size ${history_size}` });
  }
  return faults.length > 0 ? { faults } : { value: { groups: loaded, state } };
}

/** Groups, and the states of parameters that have one. */
function readEntries(
  given: unknown,
  { name, groups }: Target,
  path: string,
  faults: Fault[],
): { groups: ParameterGroup[]; entries: Entry[] } {
  const nothing = { groups: [], entries: [] };
  if (!isObject(given) || !isObject(given.state) || !Array.isArray(given.param_groups)) {
    faults.push({ path, message: 'must be an object with state and param_groups' });
    return nothing;
  }
  const sent: unknown[] = given.param_groups;
  if (sent.length !== groups.length) {
    const message = 'loaded state dict has a different number of parameter groups';
    faults.push({ path: `${path}.param_groups`, message });
    return nothing;
  }
  const numbered = new Map<string, { parameter: string; settings: Settings }>();
  const loaded = groups.map(({ params }, at): ParameterGroup => {
    const place = `${path}.param_groups[${at}]`;
    const { ids, settings } = readGroup(name, sent[at], place, faults);
    if (ids.length !== params.length) {
      const message =
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group";
      faults.push({ path: `${place}.params`, message });
    }
    params.forEach((parameter, index) => numbered.set(String(ids[index]), { parameter, settings }));
    return { params, settings };
  });
  // Without the groups nothing can be said of their states.
  if (faults.length > 0) return nothing;
  const entries: Entry[] = [];
  for (const [id, state] of Object.entries(given.state)) {
    const place = `${path}.state${pathKey(id)}`;
    const known = numbered.get(id);
    if (!known) faults.push({ path: place, message: 'no group has a parameter of this number' });
    else if (!isObject(state))
      faults.push({ path: place, message: `must be an object, got ${shown(state)}` });
    // SGD's buffer is null in PyTorch where there is no momentum.
    else if (Object.values(state).some((value) => value !== null)) entries.push({ ...known, state, place });
  }
  return { groups: loaded, entries };
}

/** The entries of a parameter's state, which has to have the known ones and no others. */
function complete(
  state: Readonly<Record<string, unknown>>,
  { name, known, place }: { name: OptimizerName; known: readonly string[]; place: string },
  faults: Fault[],
): Map<string, unknown> {
  const sent = new Map(Object.entries(state));
  for (const key of sent.keys()) {
    if (!known.includes(key)) faults.push({ path: place, message: `${name} keeps no ${shown(key)}` });
  }
  for (const key of known) {
    if (!sent.has(key)) faults.push({ path: place, message: `${key} is missing` });
  }
  return sent;
}

/** What PyTorch's schedulers leave in a group; here all but the first is theirs alone. */
const SCHEDULED = ['initial_lr', 'max_lr', 'min_lr', 'max_momentum', 'base_momentum'];

function readGroup(
  name: OptimizerName,
  group: unknown,
  path: string,
  faults: Fault[],
): { ids: readonly unknown[]; settings: Settings } {
  if (!isObject(group) || !Array.isArray(group.params)) {
    faults.push({ path, message: `must be an object with params, got ${shown(group)}` });
    return { ids: [], settings: { lr: 0 } };
  }
  const left = ['params', 'param_names', ...SCHEDULED, ...Object.keys(OPTIMIZERS[name].fixed ?? {})];
  const options = Object.entries(group).filter(([option]) => !left.includes(option));
  const settings = settingsOf(name, Object.fromEntries(options), path, faults);
  if (typeof group.initial_lr === 'number') settings.initial_lr = group.initial_lr;
  return { ids: group.params, settings };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
