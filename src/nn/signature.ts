// What a module's forward takes and gives, by name, where that is not one tensor each.

import { LAYERS } from './layers/table.js';
import type { Module } from './module.js';

/** The names of what it takes, in order; undefined: one tensor without a name. The `?` of a layer's is left out. */
export function inputNames(module: Module): readonly string[] | undefined {
  return written(module)?.map((name) => name.replace(/\?$/, ''));
}

/** How many of its inputs must be there: those before the first with a `?`. */
export function requiredInputs(module: Module): number {
  const names = written(module);
  if (!names) return 1;
  const optional = names.findIndex((name) => name.endsWith('?'));
  return optional < 0 ? names.length : optional;
}

/** The names of what it gives; undefined: one tensor. */
export function outputNames(module: Module): readonly string[] | undefined {
  return LAYERS[module.type].outputs?.(module);
}

/** What is wrong with so many inputs; undefined: nothing. */
export function inputsFault(module: Module, count: number): string | undefined {
  const names = inputNames(module);
  const [least, most] = [requiredInputs(module), names?.length ?? 1];
  if (count >= least && count <= most) return undefined;
  const takes = least === most ? String(most) : `${least} to ${most}`;
  const listed = names ? ` (${names.join(', ')})` : '';
  return `${module.type} takes ${takes} input${most === 1 ? '' : 's'}${listed}, got ${count}`;
}

function written(module: Module): readonly string[] | undefined {
  const { inputs } = LAYERS[module.type];
  return typeof inputs === 'function' ? inputs(module) : inputs;
}
