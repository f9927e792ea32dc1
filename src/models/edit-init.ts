// torch.nn.Module.apply with inits as data.

import { ApiError, type Fault } from '../errors.js';
import { didYouMean } from '../nearest.js';
import { defaultInits } from '../nn/architecture.js';
import { checkInit } from '../nn/init/apply.js';
import type { InitSpec } from '../nn/init/spec.js';
import { LAYERS, layerType, plainName, type LayerType } from '../nn/layers/table.js';
import { uninitialized, type PendingInit, type Uninitialized } from '../nn/lazy.js';
import { MAX_PATTERN, PathPattern } from '../nn/path-pattern.js';
import { applyOrder, joinPath, type Module, type Named, type Parameter } from '../nn/module.js';
import { replaced } from '../nn/paths.js';
import type { Draft } from './draft.js';
import { requireCount } from './selector.js';
import { moduleAt, quoted, type ModelState, type Preparation } from './state.js';

export interface InitRule {
  readonly types?: readonly string[];
  readonly parameters?: readonly string[];
  /** Globs, of which one has to match the parameter's path. */
  readonly paths?: readonly string[];
  readonly requires_grad?: boolean;
  readonly init: InitSpec;
}
export interface InitRequest {
  readonly module: string;
  readonly rules: readonly InitRule[];
  readonly seed?: number;
  /** How many parameters are initialised. */
  readonly expect_count?: number;
}

/** torch.nn.Module.apply with the rules as its function: for each module in apply's order, the rules in theirs. */
export function init(request: InitRequest): Preparation {
  return (state, draft) => {
    const { module: root, path: prefix } = moduleAt(state, request.module);
    const order = applyOrder(root, prefix);
    const faults = wrongNames(request.rules, order);
    const touched = new Map<Parameter, null>();
    const tasks: (() => void)[] = [];
    const later = new Map<Module, PendingInit[]>();
    for (const { value: module, path } of order) {
      const { lazy } = LAYERS[module.type];
      request.rules.forEach((rule, i) => {
        const types = rule.types?.map(layerType);
        if (types && !types.includes(module.type) && !types.includes(lazy?.becomes as LayerType)) return;
        const accepts = acceptance(state, rule, path, `rules[${i}].`);
        const place = { path, at: `rules[${i}].init`, accepts };
        if (lazy) {
          const names = uninitialized(module).filter(({ path: name, value }) => accepts(name, value));
          const { init: asked, parameters = namesOf(names) } = rule;
          const chosen = parameters.filter((name) => names.some((own) => own.path === name));
          // A module that stands at several places is asked at each, as apply does.
          const pending = rule.paths ? { init: asked, parameters: chosen } : rule;
          later.set(module, [...(later.get(module) ?? []), pending]);
          faults.push(...lazyFaults(module, rule, place));
          return;
        }
        const found = tasksOf(module, rule, { draft, touched, place });
        faults.push(...found.faults);
        tasks.push(...found.tasks);
      });
    }
    if (faults.length > 0) throw new ApiError('INIT_INVALID', [], faults);
    requireCount(request.expect_count, touched.size);
    if (request.seed !== undefined) draft.seed(request.seed);
    for (const task of tasks) task();
    let tree = state.structure.root;
    for (const [module, rules] of later) {
      const pending = [...(module.pending ?? []), ...rules].slice(-MAX_PENDING);
      tree = replaced(tree, module, { ...module, pending });
    }
    const answer = { seed: request.seed ?? null };
    return { kind: 'init', touched, answer, ...(later.size > 0 && { root: tree }) };
  };
}

/** Inits that wait for one module's shape; of more, the first are forgotten: later ones fill what they filled. */
const MAX_PENDING = 100;

/** Inits that were asked for before a module had its parameters. */
export function pendingTasks(
  module: Module,
  pending: readonly PendingInit[],
  draft: Draft,
): { tasks: (() => void)[]; faults: Fault[] } {
  const touched = new Map<Parameter, null>();
  const place = { path: '', at: 'init' };
  const found = pending.map((rule) => tasksOf(module, rule, { draft, touched, place }));
  return { tasks: found.flatMap(({ tasks }) => tasks), faults: found.flatMap(({ faults }) => faults) };
}

interface Place {
  /** The module's. */
  readonly path: string;
  /** Where the init stands in the request. */
  readonly at: string;
  /** Which of the module's own parameters are asked for, by name. */
  readonly accepts?: (name: string, parameter: Parameter | Uninitialized) => boolean;
}

