// Losses of pairs, and of what is on one side or the other: targets are 1 and -1.

import { ShapeError } from '../../graph/op.js';
import { list } from '../../graph/requirements.js';
import type { Value } from '../../graph/tracer.js';
import { sameShape } from '../../tensor/shape.js';
import type { OptionDefinition } from '../layer.js';
import {
  atLeast0,
  filled,
  reduce,
  reduction,
  requireSameShape,
  scaled,
  type LossDefinition,
  type LossTrace,
} from './loss.js';

const margin = (fallback: number): OptionDefinition => ({ name: 'margin', kind: 'float', default: fallback });

/** Of cosine_embedding_loss: added to the squares' sums. */
const EPSILON = 1e-12;

/** 1 - cos where the target is 1, max(0, cos - margin) where it is -1. */
export const cosineEmbedding: LossDefinition = {
  type: 'CosineEmbeddingLoss',
  targets: ['input2', 'target'],
  options: [margin(0), reduction],
  trace(given) {
    const { apply, output, targets, options } = given;
    const [other, target] = targets as [Value, Value];
    requireSameShape(output, other);
    const rank = output.shape.length;
    if (rank < 1 || rank > 2)
      throw new ShapeError('0D or 1D target tensor expected: outputs are [n, d] or [d]');
    requireTargets(target, output.shape.slice(0, -1));
    const dot = (a: Value, b: Value): Value =>
      apply('sum', [apply('mul', [a, b], {})], { start: rank - 1, end: rank });
    const square = (x: Value): Value => scaled(apply, dot(x, x), 1, EPSILON);
    const lengths = apply('sqrt', [apply('mul', [square(output), square(other)], {})], {});
    const cosine = apply('div', [dot(output, other), lengths], {});
    const near = scaled(apply, cosine, -1, 1);
    const far = atLeast0(apply, scaled(apply, cosine, 1, -(options.margin as number)));
    return reduce(given, eitherSide(given, target, { near, far }));
  },
};

/** max(0, -t (x1 - x2) + margin) */
export const marginRanking: LossDefinition = {
  type: 'MarginRankingLoss',
  targets: ['input2', 'target'],
  options: [margin(0), reduction],
  trace(given) {
    const { apply, output, targets, options } = given;
    const [other, target] = targets as [Value, Value];
    requireSameShape(output, other);
    requireSameShape(output, target);
    const product = apply('mul', [target, apply('sub', [output, other], {})], {});
    return reduce(given, atLeast0(apply, scaled(apply, product, -1, options.margin as number)));
  },
};

/** x where the target is 1, max(0, margin - x) where it is -1. */
export const hingeEmbedding: LossDefinition = {
  type: 'HingeEmbeddingLoss',
  targets: ['target'],
  options: [margin(1), reduction],
  trace(given) {
    const { apply, output, targets, options } = given;
    const target = targets[0]!;
    requireSameShape(output, target);
    const far = atLeast0(apply, scaled(apply, output, -1, options.margin as number));
    // Any other target than 1 and -1 has both: hinge_embedding_loss in ATen/native/Loss.cpp.
    const none = filled(apply, 0);
    const differs = (value: number): Value => apply('not_equal', [target, filled(apply, value)], {});
    const each = apply(
      'add',
      [apply('where', [differs(1), far, none], {}), apply('where', [differs(-1), output, none], {})],
      {},
    );
    return reduce(given, each);
  },
};

function requireTargets(target: Value, shape: readonly number[]): void {
  if (sameShape(target.shape, shape)) return;
  throw new ShapeError(`expected targets of shape ${list(shape)}, but got ${list(target.shape)}`);
}

/** One where the target is 1, the other where it is -1, else 0. */
function eitherSide({ apply }: LossTrace, target: Value, { near, far }: { near: Value; far: Value }): Value {
  const is = (value: number): Value => apply('equal', [target, filled(apply, value)], {});
  return apply('where', [is(1), near, apply('where', [is(-1), far, filled(apply, 0)], {})], {});
}
