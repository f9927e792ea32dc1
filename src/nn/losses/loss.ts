// What a loss is: a row of the table (table.ts). Names, options and formulas are those of torch.nn.functional.

import { sumTo } from '../../graph/broadcasting.js';
import { ShapeError } from '../../graph/op.js';
import { list } from '../../graph/requirements.js';
import type { Apply, Value } from '../../graph/tracer.js';
import { numel, sameShape } from '../../tensor/shape.js';
import type { OptionDefinition } from '../layer.js';
import type { Setting } from '../optim/optimizer.js';
import type { Options } from '../options.js';

export interface LossDefinition {
  /** torch.nn's class. */
  readonly type: string;
  /** What it takes besides the output, in the function's order. */
  readonly targets: readonly string[];
  readonly options: readonly OptionDefinition[];
  /** Options that are tensors of float32; all may be left out. */
  readonly tensors?: readonly string[];
  /** What single options cannot tell, in PyTorch's words. */
  check?(options: Options): string[];
  /** The unreduced or reduced loss. Throws ShapeError, DTypeError. */
  trace(given: LossTrace): Value;
}

export interface LossTrace {
  readonly apply: Apply;
  readonly output: Value;
  readonly targets: readonly Value[];
  readonly options: Readonly<Record<string, Setting>>;
  /** Options that are tensors, as far as they are given. */
  readonly tensors: ReadonlyMap<string, Value>;
}

export const REDUCTIONS = ['mean', 'sum', 'none'] as const;

export const reduction: OptionDefinition = {
  name: 'reduction',
  kind: 'string',
  choices: REDUCTIONS,
  default: 'mean',
};

/** Each element's loss, or their mean or sum, of shape []. */
export function reduce({ apply, options }: LossTrace, each: Value): Value {
  if (options.reduction === 'none') return each;
  const sum = sumTo(apply, each, []);
  if (options.reduction === 'sum') return sum;
  return scaled(apply, sum, 1 / numel(each.shape));
}

export function scaled(apply: Apply, x: Value, scale: number, shift = 0): Value {
  return scale === 1 && shift === 0 ? x : apply('affine', [x], { scale, shift });
}

export function filled(apply: Apply, value: number): Value {
  return apply('fill', [], { shape: [], value });
}

/** max(x, 0), with PyTorch's gradient of clamp_min: 1 at 0. */
export function atLeast0(apply: Apply, x: Value): Value {
  const none = filled(apply, 0);
  return apply('where', [apply('less', [x, none], {}), none, x], {});
}

/** PyTorch broadcasts with a warning; [n, 1] beside [n] is a mistake that its users know. Throws ShapeError. */
export function requireSameShape(output: Value, target: Value): void {
  if (sameShape(output.shape, target.shape)) return;
  throw new ShapeError(
    `Using a target size (${list(target.shape)}) that is different to the input size (${list(output.shape)}) is refused: ` +
      'it would be broadcast. Please ensure they have the same size.',
  );
}