/** What a rule's `paths` and `requires_grad` leave of a module's parameters. Throws INVALID_REQUEST. */
function acceptance(
  { tensors }: ModelState,
  { paths, requires_grad: trained }: InitRule,
  modulePath: string,
  at: string,
): (name: string, parameter: Parameter | Uninitialized) => boolean {
  const patterns = paths?.map((text, i) => {
    if (text.length <= MAX_PATTERN) return new PathPattern(text);
    const message = `must have at most ${MAX_PATTERN} characters`;
    throw new ApiError('INVALID_REQUEST', [], [{ path: `${at}paths[${i}]`, message }]);
  });
  return (name, parameter) => {
    const path = joinPath(modulePath, name);
    if (patterns && !patterns.some((pattern) => pattern.matches(path))) return false;
    if (trained === undefined) return true;
    return (
      trained ===
      ('assumed' in parameter ? parameter.kind === 'parameter' : tensors.get(parameter).requiresGrad)
    );
  };
}

const namesOf = (named: readonly Named<unknown>[]): string[] => named.map(({ path }) => path);

/** What a rule does to a module's own parameters, and what is wrong with it. */
function tasksOf(
  module: Module,
  { parameters, init: asked }: PendingInit,
  { draft, touched, place }: { draft: Draft; touched: Map<Parameter, null>; place: Place },
): { tasks: (() => void)[]; faults: Fault[] } {
  const tasks: (() => void)[] = [];
  const faults: Fault[] = [];
  const defaults = defaultInits(module);
  for (const [name, parameter] of module.parameters) {
    const chosen = parameters ? parameters.includes(name) : parameter?.kind === 'parameter';
    if (!parameter || !chosen || place.accepts?.(name, parameter) === false) continue;
    const own = asked.name === 'default' ? defaults.find((entry) => entry.name === name) : undefined;
    const spec = own ? withThen(own.init, asked) : asked;
    const wrong = faultOf(asked, spec, parameter);
    if (wrong !== undefined)
      faults.push({ path: place.at, message: `${joinPath(place.path, name)}: ${wrong}` });
    tasks.push(() => draft.init(draft.replace(parameter), spec, own?.zeroRow));
    touched.set(parameter, null);
  }
  return { tasks, faults };
}

function faultOf(
  { name }: InitSpec,
  spec: InitSpec,
  { shape, dtype }: Pick<Parameter, 'shape' | 'dtype'>,
): string | undefined {
  if (dtype !== 'float32' && !['default', 'zeros'].includes(name)) return `${name} fills float32 only`;
  return checkInit(spec, shape);
}

/** What is wrong with a rule for parameters that have no shape yet, whatever it will be. */
function lazyFaults(module: Module, { parameters, init: asked }: InitRule, { path, at }: Place): Fault[] {
  return uninitialized(module).flatMap(({ path: name, value: { kind, dtype, assumed } }) => {
    const chosen = parameters ? parameters.includes(name) : kind === 'parameter';
    const wrong =
      chosen && asked.name !== 'default' ? faultOf(asked, asked, { shape: assumed, dtype }) : undefined;
    return wrong === undefined ? [] : [{ path: at, message: `${joinPath(path, name)}: ${wrong}` }];
  });
}

/** Names that mean nothing here: unknown layer types, and parameters that none of the modules can have. */
function wrongNames(rules: readonly InitRule[], modules: readonly Named<Module>[]): Fault[] {
  const known = new Set([
    'weight',
    'bias',
    ...modules.flatMap(({ value }) => [
      ...value.parameters.keys(),
      ...uninitialized(value).map(({ path }) => path),
    ]),
  ]);
  return rules.flatMap(({ types = [], parameters = [] }, i) => [
    ...types.flatMap((type, j) => {
      if (layerType(type)) return [];
      const hint = didYouMean(plainName(type), Object.keys(LAYERS));
      return [{ path: `rules[${i}].types[${j}]`, message: `unknown layer type ${quoted(type)}${hint}` }];
    }),
    ...parameters.flatMap((name, j) => {
      if (known.has(name)) return [];
      const message = `no module here has a parameter ${quoted(name)}${didYouMean(name, known)}`;
      return [{ path: `rules[${i}].parameters[${j}]`, message }];
    }),
  ]);
}

function withThen(spec: InitSpec, asked: InitSpec): InitSpec {
  return asked.then === undefined ? spec : { ...spec, then: asked.then };
}
