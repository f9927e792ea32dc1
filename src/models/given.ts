// What a client gives a module: one tensor, or an object of tensors by the names of its inputs. Nothing is decoded.

import { ApiError, type Fault } from '../errors.js';
import { isObject } from '../nn/children.js';
import type { Module } from '../nn/module.js';
import { didYouMean } from '../nn/near-miss.js';
import { pathKey } from '../nn/options.js';
import { inputNames, requiredInputs } from '../nn/signature.js';
import { Selected } from '../datasets/select.js';
import { TensorValue } from '../tensor/tensor-value.js';
import type { DType } from '../tensor/dtype.js';
import { byteLength, SizeError, type Shape } from '../tensor/shape.js';
import type { PlannedInput } from './plans.js';

/** A client's tensor, not decoded yet. */
export interface Given {
  readonly value: unknown;
  /** Where it stands in the request. */
  readonly path: string;
  /** It is of true and false (or 1 and 0), and computed with as float32. */
  readonly mask?: true;
}

/**
 * A module's inputs in their order, as far as they are given; `path` is where they stand in the request. Throws
 * INVALID_REQUEST. An object whose keys all are names of inputs is one by name, any other is a tensor.
 */
export function givenTo(module: Module, inputs: unknown, path = 'inputs'): readonly Given[] {
  const names = inputNames(module);
  if (!names) return [{ value: inputs, path }];
  const required = requiredInputs(module);
  const byName = isObject(inputs) && !isTensor(inputs) ? new Map(Object.entries(inputs)) : undefined;
  const unknown = [...(byName?.keys() ?? [])].filter((name) => !names.includes(name));
  if (!byName || (unknown.length > 0 && (byName.has('data') || byName.has('shape')))) {
    if (required === 1) return [{ value: inputs, path }];
    throw invalid([{ path, message: `must be an object of tensors by name: ${names.join(', ')}` }]);
  }
  const faults: Fault[] = unknown.slice(0, names.length + 8).map((name) => ({
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

/** It came as a tensor, in bytes or of a data set: no object of a client's. */
export function isTensor(given: unknown): boolean {
  return given instanceof TensorValue || given instanceof Selected;
}

/** What a client says of inputs that it does not give: of one, or of several by name. */
export type Described =
  { readonly one: DescribedTensor } | { readonly byName: ReadonlyMap<string, DescribedTensor> };

export interface DescribedTensor {
  readonly shape: Shape;
  readonly dtype?: DType | undefined;
}

/** A module's inputs in their order, as they are described. Throws INVALID_REQUEST. */
export function describedTo(module: Module, given: Described): readonly PlannedInput[] {
  const names = inputNames(module);
  if ('byName' in given && !names) {
    throw invalid([
      { path: 'inputs', message: `${module.type} takes one tensor without a name: give its shape` },
    ]);
  }
  const inputs = 'byName' in given ? Object.fromEntries(given.byName) : given.one;
  return givenTo(module, inputs).map(({ value, path }) => {
    const { shape, dtype } = value as DescribedTensor;
    try {
      byteLength(shape, dtype ?? 'float32');
    } catch (error) {
      if (error instanceof SizeError) throw invalid([{ path, message: error.message }]);
      throw error;
    }
    return { shape, dtype: dtype === 'int32' ? 'int64' : dtype, integral: dtype === undefined };
  });
}

function invalid(faults: readonly Fault[]): ApiError {
  return new ApiError('INVALID_REQUEST', [], faults);
}
