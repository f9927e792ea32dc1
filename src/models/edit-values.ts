// Changes of values: patches, inits, a state that is loaded. Each checks everything before anything is computed.

import { ApiError, type Fault } from '../errors.js';
import { checkExpression } from '../nn/expression.js';
import { checkInit } from '../nn/init/apply.js';
import type { InitSpec } from '../nn/init/spec.js';
import { defaultInits } from '../nn/architecture.js';
import { applyOrder, everyName, joinPath, type Parameter } from '../nn/module.js';
import { pathKey } from '../nn/options.js';
import { LAYERS } from '../nn/layers/table.js';
import { nearest } from '../nearest.js';
import type { PlacedPatchOp } from '../runtime/protocol.js';
import { checkPatchOp, type PatchOp } from '../tensor/patch.js';
import { byteLength, sameShape } from '../tensor/shape.js';
import { inspect, type Draft } from './draft.js';
import { moduleAt, parameterAt, quoted, viewOf, type Preparation } from './state.js';

/** A patch's op as a client sends it: the value is not decoded yet. */
export type ClientPatchOp = Omit<PatchOp, 'value'> & { readonly value?: unknown };
export interface ParameterEdit {
  readonly ops?: readonly ClientPatchOp[];
  readonly requires_grad?: boolean;
}

/** How faults name what a client sent: an op of an edit, and the edit itself. */
interface Naming {
  readonly op: (path: string, index: number) => string;
  readonly edit: (path: string) => string;
}

export const NAMINGS = {
  /** `{"value": ...}` */
  value: { op: () => '', edit: () => '' },
  /** `{"ops": [...]}` */
  edit: { op: (_path, index) => `ops[${index}]`, edit: () => '' },
  /** `{"parameters": {path: {"ops": [...]}}}` */
  edits: {
    op: (path, index) => `parameters${pathKey(path)}.ops[${index}]`,
    edit: (path) => `parameters${pathKey(path)}`,
  },
} satisfies Record<string, Naming>;

function inside(at: string, field: string): string {
  return at === '' ? field : `${at}.${field}`;
}

/** All of the edits or none of them. Ops are done in order; edits through two names of a storage follow each other. */
export function patch(edits: ReadonlyMap<string, ParameterEdit>, naming: Naming): Preparation {
  return (state, draft) => {
    const touched = new Map<Parameter, string | null>();
    const requiresGrad = new Map<Parameter, boolean>();
    const faults: Fault[] = [];
    for (const [path, edit] of edits) {
      const { parameter } = parameterAt(state, path);
      const ops = edit.ops ?? [];
      ops.forEach((op, i) => {
        const placed = placeOp(op, parameter, { path, at: naming.op(path, i), draft, faults });
        if (!placed) return;
        const target = draft.modify(parameter);
        draft.push({ kind: 'patch', target, op: placed });
        const index = op.index === undefined || op.index === '' || op.index === ':' ? null : op.index;
        touched.set(parameter, touched.has(parameter) && touched.get(parameter) !== index ? null : index);
      });
      if (edit.requires_grad !== undefined) {
        if (parameter.kind === 'buffer' || parameter.dtype !== 'float32') {
          faults.push({
            path: inside(naming.edit(path), 'requires_grad'),
            message: `${quoted(path)} is a buffer: it has no gradient`,
          });
        } else if (edit.requires_grad !== state.tensors.get(parameter).requiresGrad) {
          requiresGrad.set(parameter, edit.requires_grad);
        }
      }
    }
    if (faults.length > 0) throw new ApiError('PATCH_INVALID', [], faults);
    return { kind: touched.size === 0 ? 'freeze' : 'patch', touched, requiresGrad };
  };
}

interface PatchPlace {
  readonly path: string;
  readonly at: string;
  readonly draft: Draft;
  readonly faults: Fault[];
}

/** Checks an op against its parameter and decodes its value into memory; undefined where it has faults. */
function placeOp(op: ClientPatchOp, parameter: Parameter, place: PatchPlace): PlacedPatchOp | undefined {
  const { path, at, draft, faults } = place;
  const { value, ...rest } = op;
  if (rest.expression !== undefined) {
    const wrong = checkExpression(rest.expression);
    if (wrong !== undefined)
      throw new ApiError('EXPRESSION_INVALID', [], [{ path: inside(at, 'expression'), message: wrong }]);
  }
  if (rest.index !== undefined) viewOf(parameter.shape, rest.index, inside(at, 'index'));
  if (value === undefined || typeof value === 'number') {
    const found = checkPatchOp(
      parameter.shape,
      { ...rest, ...(value !== undefined && { value }) },
      parameter.dtype,
    );
    return report(found, at, faults) ? { ...rest, ...(value !== undefined && { value }) } : undefined;
  }
  const { shape } = inspect(value, inside(at, 'value'));
  const found = checkPatchOp(parameter.shape, { ...rest, value: { shape } }, parameter.dtype);
  const whole = rest.index === undefined && rest.op === 'set';
  if (found.length > 0 && whole) {
    throw new ApiError('PARAMETER_SHAPE', [path, parameter.shape.join(', '), shape.join(', ')]);
  }
  if (!report(found, at, faults)) return undefined;
  return { ...rest, value: draft.stage(value, { shape, dtype: parameter.dtype, path: inside(at, 'value') }) };
}

/** Collects faults below a path; whether there were none. */
function report(found: readonly Fault[], at: string, faults: Fault[]): boolean {
  for (const { path, message } of found) faults.push({ path: path === '' ? at : inside(at, path), message });
  return found.length === 0;
}

