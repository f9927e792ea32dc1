// A module tree back to an architecture (JSON): reading it again gives a tree with the same print, names and ties.
// Options at their defaults are left out. A module or storage that came before is written as a reference to it.

import { LAYERS } from './layers/table.js';
import { joinPath, type Module, type Parameter } from './module.js';
import { pythonRepr, type OptionValue } from './options.js';
import { givenOptions, type Wiring } from './wiring.js';

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

export function describeArchitecture(root: Module): JsonObject {
  return new Describer().module(root, '');
}

class Describer {
  private readonly modules = new Map<Module, string>();
  private readonly parameters = new Map<Parameter, string>();

  module(module: Module, path: string): JsonObject {
    const first = this.modules.get(module);
    if (first !== undefined) return { ref: first };
    this.modules.set(module, path);
    const { type, options } = module;
    const definition = LAYERS[type];
    const given = definition.options
      .filter(({ name, default: usual }) => usual === undefined || !same(options[name]!, usual))
      .map(({ name }): [string, Json] => [name, asJson(options[name]!)]);
    const tie = this.ties(module, path);
    return {
      type,
      ...Object.fromEntries(given),
      ...(tie.length > 0 && { tie: Object.fromEntries(tie) }),
      ...(module.wiring && this.wiring(module, module.wiring, path)),
      ...(definition.container && !module.wiring && { children: this.children(module, path) }),
    };
  }

  private children({ type, children }: Module, path: string): Json[] {
    const named = LAYERS[type].container === 'name';
    return [...children].map(([name, child], position) => {
      const described = this.module(child, joinPath(path, name));
      return named || name !== String(position) ? { ...described, name } : described;
    });
  }

  private wiring({ children }: Module, { inputs, nodes, outputs }: Wiring, path: string): JsonObject {
    const described = nodes.map(({ name, inputs: read, op }): JsonObject => {
      const what: JsonObject = op
        ? {
            op: op.name,
            ...Object.fromEntries(givenOptions(op).map(([key, value]) => [key, asJson(value)])),
          }
        : { module: this.module(children.get(name)!, joinPath(path, name)) };
      return { name, ...what, inputs: [...read] };
    });
    return { inputs: [...inputs], nodes: described, outputs: [...outputs] };
  }

  /** The parameters whose storage has an earlier name. */
  private ties({ parameters }: Module, path: string): [string, string][] {
    const ties: [string, string][] = [];
    for (const [name, parameter] of parameters) {
      if (!parameter) continue;
      const first = this.parameters.get(parameter);
      if (first === undefined) this.parameters.set(parameter, joinPath(path, name));
      else ties.push([name, first]);
    }
    return ties;
  }
}

/** What prints the same is the same: 1 and 1.0 are not. */
function same(a: OptionValue, b: OptionValue): boolean {
  return pythonRepr(a) === pythonRepr(b);
}

/** JSON numbers cannot tell 1.0 from 1, nor be infinite: such floats are written as texts, which options read. */
function asJson(value: OptionValue): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : pythonRepr(value);
  return Array.isArray(value) ? value.map(asJson) : pythonRepr(value);
}
