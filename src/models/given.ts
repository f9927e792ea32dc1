// What a client gives a module: one tensor, or an object of tensors by the names of its inputs. Nothing is decoded here.

import { ApiError, type Fault } from '../errors.js';
import { isObject } from '../nn/children.js';
import type { Module } from '../nn/module.js';
import { didYouMean } from '../nn/near-miss.js';
import { pathKey } from '../nn/options.js';
import { inputNames, requiredInputs } from '../nn/signature.js';
import { RawTensor } from '../tensor/raw-tensor.js';

/** A client's tensor, not decoded yet. */
export interface Given {
  readonly value: unknown;
  /** Where it stands in the request. */
  readonly path: string;
}

/**
 * A module's inputs in their order, as far as they are given; `path` is where they stand in the request. Throws
 * INVALID_REQUEST. An object whose keys all are names of inputs is one by name, any other is a tensor.
 */
export function givenTo(module: Module, inputs: unknown, path = 'inputs'): readonly Given[] {
  const names = inputNames(module);
  if (!names) return [{ value: inputs, path }];
  const required = requiredInputs(module);
  const byName =
    isObject(inputs) && !(inputs instanceof RawTensor) ? new Map(Object.entries(inputs)) : undefined;
  const unknown = [...(byName?.keys() ?? [])].filter((name) => !names.includes(name));
  if (!byName || (unknown.length > 0 && (byName.has('data') || byName.has('shape')))) {
    if (required === 1) return [{ value: inputs, path }];
    throw invalid([{ path, message: `must be an object of tensors by name: ${names.join(', ')}` }]);
  }
  const faults: Fault[] = unknown
    .slice(0, names.length + 8)
    .map((name) => ({
      path: `${path}${pathKey(name)}`,
      message: `there is no such input${didYouMean(name, names)}`,
    }));
  // Those that may be left out are the last; one that is given needs all before it.
  const last = names.findLastIndex((name) => byName.has(name));
  const given = names.slice(0, Math.max(required, last + 1));
  for (const name of given)
    if (!byName.has(name)) faults.push({ path: `${path}${pathKey(name)}`, message: 'is missing' });
  if (faults.length > 0) throw invalid(faults);
  return given.map((name) => ({ value: byName.get(name), path: `${path}${pathKey(name)}` }));
}

function invalid(faults: readonly Fault[]): ApiError {
  return new ApiError('INVALID_REQUEST', [], faults);
}
