// The inside of one forward, while it is traced: outputs of modules that are looked at, and outputs and parameters that are
// other values. Nothing of it reaches the model: what is another is another in this graph alone.

import { taken } from '../graph/indexing.js';
import type { Tracer, Value } from '../graph/tracer.js';
import { LAYERS, layerType } from '../nn/layers/table.js';
import { everyName, type Module, type Parameter } from '../nn/module.js';
import { didYouMean } from '../nn/near-miss.js';
import { pathKey } from '../nn/options.js';
import { nearestPath, PathPattern } from '../nn/path-pattern.js';
import { findModule, findParameter } from '../nn/paths.js';
import type { Bins } from '../tensor/bins.js';
import { takenOf } from '../tensor/client-index.js';
import { Complaints } from './complaints.js';
import type { Given } from './given.js';
import type { CaptureRequest, InterventionRequest, InterventionsRequest } from './inside-schema.js';
import { intervened, MisfitError, type Edit } from './intervene.js';
import { quoted } from './state.js';

export interface InsideRequest {
  readonly capture?: readonly CaptureRequest[] | undefined;
  readonly interventions?: InterventionsRequest | undefined;
  /** The gradients of what is captured, too. */
  readonly captureGrad?: boolean;
}

/** The same without its tensors, as plain data: two requests of one spec have one plan. */
export interface InsideSpec {
  readonly captures: readonly CaptureRequest[];
  readonly outputs: readonly Target[];
  readonly parameters: readonly Target[];
  readonly gradients: boolean;
}

interface Target {
  readonly path: string;
  /** Where it stands in the request. */
  readonly at: string;
  readonly edits: readonly Edit[];
}

/** An output that is looked at: all of it, and what is told of it. */
export interface Captured {
  readonly path: string;
  readonly whole: Value;
  readonly shown: Value;
  /** The same part of a value like `whole`. */
  readonly part: (whole: Value) => Value;
  readonly stats: boolean;
  readonly bins: Bins | undefined;
}

/** undefined: nothing of the inside is asked for. */
export function insideRequest(request: InsideRequest): InsideRequest | undefined {
  return request.capture || request.interventions ? request : undefined;
}

/** The same of a request, as its plan and its run need it. */
export function insideOf(request: InsideRequest): { spec: InsideSpec; values: readonly Given[] } | undefined {
  if (!insideRequest(request)) return undefined;
  const { capture, interventions, captureGrad = false } = request;
  const values: Given[] = [];
  const targets = (field: 'outputs' | 'parameters'): Target[] =>
    Object.entries(interventions?.[field] ?? {}).map(([path, given]) => {
      const at = `interventions.${field}${pathKey(path)}`;
      return { path, at, edits: given.map((one) => editOf(one, at, values)) };
    });
  const [outputs, parameters] = [targets('outputs'), targets('parameters')];
  return { spec: { captures: capture ?? [], outputs, parameters, gradients: captureGrad }, values };
}

function editOf({ op, index, value, at, valueAt }: InterventionRequest, base: string, values: Given[]): Edit {
  const given: Given = { value, path: base + valueAt, ...(op === 'mask' && { mask: true }) };
  return { op, index, value: values.push(given) - 1, at: base + at, valueAt: given.path };
}

/** The modules that one entry of a request means, by path and type. */
class Selector<T extends { readonly path?: string | undefined; readonly type?: string | undefined }> {
  readonly what: T;
  /** Where it stands in the request. */
  readonly at: string;
  /** Whether the forward has called one of them. */
  met = false;
  readonly pattern: PathPattern | undefined;
  readonly type: string | undefined;
  /** Of a pattern without wildcards: a negative index in it is one of the tree that runs. */
  readonly literal: string | undefined;

  constructor(root: Module, what: T, at: string) {
    const { path, type } = what;
    this.what = what;
    this.at = at;
    this.type = type && (layerType(type) ?? type);
    this.pattern = path === undefined ? undefined : new PathPattern(path);
    if (!this.pattern?.literal) return;
    const found = findModule(root, path!);
    this.literal = 'path' in found ? found.path : path;
  }

  covers(path: string, { type }: Module): boolean {
    if (this.type !== undefined && this.type !== type) return false;
    const there = this.literal === undefined ? this.matches(path) : this.literal === path;
    if (there) this.met = true;
    return there;
  }

  /** The module that runs has no name: of the patterns only the one for all covers it. */
  private matches(path: string): boolean {
    if (!this.pattern) return true;
    return path === '' ? this.pattern.text === '**' : this.pattern.matches(path);
  }
}

interface InsideOptions {
  readonly tracer: Tracer;
  /** The module that runs: paths are relative to it. */
  readonly root: Module;
  readonly spec: InsideSpec;
  readonly values: readonly Value[];
}

export class Inside {
  /** In the order in which the forward made them. */
  readonly captured: Captured[] = [];
  private readonly options: InsideOptions;
  private readonly captures: readonly Selector<CaptureRequest>[];
  private readonly outputs: readonly Selector<Target>[];
  /** The paths of the modules that the forward has called. */
  private readonly called: string[] = [];
  private readonly complaints = new Complaints();

