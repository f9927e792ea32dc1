// What a client wants to be small: a loss by name, and the targets that it compares the output with.

import { ApiError, type Fault } from '../errors.js';
import { parseLoss, targetNames, type Loss } from '../nn/losses/spec.js';
import { isObject } from '../nn/children.js';
import { didYouMean } from '../nn/near-miss.js';
import { pathKey } from '../nn/options.js';
import { isTensor, type Given } from './given.js';

/** A loss as a client writes it: its name, with its options beside it. */
export type LossRequest = Readonly<Record<string, unknown>>;

/** Throws INVALID_REQUEST. */
export function readLoss(given: LossRequest): Loss {
  const checked = parseLoss(given, 'loss');
  if ('faults' in checked) throw new ApiError('INVALID_REQUEST', [], checked.faults);
  return checked.value;
}

/** A loss's targets in its order: one tensor, or an object of them by PyTorch's names. Throws INVALID_REQUEST. */
export function targetsOf(loss: Loss, targets: unknown, path = 'targets'): readonly Given[] {
  const names = targetNames(loss);
  const byName =
    isObject(targets) && !isTensor(targets) && !('data' in targets || 'shape' in targets)
      ? new Map(Object.entries(targets))
      : undefined;
  if (!byName) {
    if (names.length === 1) return [{ value: targets, path }];
    const message = `must be an object of tensors by name: ${loss.name} takes ${names.join(' and ')}`;
    throw new ApiError('INVALID_REQUEST', [], [{ path, message }]);
  }
  const faults: Fault[] = [...byName.keys()]
    .filter((name) => !names.includes(name))
    .map((name) => ({
      path: `${path}${pathKey(name)}`,
      message: `${loss.name} takes no such tensor${didYouMean(name, names)}`,
    }));
  for (const name of names) {
    if (!byName.has(name)) faults.push({ path: `${path}${pathKey(name)}`, message: 'is missing' });
  }
  if (faults.length > 0) throw new ApiError('INVALID_REQUEST', [], faults);
  return names.map((name) => ({ value: byName.get(name), path: `${path}${pathKey(name)}` }));
}
