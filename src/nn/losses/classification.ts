// Losses of classes and of probabilities.

import { DTypeError, ShapeError } from '../../graph/op.js';
import { list } from '../../graph/requirements.js';
import type { Value } from '../../graph/tracer.js';
import { numel, sameShape, type Shape } from '../../tensor/shape.js';
import type { OptionDefinition } from '../layer.js';
import { numberOf } from '../options.js';
import {
  filled,
  reduce,
  reduction,
  requireSameShape,
  scaled,
  type LossDefinition,
  type LossTrace,
} from './loss.js';

const ignoreIndex: OptionDefinition = { name: 'ignore_index', kind: 'int', default: -100 };

export const crossEntropy: LossDefinition = {
  type: 'CrossEntropyLoss',
  targets: ['target'],
  options: [ignoreIndex, reduction, { name: 'label_smoothing', kind: 'float', default: 0 }],
  tensors: ['weight'],
  check({ label_smoothing: given }) {
    const smoothing = numberOf(given!);
    if (smoothing >= 0 && smoothing <= 1) return [];
    return [`label_smoothing must be between 0.0 and 1.0. Got: ${smoothing}`];
  },
  trace(given) {
    const { apply, targets } = given;
    const table = asTable(given);
    const logs = apply('log_softmax', [table.rows], { dim: 1 });
    return targets[0]!.dtype === 'float32'
      ? ofProbabilities(given, { ...table, rows: logs })
      : ofClasses(given, { ...table, rows: logs });
  },
};

export const nll: LossDefinition = {
  type: 'NLLLoss',
  targets: ['target'],
  options: [ignoreIndex, reduction],
  tensors: ['weight'],
  trace: (given) => ofClasses(given, asTable(given)),
};

/** Outputs as [rows, classes], and the shape of what stands there for each row. */
interface Table {
  readonly rows: Value;
  readonly classes: number;
  readonly shape: Shape;
  /** Dimensions of the output that move its classes to the end. */
  readonly order: readonly number[];
}

/** Classes are dimension 1, of a tensor of one dimension 0. */
function asTable({ apply, output }: LossTrace): Table {
  const { shape } = output;
  if (shape.length === 0) throw new ShapeError('the output has no dimension of classes');
  const dim = Math.min(1, shape.length - 1);
  const rest = shape.map((_, i) => i).filter((i) => i !== dim);
  const order = [...rest, dim];
  const classes = shape[dim]!;
  return { ...tableOf(apply, output, order), classes, order };
}

function tableOf(
  apply: LossTrace['apply'],
  x: Value,
  order: readonly number[],
): { rows: Value; shape: Shape } {
  const inOrder = order.every((dim, i) => dim === i);
  const moved = inOrder ? x : apply('permute', [x], { dims: order });
  const shape = moved.shape.slice(0, -1);
  const table = [numel(shape), moved.shape.at(-1)!];
  return { rows: sameShape(moved.shape, table) ? moved : apply('reshape', [moved], { shape: table }), shape };
}

function weightOf({ tensors }: LossTrace, classes: number): Value | undefined {
  const weight = tensors.get('weight');
  if (weight && !sameShape(weight.shape, [classes])) {
    throw new ShapeError(
      `weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${list(weight.shape)}`,
    );
  }
  return weight;
}

/**
 * Σ w[t] (-(1 - s) log p[t]) + s / C · Σ_c -w[c] log p[c], s = label_smoothing; the mean is by Σ w[t] of what is not
 * ignored (ATen/native/LossNLL.cpp).
 */
function ofClasses(given: LossTrace, { rows: logs, classes, shape }: Table): Value {
  const { apply, options, targets } = given;
  const target = targets[0]!;
  if (!sameShape(target.shape, shape)) {
    throw new ShapeError(
      `expected a class for each row, of shape ${list(shape)}, but got ${list(target.shape)}`,
    );
  }
  const { ignore_index: ignored, label_smoothing: smoothing = 0 } = options as Record<string, number>;
  const indices = apply('reshape', [target], { shape: [numel(shape)] });
  const weight = weightOf(given, classes);
  const ones = apply('fill', [], { shape: [classes], value: 1 });
  const pick = (x: Value): Value => apply('pick', [x, indices], { ignored: ignored! });
  /** Of each row; 0 where it is ignored. */
  const weights = pick(weight ?? ones);
  const hit = pick(logs);
  let each = scaled(apply, weight ? apply('mul', [hit, weights], {}) : hit, smoothing - 1);
  if (smoothing > 0) {
    const all = apply('sum', [weight ? apply('mul', [logs, weight], {}) : logs], { start: 1, end: 2 });
    const none = filled(apply, 0);
    const counted = apply('where', [weight ? pick(ones) : weights, all, none], {});
    each = apply('add', [each, scaled(apply, counted, -smoothing / classes)], {});
  }
  if (options.reduction === 'mean') {
    const total = (x: Value): Value => apply('sum', [x], { start: 0, end: 1 });
    return apply('div', [total(each), total(weights)], {});
  }
  return reduce(given, apply('reshape', [each], { shape }));
}

