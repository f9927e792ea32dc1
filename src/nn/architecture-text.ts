// A module tree back to an architecture (JSON): reading it again gives a tree with the same print, names and ties.
// Options at their defaults are left out. A module or storage that came before is written as a reference to it.

import { LAYERS } from './layers/table.js';
import type { OptionDefinition } from './layer.js';
import { joinPath, type Module, type Named, type Parameter } from './module.js';
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
    this.parts(module, path);
    const tie = this.ties(module, path);
    const given: [string, Json][] = [];
    for (const option of definition.options) {
      const { name, default: usual } = option;
      if (option.kind === 'module') this.argument(option, module, path, given);
      else if (usual === undefined || !same(options[name]!, usual))
        given.push([name, asJson(options[name]!)]);
    }
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

  /** The modules that a module is made of are not described, but may be referred to. */
  private parts(module: Module, path: string): void {
    for (const { path: part, value } of partsOf(module)) {
      if (!this.modules.has(value)) this.modules.set(value, joinPath(path, part));
    }
  }

  /** A module among a constructor's arguments; copies are one module, unless something tells them apart. */
  private argument(
    { name, copies }: OptionDefinition & { kind: 'module' },
    { children }: Module,
    path: string,
    given: [string, Json][],
  ): void {
    if (!copies) {
      const child = children.get(name);
      if (child) given.push([name, this.module(child, joinPath(path, name))]);
      return;
    }
    const { into, count } = copies;
    const list = [...children.get(into)!.children];
    this.modules.set(children.get(into)!, joinPath(path, into));
    const described = list.map(([key, child]) => this.module(child, joinPath(path, `${into}.${key}`)));
    const alone = list.map(([, child]) => JSON.stringify(describeArchitecture(child)));
    const alike = described.every((json) => JSON.stringify(json) === alone[0]);
    given.push([name, alike && described.length > 0 ? described[0]! : described]);
    const counted = given.find(([key]) => key === count);
    if (counted) counted[1] = described.length;
    else given.push([count, described.length]);
  }

  /** The parameters, its own and those of the modules that it is made of, whose storage has an earlier name. */
  private ties(module: Module, path: string): [string, string][] {
    const ties: [string, string][] = [];
    for (const { path: owner, value } of [{ path: '', value: module }, ...partsOf(module)]) {
      for (const [own, parameter] of value.parameters) {
        if (!parameter) continue;
        const name = joinPath(owner, own);
        const first = this.parameters.get(parameter);
        if (first === undefined) this.parameters.set(parameter, joinPath(path, name));
        else ties.push([name, first]);
      }
    }
    return ties;
  }
}

/** The modules that a module is made of, and those that they are made of. */
function partsOf(module: Module): Named<Module>[] {
  return (LAYERS[module.type].parts?.(module.options) ?? []).flatMap(({ name }) => {
    const part = module.children.get(name)!;
    return [
      { path: name, value: part },
      ...partsOf(part).map(({ path, value }) => ({ path: joinPath(name, path), value })),
    ];
  });
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
