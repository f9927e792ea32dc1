// A client's loss: a name with its options beside it, checked, and written down as ops.

import type { Fault } from '../../errors.js';
import { didYouMean } from '../../nearest.js';
import type { Tracer, Value } from '../../graph/tracer.js';
import { decodeTensor, inspectTensor, TensorError } from '../../tensor/json.js';
import { numel, type Shape } from '../../tensor/shape.js';
import { pathKey } from '../options.js';
import type { Setting } from '../optim/optimizer.js';
import { checkedSettings, faulty, type Checked } from '../optim/settings.js';
import { LOSSES, lossName, lossNames, type LossName } from './table.js';

/** Weights are written into each plan: so many are enough for all the classes there are. */
const MAX_WEIGHTS = 65_536;

export interface Loss {
  readonly name: LossName;
  readonly options: Readonly<Record<string, Setting>>;
  /** Options that are tensors. */
  readonly tensors: Readonly<Record<string, { readonly shape: Shape; readonly data: readonly number[] }>>;
}

/** The names of what a loss takes besides the output. */
export function targetNames({ name }: Pick<Loss, 'name'>): readonly string[] {
  return LOSSES[name].targets;
}

export function parseLoss(given: Readonly<Record<string, unknown>>, path: string): Checked<Loss> {
  const { name: written, ...rest }: Record<string, unknown> = given;
  const name = typeof written === 'string' ? lossName(written) : undefined;
  if (name === undefined) {
    const near = typeof written === 'string' ? didYouMean(written, lossNames) : '';
    return faulty(`${path}.name`, `must be one of ${Object.keys(LOSSES).join(', ')}${near}`);
  }
  const definition = LOSSES[name];
  const faults: Fault[] = [];
  const tensors: Record<string, { shape: Shape; data: number[] }> = {};
  for (const option of definition.tensors ?? []) {
    const value = rest[option];
    delete rest[option];
    if (value === undefined || value === null) continue;
    const read = readWeights(value, `${path}${pathKey(option)}`);
    if ('faults' in read) faults.push(...read.faults);
    else tensors[option] = read.value;
  }
  const options = checkedSettings({ type: name, definition }, rest, path, faults);
  return faults.length > 0 ? { faults } : { value: { name, options, tensors } };
}

function readWeights(value: unknown, path: string): Checked<{ shape: Shape; data: number[] }> {
  try {
    const { shape } = inspectTensor(value, path);
    if (numel(shape) > MAX_WEIGHTS) {
      return faulty(path, `must have at most ${MAX_WEIGHTS} elements`);
    }
    const { data } = decodeTensor(value, { dtype: 'float32', path });
    return { value: { shape, data: Array.from(data, Number) } };
  } catch (error) {
    if (error instanceof TensorError) return { faults: error.faults };
    throw error;
  }
}

/** The loss, of shape [] but for reduction `none`. Throws ShapeError, DTypeError. */
export function traceLoss(
  { apply }: Tracer,
  { name, options, tensors }: Loss,
  { output, targets }: { output: Value; targets: readonly Value[] },
): Value {
  const constants = new Map(
    Object.entries(tensors).map(([option, given]) => [option, apply('constant', [], given)]),
  );
  return LOSSES[name].trace({ apply, output, targets, options, tensors: constants });
}
