// Functions of one number that are no activations: nothing is fused with them, and their gradients are other ops.

import { numel } from '../tensor/shape.js';
import type { FunctionName } from './kernels.js';
import type { Differentiated, Op } from './op.js';
import { ranges } from './parts.js';
import { requireFloat } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;
/** A part begins where a cache line does. */
const LANES = 16;

/** x · number: adding -0 keeps the sign of every 0. */
export function scaled(apply: Apply, x: Value, number: number): Value {
  return apply('affine', [x], { scale: number, shift: -0 });
}

type Rule = (step: { x: Value; y: Value; g: Value }, apply: Apply) => Value;

/** Of what is constant wherever it has a derivative. */
const flat: Rule = ({ x }, apply) => apply('fill', [], { shape: x.shape, value: 0 });

const RULES: Readonly<Record<FunctionName, Rule>> = {
  abs: ({ x, g }, apply) => apply('mul', [g, apply('sign', [x], {})], {}),
  sqrt: ({ y, g }, apply) => apply('div', [scaled(apply, g, 0.5), y], {}),
  exp: ({ y, g }, apply) => apply('mul', [g, y], {}),
  log: ({ x, g }, apply) => apply('div', [g, x], {}),
  sin: ({ x, g }, apply) => apply('mul', [g, apply('cos', [x], {})], {}),
  cos: ({ x, g }, apply) => scaled(apply, apply('mul', [g, apply('sin', [x], {})], {}), -1),
  floor: flat,
  round: flat,
  sign: flat,
  reciprocal: ({ y, g }, apply) => scaled(apply, apply('mul', [g, apply('mul', [y, y], {})], {}), -1),
  logical_not: flat,
};

/** sin and cos are computed number by number. */
const COSTS: Partial<Record<FunctionName, number>> = { sin: 60, cos: 60, exp: 8, log: 8 };

export function pointwiseFunction<N extends FunctionName>(name: N): Op<N> {
  return {
    shape([x]) {
      requireFloat(x!, `${name}_cpu`);
      return { shape: x!.shape, dtype: 'float32' };
    },
    rowwise: ([x]) => x!.shape.length > 0,
    inPlace: true,
    parts: (_step, wanted) => wanted,
    bind({ output: { shape } }, parts) {
      const slices = ranges(numel(shape), parts, LANES);
      return (kernels, { inputs, output }, part) => {
        const { from, count } = slices[part]!;
        kernels[name](inputs[0]! + BYTES * from, output + BYTES * from, count);
      };
    },
    gradient: ({ inputs: [x], output: y, gradient: g }: Differentiated<N>, apply) => [
      RULES[name]({ x: x!, y, g }, apply),
    ],
    cost: (_inputs, output) => (COSTS[name] ?? 1) * numel(output.shape),
  };
}
