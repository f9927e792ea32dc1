// Sums, differences, products and quotients of two tensors, and sums over dimensions.

import { numel, type Shape } from '../tensor/shape.js';
import { broadcastShape, joinsRows, loopsOver, reshape, sumTo, type Loop } from './broadcasting.js';
import type { Op } from './op.js';
import { ranges } from './parts.js';
import { requireFloat } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;
/** A part begins where a cache line does. */
const LANES = 16;

export const BINARY = ['add', 'sub', 'mul', 'div'] as const;
export type BinaryName = (typeof BINARY)[number];

/** Gradients of a and b in the broadcast shape; undefined functions are not asked for what is not wanted. */
interface BinaryRule {
  a(gradient: Value, operands: Operands, apply: Apply): Value;
  b(gradient: Value, operands: Operands, apply: Apply): Value;
}
interface Operands {
  readonly a: Value;
  readonly b: Value;
  readonly output: Value;
}

const negated = (apply: Apply, x: Value): Value => apply('affine', [x], { scale: -1, shift: 0 });

const RULES: Readonly<Record<BinaryName, BinaryRule>> = {
  add: { a: (g) => g, b: (g) => g },
  sub: { a: (g) => g, b: (g, _, apply) => negated(apply, g) },
  mul: { a: (g, { b }, apply) => apply('mul', [g, b], {}), b: (g, { a }, apply) => apply('mul', [g, a], {}) },
  div: {
    a: (g, { b }, apply) => apply('div', [g, b], {}),
    b: (g, { b, output }, apply) => negated(apply, apply('mul', [g, apply('div', [output, b], {})], {})),
  },
};

export function binary<N extends BinaryName>(name: N): Op<N> {
  return {
    shape([a, b]) {
      requireFloat(a!, `${name}_cpu`);
      requireFloat(b!, `${name}_cpu`);
      return { shape: broadcastShape(a!.shape, b!.shape), dtype: 'float32' };
    },
    rowwise: joinsRows,
    joins: true,
    inPlace: true,
    parts: ({ inputs: [a, b], output }, wanted) =>
      loopsOver(output.shape, [a!.shape, b!.shape]).length <= 1 ? wanted : 1,
    bind({ inputs: [a, b], output: { shape } }, parts) {
      const loops = loopsOver(shape, [a!.shape, b!.shape]);
      if (loops.length <= 1) {
        const [step0 = 0, step1 = 0] = loops[0]?.steps ?? [];
        const slices = ranges(numel(shape), parts, LANES);
        return (kernels, { inputs: [x, z], output }, part) => {
          const { from, count } = slices[part]!;
          const at = BYTES * from;
          kernels[name](x! + step0 * at, z! + step1 * at, output + at, 1, 1, count, 0, 0, step0, 0, 0, step1);
        };
      }
      const outer = offsets(loops.slice(0, -3), numel(shape));
      const [l0, l1, l2] = [NONE, NONE, NONE, ...loops].slice(-3) as [Loop, Loop, Loop];
      return (kernels, { inputs: [x, z], output }) => {
        for (const { steps, at } of outer) {
          // prettier-ignore
          kernels[name](
            x! + BYTES * steps[0]!, z! + BYTES * steps[1]!, output + BYTES * at, l0.count, l1.count, l2.count,
            l0.steps[0]!, l1.steps[0]!, l2.steps[0]!, l0.steps[1]!, l1.steps[1]!, l2.steps[1]!,
          );
        }
      };
    },
    gradient({ inputs: [a, b], output, gradient, wants }, apply) {
      const operands = { a: a!, b: b!, output };
      return [
        wants[0] ? sumTo(apply, RULES[name].a(gradient, operands, apply), a!.shape) : null,
        wants[1] ? sumTo(apply, RULES[name].b(gradient, operands, apply), b!.shape) : null,
      ];
    },
    cost: (_inputs, output) => numel(output.shape),
  };
}

const NONE: Loop = { count: 1, steps: [0, 0] };

/** Where each round of outer loops begins: in the operands, and in an output of `total` elements. */
function offsets(loops: readonly Loop[], total: number): { steps: readonly number[]; at: number }[] {
  let found: { steps: readonly number[]; at: number }[] = [{ steps: [0, 0], at: 0 }];
  let each = total;
  for (const { count, steps } of loops) {
    each /= count;
    found = found.flatMap(({ steps: begin, at }) =>
      Array.from({ length: count }, (_, i) => ({
        steps: begin.map((step, o) => step + i * steps[o]!),
        at: at + i * each,
      })),
    );
  }
  return found;
}

export const affine: Op<'affine'> = {
  shape([x]) {
    requireFloat(x!, 'mul_cpu');
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: ([x]) => x!.shape.length > 0,
  inPlace: true,
  parts: (_step, wanted) => wanted,
  bind({ attributes: { scale, shift }, output: { shape } }, parts) {
    const slices = ranges(numel(shape), parts, LANES);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      kernels.affine(inputs[0]! + BYTES * from, output + BYTES * from, count, scale, shift);
    };
  },
  gradient: ({ attributes: { scale }, gradient }, apply) => [
    apply('affine', [gradient], { scale, shift: 0 }),
  ],
  cost: (_inputs, output) => numel(output.shape),
};

export const fill: Op<'fill'> = {
  shape: (_inputs, { shape }) => ({ shape, dtype: 'float32' }),
  rowwise: () => false,
  bind({ attributes: { shape, value } }) {
    const count = numel(shape);
    return (kernels, { output }) => kernels.fill(output, count, value);
  },
  cost: (_inputs, output) => numel(output.shape),
};

export const constant: Op<'constant'> = {
  shape: (_inputs, { shape }) => ({ shape, dtype: 'float32' }),
  rowwise: () => false,
  bind({ attributes: { data } }) {
    return (kernels, { output }) => {
      data.forEach((value, i) => kernels.fill(output + BYTES * i, 1, value));
    };
  },
  cost: (_inputs, output) => 10 * numel(output.shape),
};

export const sum: Op<'sum'> = {
  shape([x], { start, end }) {
    requireFloat(x!, 'sum_cpu');
    return { shape: [...x!.shape.slice(0, start), ...x!.shape.slice(end)], dtype: 'float32' };
  },
  rowwise: (_inputs, { start }) => start > 0,
  parts: ({ inputs: [x], attributes: { start } }, wanted) =>
    Math.max(1, Math.min(wanted, numel(x!.shape.slice(0, start)))),
  bind({ inputs: [x], attributes: { start, end } }, parts) {
    const { shape } = x!;
    const d = numel(shape.slice(start, end));
    const inner = numel(shape.slice(end));
    const slices = ranges(numel(shape.slice(0, start)), parts, 1);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      kernels.sum(inputs[0]! + BYTES * from * d * inner, output + BYTES * from * inner, count, d, inner);
    };
  },
  gradient({ inputs: [x], attributes: { start, end }, gradient }, apply) {
    const kept: Shape = x!.shape.map((extent, i) => (i >= start && i < end ? 1 : extent));
    return [spread(apply, reshape(apply, gradient, kept), x!.shape)];
  },
  cost: ([x]) => numel(x!.shape),
};

/** A value repeated to a shape that it broadcasts to. */
export function spread(apply: Apply, value: Value, shape: Shape): Value {
  return apply('expand', [value], { shape });
}
