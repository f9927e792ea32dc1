// LBFGS's state as PyTorch's state_dict has it: numbers, and vectors of all parameters one after the other.
// What a tensor is is the caller's business.

import type { Fault } from '../../errors.js';
import { shown } from '../options.js';
import type { LbfgsState } from './lbfgs.js';

export const LBFGS_STATE = [
  'func_evals',
  'n_iter',
  'd',
  't',
  'old_dirs',
  'old_stps',
  'ro',
  'H_diag',
  'prev_flat_grad',
  'prev_loss',
] as const;

/** What PyTorch computes with inside a step: written empty, and not looked at. */
export const LBFGS_SCRATCH = 'al';

/** A vector's tensor; `row`: of the vectors that are remembered. */
export type VectorOf<T> = (vector: 'd' | 'prev_flat_grad' | 'old_dirs' | 'old_stps', row?: number) => T;

/** The entries of the first parameter's state. */
export function lbfgsEntries<T>(
  { func_evals, n_iter, t, H_diag, prev_loss, ro, order }: LbfgsState,
  vector: VectorOf<T>,
): Record<string, T | number | readonly number[] | readonly T[]> {
  // Before the first step that went anywhere PyTorch has nothing else.
  if (n_iter === 0) return { func_evals, n_iter };
  return {
    ...{ func_evals, n_iter, d: vector('d'), t },
    old_dirs: order.map((row) => vector('old_dirs', row)),
    old_stps: order.map((row) => vector('old_stps', row)),
    ...{ ro, H_diag, prev_flat_grad: vector('prev_flat_grad'), prev_loss, [LBFGS_SCRATCH]: [] },
  };
}

/** A state as it was sent: its rows in their order, its vectors still to be decoded, all of them `[numel]`. */
export interface SentLbfgsState {
  readonly state: LbfgsState;
  readonly d: unknown;
  readonly prev_flat_grad: unknown;
  readonly old_dirs: readonly unknown[];
  readonly old_stps: readonly unknown[];
}

/** Reads entries of `LBFGS_STATE`; what is wrong with them is added to `faults`. */
export function readLbfgsState(
  sent: ReadonlyMap<string, unknown>,
  path: string,
  faults: Fault[],
): SentLbfgsState {
  const wrong = (key: string, what: string): void => {
    faults.push({ path: `${path}.${key}`, message: `must be ${what}, got ${shown(sent.get(key))}` });
  };
  const number = (key: string): number => {
    const value = numberIn(sent.get(key));
    if (value === undefined && sent.has(key)) wrong(key, 'a number');
    return Math.fround(value ?? 0);
  };
  const list = (key: string): readonly unknown[] => {
    const value = sent.get(key);
    if (Array.isArray(value)) return value as unknown[];
    if (sent.has(key)) wrong(key, 'a list');
    return [];
  };
  const [old_dirs, old_stps, ro] = [list('old_dirs'), list('old_stps'), list('ro')];
  const numbers = ro.map(numberIn);
  if (!numbers.every((value) => value !== undefined)) wrong('ro', 'a list of numbers');
  if (old_dirs.length !== ro.length || old_stps.length !== ro.length)
    faults.push({ path, message: 'old_dirs, old_stps and ro must have as many entries' });
  const state: LbfgsState = {
    n_iter: number('n_iter'),
    func_evals: number('func_evals'),
    t: number('t'),
    H_diag: number('H_diag'),
    prev_loss: number('prev_loss'),
    ro: numbers.map((value) => Math.fround(value ?? 0)),
    order: ro.map((_, row) => row),
  };
  return { state, d: sent.get('d'), prev_flat_grad: sent.get('prev_flat_grad'), old_dirs, old_stps };
}

/** A number, or a tensor of one, as PyTorch has some of them. */
function numberIn(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'object' || value === null || !('data' in value)) return undefined;
  const data: unknown = Array.isArray(value.data) && value.data.length === 1 ? value.data[0] : value.data;
  return typeof data === 'number' ? data : undefined;
}