export interface InitRule {
  readonly types?: readonly string[];
  readonly parameters?: readonly string[];
  readonly init: InitSpec;
}
export interface InitRequest {
  readonly module: string;
  readonly rules: readonly InitRule[];
  readonly seed?: number;
}

/** torch.nn.Module.apply with the rules as its function: for each module in apply's order, the rules in theirs. */
export function init(request: InitRequest): Preparation {
  return (state, draft) => {
    const { module: root, path: prefix } = moduleAt(state, request.module);
    const faults: Fault[] = [];
    request.rules.forEach((rule, i) => {
      rule.types?.forEach((type, j) => {
        const name = plainType(type);
        if (Object.hasOwn(LAYERS, name)) return;
        const near = nearest(name, Object.keys(LAYERS));
        const hint = near === undefined ? '' : `; did you mean ${near}?`;
        faults.push({
          path: `rules[${i}].types[${j}]`,
          message: `unknown layer type ${quoted(type)}${hint}`,
        });
      });
    });
    const touched = new Map<Parameter, null>();
    const tasks: (() => void)[] = [];
    for (const { value: module, path } of applyOrder(root, prefix)) {
      const defaults = defaultInits(module);
      request.rules.forEach((rule, i) => {
        if (rule.types && !rule.types.some((type) => plainType(type) === module.type)) return;
        for (const [name, parameter] of module.parameters) {
          const chosen = rule.parameters ? rule.parameters.includes(name) : parameter?.kind === 'parameter';
          if (!parameter || !chosen) continue;
          const own =
            rule.init.name === 'default' ? defaults.find((entry) => entry.name === name) : undefined;
          const spec = own ? withThen(own.init, rule.init) : rule.init;
          const integer = parameter.dtype !== 'float32' && !['default', 'zeros'].includes(rule.init.name);
          const wrong = integer ? `${rule.init.name} fills float32 only` : checkInit(spec, parameter.shape);
          if (wrong !== undefined)
            faults.push({ path: `rules[${i}].init`, message: `${joinPath(path, name)}: ${wrong}` });
          tasks.push(() => draft.init(draft.replace(parameter), spec, own?.zeroRow));
          touched.set(parameter, null);
        }
      });
    }
    if (faults.length > 0) throw new ApiError('INIT_INVALID', [], faults);
    if (request.seed !== undefined) draft.seed(request.seed);
    for (const task of tasks) task();
    return { kind: 'init', touched, answer: { seed: request.seed ?? null } };
  };
}

function withThen(spec: InitSpec, asked: InitSpec): InitSpec {
  return asked.then === undefined ? spec : { ...spec, then: asked.then };
}

function plainType(type: string): string {
  return type.replace(/^(torch\.)?nn\./, '');
}

export interface LoadRequest {
  readonly module: string;
  readonly strict: boolean;
  readonly state: ReadonlyMap<string, unknown>;
}

/** torch.nn.Module.load_state_dict: everything wrong is reported at once, in its words. */
export function load(request: LoadRequest): Preparation {
  return async (state, draft) => {
    const { module } = moduleAt(state, request.module);
    const own = new Map(everyName(module).map(({ path, value }) => [path, value]));
    const missing = [...own.keys()].filter((name) => !request.state.has(name));
    const unexpected = [...request.state.keys()].filter((name) => !own.has(name));
    const faults: Fault[] = [];
    if (request.strict) {
      for (const name of unexpected)
        faults.push({ path: `state_dict.${name}`, message: `unexpected key ${quoted(name)}` });
      for (const name of missing) faults.push({ path: 'state_dict', message: `missing key ${quoted(name)}` });
    }
    const given = [...request.state].filter(([name]) => own.has(name));
    for (const [name, value] of given) {
      const { shape } = inspect(value, `state_dict.${name}`);
      const parameter = own.get(name)!;
      if (sameShape(shape, parameter.shape)) continue;
      const size = (extents: readonly number[]): string => `torch.Size([${extents.join(', ')}])`;
      faults.push({
        path: `state_dict.${name}`,
        message:
          `size mismatch for ${name}: copying a param with shape ${size(shape)} from checkpoint, ` +
          `the shape in current model is ${size(parameter.shape)}.`,
      });
    }
    if (faults.length > 0) throw new ApiError('STATE_DICT_MISMATCH', [], faults);
    const touched = new Map<Parameter, null>();
    const first = new Map<Parameter, { name: string; address: number }>();
    const twice: { names: [string, string]; pair: { a: number; b: number; bytes: number } }[] = [];
    for (const [name, value] of given) {
      const parameter = own.get(name)!;
      const staged = draft.stage(value, {
        shape: parameter.shape,
        dtype: parameter.dtype,
        path: `state_dict.${name}`,
      });
      const before = first.get(parameter);
      if (before) {
        const bytes = byteLength(parameter.shape, parameter.dtype);
        twice.push({ names: [before.name, name], pair: { a: before.address, b: staged.address, bytes } });
        continue;
      }
      first.set(parameter, { name, address: staged.address });
      draft.copy(staged.address, draft.replace(parameter));
      touched.set(parameter, null);
    }
    const same = await draft.same(twice.map(({ pair }) => pair));
    const differing = twice.filter((_, i) => !same[i]);
    if (differing[0]) {
      const faultsOf = differing.map(({ names: [a, b] }) => ({
        path: `state_dict.${b}`,
        message: `${quoted(a)} and ${quoted(b)} are one storage: their values must be the same`,
      }));
      throw new ApiError('TIED_VALUES_DIFFER', differing[0].names.map(quoted), faultsOf);
    }
    return { kind: 'load', touched, answer: { missing_keys: missing, unexpected_keys: unexpected } };
  };
}
