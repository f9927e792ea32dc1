// Makes one module of a type, with the modules that it is made of and parameters that have shapes and no numbers yet, and
// tells how these are drawn.

import type { InitSpec } from './init/spec.js';
import { LAYERS, type LayerType } from './layers/table.js';
import type { Module, Parameter } from './module.js';
import type { Options } from './options.js';

/** How one parameter's values begin: what reset_parameters does to it. */
export interface DefaultInit {
  readonly name: string;
  readonly parameter: Parameter;
  readonly init: InitSpec;
  /** A row that is set to 0 after the draw. */
  readonly zeroRow?: number;
  /** Its values are those of this parameter, in place of a draw. */
  readonly copyOf?: Parameter;
}

/** A module as its constructor leaves it; a container's children are yet to be added. */
export function makeModule(type: LayerType, options: Options): Module {
  const parameters = new Map<string, Parameter | null>();
  for (const { name, kind, shape, dtype = 'float32' } of LAYERS[type].parameters?.(options) ?? []) {
    parameters.set(name, shape && { kind, shape, dtype });
  }
  const children = new Map<string, Module>();
  for (const part of LAYERS[type].parts?.(options) ?? []) {
    const partType = part.type as LayerType;
    children.set(part.name, makeModule(partType, withDefaults(partType, part.options)));
  }
  return { type, options, parameters, children };
}

function withDefaults(type: LayerType, given: Options): Options {
  return Object.fromEntries(
    LAYERS[type].options.map(({ name, default: usual }) => [name, given[name] ?? usual!]),
  );
}

/** reset_parameters of this module's own parameters and buffers, in PyTorch's order. */
export function defaultInits({ type, options, parameters }: Module): DefaultInit[] {
  const inits: DefaultInit[] = [];
  for (const { name, init, zeroRow } of LAYERS[type].parameters?.(options) ?? []) {
    const parameter = parameters.get(name);
    if (parameter) inits.push({ name, parameter, init, ...(zeroRow !== undefined && { zeroRow }) });
  }
  return inits;
}

/** All that a module's constructor draws, its parts' parameters included, in PyTorch's order. */
export function constructionInits(module: Module): DefaultInit[] {
  const definition = LAYERS[module.type];
  const children = (definition.parts?.(module.options) ?? []).map(({ name }) => module.children.get(name)!);
  const inits = [...children.flatMap(constructionInits), ...defaultInits(module)];
  for (const { part, parameter: name, init } of definition.settles?.(module.options) ?? []) {
    const parameter = module.children.get(part)!.parameters.get(name);
    if (parameter) inits.push({ name, parameter, init });
  }
  return inits;
}

/** copy.deepcopy(module): what is shared within it is shared within the copy. `copies` are the parameters' counterparts. */
export function copyModule(module: Module, copies: Map<Parameter, Parameter>): Module {
  const known = new Map<Module, Module>();
  const copy = (original: Module): Module => {
    const made = known.get(original);
    if (made) return made;
    const parameters = new Map<string, Parameter | null>();
    for (const [name, parameter] of original.parameters) {
      if (parameter && !copies.has(parameter)) copies.set(parameter, { ...parameter });
      parameters.set(name, parameter && copies.get(parameter)!);
    }
    const children = new Map([...original.children].map(([name, child]) => [name, copy(child)]));
    const module = { ...original, parameters, children };
    known.set(original, module);
    return module;
  };
  return copy(module);
}
