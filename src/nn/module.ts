// A tree of modules as torch.nn knows it: names, order, sharing. It holds no numbers: those belong to the live model.
// A Parameter's identity is its storage: two names that lead to one Parameter are tied.

import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { LayerType } from './layers/table.js';
import type { PendingInit } from './lazy.js';
import type { Options } from './options.js';
import type { Wiring } from './wiring.js';

export interface Parameter {
  readonly kind: 'parameter' | 'buffer';
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Maps keep registration order. A null parameter is a registered absence (`bias=False`). */
export interface Module {
  readonly type: LayerType;
  readonly options: Options;
  readonly parameters: Map<string, Parameter | null>;
  readonly children: Map<string, Module>;
  /** Of a lazy module: what is done to its parameters once they are there. */
  readonly pending?: readonly PendingInit[];
  /** Of a Graph. */
  readonly wiring?: Wiring;
}

export interface Named<T> {
  readonly path: string;
  readonly value: T;
}

export function joinPath(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

/** torch.nn.Module.named_modules: parents before children, each module once, under its first name. */
export function namedModules(root: Module, prefix = ''): Named<Module>[] {
  const seen = new Set<Module>();
  const found: Named<Module>[] = [];
  const visit = (module: Module, path: string): void => {
    if (seen.has(module)) return;
    seen.add(module);
    found.push({ path, value: module });
    for (const [name, child] of module.children) visit(child, joinPath(path, name));
  };
  visit(root, prefix);
  return found;
}

/**
 * Every name of every parameter and buffer, in state_dict's order (a module's own parameters, its buffers, its
 * children); shared ones once for each name.
 */
export function everyName(root: Module, prefix = ''): Named<Parameter>[] {
  const found: Named<Parameter>[] = [];
  const visit = (module: Module, path: string): void => {
    for (const kind of ['parameter', 'buffer'] as const) {
      for (const [name, parameter] of module.parameters) {
        if (parameter?.kind === kind) found.push({ path: joinPath(path, name), value: parameter });
      }
    }
    for (const [name, child] of module.children) visit(child, joinPath(path, name));
  };
  visit(root, prefix);
  return found;
}

/** torch.nn.Module.named_parameters (or named_buffers): each storage once, under its first name. */
export function namedParameters(root: Module, prefix = ''): Named<Parameter>[] {
  const seen = new Set<Parameter>();
  return everyName(root, prefix).filter(({ value }) => !seen.has(value) && seen.add(value));
}

/**
 * The order of torch.nn.Module.apply: children first, then self. A module that stands twice under one parent is
 * visited once there (children() skips repeats); under two parents it is visited twice.
 */
export function applyOrder(root: Module, prefix = ''): Named<Module>[] {
  const found: Named<Module>[] = [];
  const visit = (module: Module, path: string): void => {
    const seen = new Set<Module>();
    for (const [name, child] of module.children) {
      if (seen.has(child)) continue;
      seen.add(child);
      visit(child, joinPath(path, name));
    }
    found.push({ path, value: module });
  };
  visit(root, prefix);
  return found;
}