/** -Σ_c w[c] ((1 - s) t[c] + s / C) log p[c]; the mean is by the rows. */
function ofProbabilities(given: LossTrace, { rows: logs, classes, shape, order }: Table): Value {
  const { apply, output, options, targets } = given;
  const target = targets[0]!;
  if (sameShape(target.shape, shape)) {
    throw new DTypeError('expected scalar type Long but found Float: classes are int64');
  }
  if (!sameShape(target.shape, output.shape)) {
    throw new ShapeError(
      `expected classes of shape ${list(shape)} or probabilities of shape ${list(output.shape)}, but got ${list(target.shape)}`,
    );
  }
  const { ignore_index: ignored, label_smoothing: smoothing } = options as Record<string, number>;
  if (ignored! >= 0) throw new ShapeError('ignore_index is not supported for floating point target');
  const rows = tableOf(apply, target, order).rows;
  const wanted = smoothing! > 0 ? scaled(apply, rows, 1 - smoothing!, smoothing! / classes) : rows;
  const weight = weightOf(given, classes);
  const product = apply('mul', [logs, weight ? apply('mul', [wanted, weight], {}) : wanted], {});
  const each = scaled(apply, apply('sum', [product], { start: 1, end: 2 }), -1);
  return reduce(given, apply('reshape', [each], { shape }));
}

/** -(t max(log x, -100) + (1 - t) max(log(1 - x), -100)), times weight. */
export const binaryCrossEntropy: LossDefinition = {
  type: 'BCELoss',
  targets: ['target'],
  options: [reduction],
  tensors: ['weight'],
  trace(given) {
    const { apply, output, targets } = given;
    requireSameShape(output, targets[0]!);
    return reduce(given, rescaled(given, apply('binary_cross_entropy', [output, targets[0]!], {})));
  },
};

/** (1 - t) x - (1 + (pos_weight - 1) t) log sigmoid(x), times weight. */
export const binaryCrossEntropyWithLogits: LossDefinition = {
  type: 'BCEWithLogitsLoss',
  targets: ['target'],
  options: [reduction],
  tensors: ['weight', 'pos_weight'],
  trace(given) {
    const { apply, output, targets, tensors } = given;
    const target = targets[0]!;
    requireSameShape(output, target);
    const logs = apply('log_sigmoid', [output], {});
    const weight = tensors.get('pos_weight');
    const scale = weight && scaled(apply, apply('mul', [target, scaled(apply, weight, 1, -1)], {}), 1, 1);
    const hit = scale ? apply('mul', [logs, scale], {}) : logs;
    const miss = apply('mul', [scaled(apply, target, -1, 1), output], {});
    return reduce(given, rescaled(given, apply('sub', [miss, hit], {})));
  },
};

function rescaled({ apply, tensors, output }: LossTrace, each: Value): Value {
  const weight = tensors.get('weight');
  if (!weight) return each;
  const product = apply('mul', [each, weight], {});
  if (sameShape(product.shape, output.shape)) return product;
  throw new ShapeError(
    `weight of shape ${list(weight.shape)} does not fit the output's ${list(output.shape)}`,
  );
}

/** t (log t - x), or e^t (t - x) where the target is a logarithm, too. */
export const klDivergence: LossDefinition = {
  type: 'KLDivLoss',
  targets: ['target'],
  options: [
    { name: 'reduction', kind: 'string', choices: ['mean', 'batchmean', 'sum', 'none'], default: 'mean' },
    { name: 'log_target', kind: 'bool', default: false },
  ],
  trace(given) {
    const { apply, output, targets, options } = given;
    const target = targets[0]!;
    requireSameShape(output, target);
    const each = options.log_target
      ? apply('mul', [apply('exp', [target], {}), apply('sub', [target, output], {})], {})
      : apply('sub', [entropy(given, target), apply('mul', [target, output], {})], {});
    if (options.reduction !== 'batchmean') return reduce(given, each);
    const sum = reduce({ ...given, options: { reduction: 'sum' } }, each);
    return scaled(apply, sum, 1 / (output.shape[0] ?? 1));
  },
};

/** t log t, 0 where t is 0. */
function entropy({ apply }: LossTrace, target: Value): Value {
  const none = filled(apply, 0);
  const product = apply('mul', [target, apply('log', [target], {})], {});
  return apply('where', [target, product, none], {});
}