  constructor(options: InsideOptions) {
    this.options = options;
    const { root, spec } = options;
    this.captures = spec.captures.map((what, i) => new Selector(root, what, `capture[${i}]`));
    this.outputs = patternsFirst(spec.outputs).map((what) => new Selector(root, what, what.at));
  }

  /** Puts other values in the places of parameters; to be done before the forward is traced. */
  substitute(): void {
    const { root, spec, tracer } = this.options;
    for (const target of patternsFirst(spec.parameters)) {
      const found = this.parametersOf(root, target);
      for (const [parameter, path] of found) {
        const changed = this.change(tracer.read(parameter)!, target, `parameter ${quoted(path)}`);
        tracer.substitute(parameter, changed);
      }
    }
  }

  private parametersOf(root: Module, { path, at }: Target): ReadonlyMap<Parameter, string> {
    const pattern = new PathPattern(path);
    if (pattern.literal) {
      const found = findParameter(root, path);
      if ('parameter' in found) return new Map([[found.parameter, found.path]]);
      this.miss('PARAMETER_NOT_FOUND', path, { at, near: found.suggestion });
      return new Map();
    }
    const names = everyName(root);
    const found = new Map<Parameter, string>();
    for (const { path: name, value } of names) {
      if (!found.has(value) && pattern.matches(name)) found.set(value, name);
    }
    const near = (): string | undefined =>
      nearestPath(
        pattern,
        names.map(({ path: name }) => name),
      );
    if (found.size === 0) this.miss('PARAMETER_NOT_FOUND', path, { at, near: near() });
    return found;
  }

  /** See TraceOptions. What is captured comes after what is changed, as whoever reads the output gets it. */
  readonly observe = (output: Value, module: Module, path: string): Value => {
    this.called.push(path);
    const { tracer, spec } = this.options;
    let value = output;
    for (const selector of this.outputs) {
      if (selector.covers(path, module))
        value = this.change(value, selector.what, `the output of ${quoted(path)}`);
    }
    // All are asked, so that each is met; the first says how.
    const [first] = this.captures.filter((selector) => selector.covers(path, module));
    if (!first) return value;
    // Its gradient is not that of another value, whose bytes it may be.
    if (spec.gradients) value = tracer.apply('identity', [value], {});
    const captured = this.complaints.attempt(() => this.capture(value, path, first), { at: first.at });
    if (captured) this.captured.push(captured);
    return value;
  };

  /** Throws everything that was wrong; to be done when the forward is traced. */
  finish(): void {
    const { root } = this.options;
    for (const { met, pattern, type, at } of [...this.captures, ...this.outputs]) {
      if (met) continue;
      if (type !== undefined && !layerType(type)) {
        const message = `there is no type ${quoted(type)}${didYouMean(type, Object.keys(LAYERS))}`;
        this.complaints.add('INVALID_REQUEST', [{ path: `${at}.type`, message }]);
        continue;
      }
      const path = pattern?.text ?? '**';
      const literal = pattern?.literal === true ? findModule(root, path) : undefined;
      const near = !literal
        ? pattern && nearestPath(pattern, this.called)
        : 'suggestion' in literal
          ? literal.suggestion
          : undefined;
      this.miss('MODULE_NOT_FOUND', path, { at, near, type });
    }
    this.complaints.throwIfAny('INVALID_REQUEST');
  }

  private change(value: Value, { edits }: Target, what: string): Value {
    const { tracer, values } = this.options;
    return edits.reduce((before, edit) => {
      try {
        return intervened(tracer.apply, before, edit, { value: values[edit.value]!, what });
      } catch (error) {
        if (error instanceof MisfitError) {
          const { at, message } = error;
          this.complaints.refuse('SHAPE_MISMATCH', [message], { path: at, message });
        } else this.complaints.attempt(() => raise(error), { at: edit.at });
        return before;
      }
    }, value);
  }

  private capture(whole: Value, path: string, { what, at }: Selector<CaptureRequest>): Captured {
    const { apply } = this.options.tracer;
    const { index, stats, bins } = what;
    const dims = index === undefined ? undefined : takenOf(whole.shape, index, `${at}.index`);
    const part = (value: Value): Value => (dims ? taken(apply, value, dims) : value);
    const shown = part(whole);
    return { path, whole, shown, part, stats, bins };
  }

  private miss(
    code: 'MODULE_NOT_FOUND' | 'PARAMETER_NOT_FOUND',
    path: string,
    { at, near, type }: { at: string; near: string | undefined; type?: string | undefined },
  ): void {
    const hint = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
    const none =
      code === 'PARAMETER_NOT_FOUND'
        ? 'no parameter is there'
        : `the forward calls no ${type ?? 'module'} there`;
    const message = none + hint;
    this.complaints.refuse(code, [quoted(path)], { path: at, message });
  }
}

function raise(error: unknown): never {
  throw error;
}

/** What is said of one alone comes after what is said of many. */
function patternsFirst(targets: readonly Target[]): readonly Target[] {
  const literal = ({ path }: Target): number => Number(!path.includes('*'));
  return [...targets].sort((a, b) => literal(a) - literal(b));
}
