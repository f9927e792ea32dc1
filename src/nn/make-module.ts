// Makes one module of a type, with parameters that have shapes and no numbers yet, and tells how they are drawn.

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
}

/** A module as its constructor leaves it; a container's children are yet to be added. */
export function makeModule(type: LayerType, options: Options): Module {
  const parameters = new Map<string, Parameter | null>();
  for (const { name, kind, shape, dtype = 'float32' } of LAYERS[type].parameters?.(options) ?? []) {
    parameters.set(name, shape && { kind, shape, dtype });
  }
  return { type, options, parameters, children: new Map() };
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
