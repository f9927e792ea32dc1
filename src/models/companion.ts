// Tensors that a parameter has beside its value: its gradient, an optimizer's state. They are storages like parameters,
// so that whatever is done to a value (a patch, a change's log entry, a region that is replaced) is done to them too.

import type { Parameter } from '../nn/module.js';
import type { DType } from '../tensor/dtype.js';
import { sameShape, type Shape } from '../tensor/shape.js';

export interface Companion {
  readonly kind: 'companion';
  readonly of: Parameter;
  /** `grad`, or as the optimizer calls it (`exp_avg`). */
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Whatever a model has values for. Told apart by identity. */
export type Storage = Parameter | Companion;

export const GRAD = 'grad';

const companions = new WeakMap<Parameter, Map<string, Companion>>();

/** The companion of that name, the same one each time as long as its shape is (the parameter's, unless it is said). */
export function companion(of: Parameter, name: string, shape: Shape = of.shape): Companion {
  let named = companions.get(of);
  if (!named) companions.set(of, (named = new Map<string, Companion>()));
  let found = named.get(name);
  if (!found || !sameShape(found.shape, shape))
    named.set(name, (found = { kind: 'companion', of, name, shape, dtype: 'float32' }));
  return found;
}

export function gradientOf(parameter: Parameter): Companion {
  return companion(parameter, GRAD);
}

/** The parameter whose storage this is, or whose companion. */
export function ownerOf(storage: Storage): Parameter {
  return storage.kind === 'companion' ? storage.of : storage;
}
