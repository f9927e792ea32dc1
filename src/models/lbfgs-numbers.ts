// What LBFGS keeps besides its vectors, as tensors: numbers, and a list for each remembered step.

import { ApiError, type Fault } from '../errors.js';
import { decodeTensor } from '../tensor/json.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { TensorError } from '../tensor/fault.js';
import type { LbfgsState } from '../nn/optim/lbfgs.js';
import { pathKey } from '../nn/options.js';

const NUMBERS = ['n_iter', 'func_evals', 't', 'H_diag', 'prev_loss'] as const;
/** One for each remembered step, the oldest first: its curvature, and the row of the history where it stands. */
const LISTS = ['ro', 'order'] as const;

export const LBFGS_NUMBERS: readonly string[] = [...NUMBERS, ...LISTS];

export function writeNumbers(state: LbfgsState): Record<string, TensorValue> {
  const one = (value: number): TensorValue => new TensorValue('float32', [], Float32Array.of(value));
  const list = (values: readonly number[]): TensorValue =>
    new TensorValue('float32', [values.length], Float32Array.from(values));
  return {
    ...Object.fromEntries(NUMBERS.map((name) => [name, one(state[name])])),
    ...Object.fromEntries(LISTS.map((name) => [name, list(state[name])])),
  };
}

/** Of tensors by these names; throws INVALID_REQUEST with all that is wrong. */
export function readNumbers(
  given: ReadonlyMap<string, { readonly value: unknown; readonly key: string }>,
  historySize: number,
): LbfgsState {
  const faults: Fault[] = [];
  const read = (name: string): number[] => {
    const { value, key } = given.get(name)!;
    const path = `state${pathKey(key)}`;
    try {
      const { shape, data } = decodeTensor(value, { dtype: 'float32', path });
      const scalar = (NUMBERS as readonly string[]).includes(name);
      if (shape.length !== (scalar ? 0 : 1)) {
        faults.push({ path, message: scalar ? 'must be one number' : 'must be a list' });
      }
      return Array.from(data, Number);
    } catch (error) {
      if (!(error instanceof TensorError)) throw error;
      faults.push(...error.faults);
      return [];
    }
  };
  const one = (name: string): number => read(name)[0] ?? 0;
  const state: LbfgsState = {
    n_iter: one('n_iter'),
    func_evals: one('func_evals'),
    t: one('t'),
    H_diag: one('H_diag'),
    prev_loss: one('prev_loss'),
    ro: read('ro'),
    order: read('order'),
  };
  const isRow = (row: number): boolean => Number.isInteger(row) && row >= 0 && row < historySize;
  const rows = new Set(state.order);
  if (rows.size !== state.ro.length || rows.size !== state.order.length || !state.order.every(isRow)) {
    const path = `state${pathKey(given.get('order')!.key)}`;
    faults.push({
      path,
      message: `must name as many rows of the history (${historySize}) as ro has numbers`,
    });
  }
  if (faults.length > 0) throw new ApiError('INVALID_REQUEST', [], faults);
  return state;
}
