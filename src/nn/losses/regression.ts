// Losses of numbers beside numbers.

import { ShapeError } from '../../graph/op.js';
import type { Value } from '../../graph/tracer.js';
import { sameShape } from '../../tensor/shape.js';
import {
  filled,
  reduce,
  reduction,
  requireSameShape,
  scaled,
  type LossDefinition,
  type LossTrace,
} from './loss.js';

function difference({ apply, output, targets: [target] }: LossTrace): Value {
  requireSameShape(output, target!);
  return apply('sub', [output, target!], {});
}

export const mse: LossDefinition = {
  type: 'MSELoss',
  targets: ['target'],
  options: [reduction],
  tensors: ['weight'],
  trace(given) {
    const off = difference(given);
    return reduceByWeight(given, given.apply('mul', [off, off], {}));
  },
};

function weighted({ apply, output, tensors }: LossTrace, each: Value): Value {
  const weight = tensors.get('weight');
  if (!weight) return each;
  if (!sameShape(output.shape, weight.shape))
    throw new ShapeError('Weights and input must have the same size.');
  return apply('mul', [each, weight], {});
}

/** A weighted mean is by the sum of the weights. */
function reduceByWeight(given: LossTrace, each: Value): Value {
  const { apply, options, tensors } = given;
  const weight = tensors.get('weight');
  if (!weight || options.reduction !== 'mean') return reduce(given, weighted(given, each));
  const all = { ...given, options: { reduction: 'sum' } };
  return apply('div', [reduce(all, weighted(given, each)), reduce(all, weight)], {});
}

export const l1: LossDefinition = {
  type: 'L1Loss',
  targets: ['target'],
  options: [reduction],
  tensors: ['weight'],
  trace: (given) => reduceByWeight(given, given.apply('abs', [difference(given)], {})),
};

/** 0.5 d² / beta where |d| < beta, else |d| - 0.5 beta. */
export const smoothL1: LossDefinition = {
  type: 'SmoothL1Loss',
  targets: ['target'],
  options: [reduction, { name: 'beta', kind: 'float', default: 1 }],
  trace(given) {
    const beta = given.options.beta as number;
    const distance = given.apply('abs', [difference(given)], {});
    if (beta === 0) return reduce(given, distance);
    return reduce(given, quadraticNear(given, distance, { bound: beta, scale: 1 / beta }));
  },
};

/** 0.5 d² where |d| <= delta, else delta (|d| - 0.5 delta). */
export const huber: LossDefinition = {
  type: 'HuberLoss',
  targets: ['target'],
  options: [reduction, { name: 'delta', kind: 'float', default: 1 }],
  tensors: ['weight'],
  trace(given) {
    const delta = given.options.delta as number;
    const distance = given.apply('abs', [difference(given)], {});
    // Its weighted mean is by the number of elements, unlike those above.
    return reduce(given, weighted(given, quadraticNear(given, distance, { bound: delta, scale: 1 })));
  },
};

/** scale · 0.5 d² below the bound, and on from there as a line. */
function quadraticNear(
  { apply }: LossTrace,
  distance: Value,
  { bound, scale }: { bound: number; scale: number },
): Value {
  const near = scaled(apply, apply('mul', [distance, distance], {}), 0.5 * scale);
  const far = scaled(apply, distance, bound * scale, -0.5 * bound * bound * scale);
  return apply('where', [apply('less', [distance, filled(apply, bound)], {}), near, far], {});
}

const HALF_LOG_2_PI = 0.5 * Math.log(2 * Math.PI);

/** 0.5 (log v + (x - t)² / v), v = max(var, eps); full: + 0.5 log 2π. */
export const gaussianNll: LossDefinition = {
  type: 'GaussianNLLLoss',
  targets: ['target', 'var'],
  options: [
    { name: 'full', kind: 'bool', default: false },
    { name: 'eps', kind: 'float', default: 1e-6 },
    reduction,
  ],
  trace(given) {
    const { apply, output, targets, options } = given;
    const off = difference(given);
    const variance = apply(
      'maximum',
      [varianceOf(output, targets[1]!, apply), filled(apply, options.eps as number)],
      {},
    );
    const squares = apply('div', [apply('mul', [off, off], {}), variance], {});
    const each = apply('add', [apply('log', [variance], {}), squares], {});
    return reduce(given, scaled(apply, each, 0.5, options.full ? HALF_LOG_2_PI : 0));
  },
};

/** One variance for each number, or one along a dimension; the last may be left out then. Throws ShapeError. */
function varianceOf(output: Value, variance: Value, apply: LossTrace['apply']): Value {
  const { shape } = output;
  if (sameShape(variance.shape, shape)) return variance;
  if (sameShape(variance.shape, shape.slice(0, -1))) {
    return apply('reshape', [variance], { shape: [...variance.shape, 1] });
  }
  const unlike = shape.flatMap((extent, i) => (variance.shape[i] === extent ? [] : [variance.shape[i]]));
  if (variance.shape.length === shape.length && unlike.length === 1 && unlike[0] === 1) return variance;
  throw new ShapeError('var is of incorrect size');
}
