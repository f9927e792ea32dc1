// What is told of parameters' numbers: values, gradients, statistics, of all of a parameter or of a slice. All of one
// answer is of one revision: what is read later, by workers, is held from the start.

import type { Parameter } from '../nn/module.js';
import { HeldTensor } from '../runtime/held-tensor.js';
import type { Surveys } from '../runtime/surveys.js';
import type { Bins } from '../tensor/bins.js';
import type { Statistics } from '../tensor/statistics.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { gather, isContiguous, type View } from '../tensor/view.js';
import { viewOf } from '../tensor/client-index.js';
import { gradientOf, type Storage } from './companion.js';
import type { Tensors } from './tensors.js';

export interface Wanted {
  readonly value?: boolean;
  readonly grad?: boolean;
  readonly stats?: boolean;
  /** Of the histogram in the statistics; absent: none. */
  readonly bins?: Bins | undefined;
}

/** What was wanted, and no more. */
export interface Told {
  readonly value?: TensorValue;
  readonly grad?: TensorValue | null;
  readonly stats?: Statistics;
}

interface Numbers {
  readonly tensors: Tensors;
  readonly surveys: Surveys;
}

/**
 * Of each parameter, in order; of what `index` takes of it. Whoever gets held values lets them go. Throws INDEX_INVALID or
 * INDEX_OUT_OF_RANGE; rejects with WorkerLostError or PoolClosedError, and holds nothing then.
 */
export async function inspect(
  numbers: Numbers,
  parameters: readonly Parameter[],
  wanted: Wanted,
  index?: string,
): Promise<Told[]> {
  const views = parameters.map(({ shape }) =>
    index === undefined ? undefined : viewOf(shape, index, 'index'),
  );
  const values = parameters.map((parameter, i) =>
    wanted.value ? read(numbers.tensors, parameter, views[i]) : undefined,
  );
  const grads = parameters.map((parameter, i) => {
    const gradient = gradientOf(parameter);
    const there = wanted.grad && numbers.tensors.find(gradient);
    return there ? read(numbers.tensors, gradient, views[i]) : null;
  });
  try {
    const looked = wanted.stats ? parameters : [];
    const stats = await Promise.all(
      looked.map((parameter, i) => survey(numbers, parameter, { view: views[i], bins: wanted.bins })),
    );
    return parameters.map((_, i) => ({
      ...(wanted.value && { value: values[i]! }),
      ...(wanted.grad && { grad: grads[i]! }),
      ...(wanted.stats && { stats: stats[i]! }),
    }));
  } catch (error) {
    for (const value of [...values, ...grads]) if (value instanceof HeldTensor) value.release();
    throw error;
  }
}

/** What stands together is held in its place. */
function read(tensors: Tensors, storage: Storage, view: View | undefined): TensorValue {
  if (!view) return tensors.read(storage);
  return isContiguous(view) ? tensors.read(storage, view) : gather(tensors.value(storage), view);
}

function survey(
  { tensors, surveys }: Numbers,
  parameter: Parameter,
  options: { view: View | undefined; bins: Bins | undefined },
): Promise<Statistics> {
  return surveys.statistics(tensors.get(parameter).region, parameter, options);
}
