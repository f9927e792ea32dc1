// Functions of two or three tensors that broadcast, beside the four of arithmetic: comparisons (1 and 0, without
// gradients), minima and maxima, powers, remainders, choices; and the least and largest along dimensions.

import { numel, type Shape } from '../tensor/shape.js';
import { broadcastShape, joinsRows, loopsOver, reshape, sumTo, type Loop } from './broadcasting.js';
import { ELEMENTWISE, type ElementwiseName } from './kernels.js';
import { ShapeError, type Op, type Operand } from './op.js';
import { scaled } from './ops-functions.js';
import { ranges } from './parts.js';
import { requireFloat } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;
/** A part begins where a cache line does. */
const LANES = 16;

interface Rule {
  a(step: Step, apply: Apply): Value;
  b(step: Step, apply: Apply): Value;
}
interface Step {
  readonly a: Value;
  readonly b: Value;
  readonly y: Value;
  readonly g: Value;
}

const zero = (apply: Apply): Value => apply('fill', [], { shape: [], value: 0 });

/** g where `wins`, half of it where both are equal, else 0: as PyTorch shares it. */
function shared(g: Value, wins: Value, equal: Value, apply: Apply): Value {
  const otherwise = apply('where', [equal, scaled(apply, g, 0.5), zero(apply)], {});
  return apply('where', [wins, g, otherwise], {});
}

const less = (apply: Apply, a: Value, b: Value): Value => apply('less', [a, b], {});
const equal = (apply: Apply, a: Value, b: Value): Value => apply('equal', [a, b], {});

/** What has a gradient at all. */
const RULES: Partial<Record<ElementwiseName, Rule>> = {
  minimum: {
    a: ({ a, b, g }, apply) => shared(g, less(apply, a, b), equal(apply, a, b), apply),
    b: ({ a, b, g }, apply) => shared(g, less(apply, b, a), equal(apply, a, b), apply),
  },
  maximum: {
    a: ({ a, b, g }, apply) => shared(g, less(apply, b, a), equal(apply, a, b), apply),
    b: ({ a, b, g }, apply) => shared(g, less(apply, a, b), equal(apply, a, b), apply),
  },
  power: {
    // b · a^(b - 1), and 0 where b is 0, whatever a is
    a({ a, b, g }, apply) {
      const lower = apply('power', [a, apply('affine', [b], { scale: 1, shift: -1 })], {});
      const slope = apply('mul', [g, apply('mul', [b, lower], {})], {});
      return apply('where', [b, slope, zero(apply)], {});
    },
    // a^b · log a, and 0 where 0 is raised to what is not negative
    b({ a, b, y, g }, apply) {
      const slope = apply('mul', [g, apply('mul', [y, apply('log', [a], {})], {})], {});
      const none = zero(apply);
      const flat = apply('both', [equal(apply, a, none), apply('less_equal', [none, b], {})], {});
      return apply('where', [flat, none, slope], {});
    },
  },
  remainder: {
    a: ({ g }) => g,
    b: ({ a, b, g }, apply) =>
      scaled(apply, apply('mul', [g, apply('floor', [apply('div', [a, b], {})], {})], {}), -1),
  },
};

/** Powers and remainders are computed number by number. */
const COSTS: Partial<Record<ElementwiseName, number>> = { power: 100, remainder: 40 };

export function elementwise<N extends ElementwiseName>(name: N): Op<N> {
  const of = ELEMENTWISE.indexOf(name);
  const rule = RULES[name];
  return {
    shape: (inputs) => broadcast(inputs, name),
    rowwise: joinsRows,
    joins: true,
    parts: (step, wanted) => partsOf(step, wanted),
    bind({ inputs, output: { shape } }, parts) {
      const blocks = blocksOf(inputs, shape, parts);
      return (kernels, { inputs: [a, b], output }, part) => {
        for (const { begins, at, loops: l } of blocks[part]!) {
          // prettier-ignore
          kernels.elementwise(
            of, a! + begins[0]!, b! + begins[1]!, output + at,
            l[0]!, l[1]!, l[2]!, l[3]!, l[4]!, l[5]!, l[6]!, l[7]!, l[8]!,
          );
        }
      };
    },
    ...(rule && {
      gradient({ inputs: [a, b], output: y, gradient: g, wants }, apply) {
        const step = { a: a!, b: b!, y, g };
        return [
          wants[0] ? sumTo(apply, rule.a(step, apply), a!.shape) : null,
          wants[1] ? sumTo(apply, rule.b(step, apply), b!.shape) : null,
        ];
      },
    }),
    ...(!rule && { gradient: () => [] }),
    cost: (_inputs, output) => (COSTS[name] ?? 1) * numel(output.shape),
  };
}

export const where: Op<'where'> = {
  shape: (inputs) => broadcast(inputs, 'where'),
  rowwise: joinsRows,
  joins: true,
  parts: (step, wanted) => partsOf(step, wanted),
  bind({ inputs, output: { shape } }, parts) {
    const blocks = blocksOf(inputs, shape, parts);
    return (kernels, { inputs: [c, a, b], output }, part) => {
      for (const { begins, at, loops } of blocks[part]!) {
        kernels.where(c! + begins[0]!, a! + begins[1]!, b! + begins[2]!, output + at, ...loops);
      }
    };
  },
  gradient({ inputs: [c, a, b], gradient, wants }, apply) {
    const none = zero(apply);
    return [
      null,
      wants[1] ? sumTo(apply, apply('where', [c!, gradient, none], {}), a!.shape) : null,
      wants[2] ? sumTo(apply, apply('where', [c!, none, gradient], {}), b!.shape) : null,
    ];
  },
  cost: (_inputs, output) => numel(output.shape),
};

function broadcast(inputs: readonly (Operand | null)[], name: string): Operand {
  for (const input of inputs) requireFloat(input!, `${name}_cpu`);
  const shape = inputs.map((input) => input!.shape).reduce(broadcastShape);
  return { shape, dtype: 'float32' };
}

/** A piece of a step's work that the kernel's own three loops do. */
interface Block {
  /** Where each operand and the output begin, in bytes. */
  readonly begins: readonly number[];
  readonly at: number;
  /** n0, n1, n2, then each operand's three steps. */
  readonly loops: readonly number[];
}

/** The blocks of each part. */
function blocksOf(
  inputs: readonly (Operand | null)[],
  shape: Shape,
  parts: number,
): readonly (readonly Block[])[] {
  const loops = loopsOver(
    shape,
    inputs.map((input) => input!.shape),
  );
  const none: Loop = { count: 1, steps: inputs.map(() => 0) };
  const numbers = (inner: readonly Loop[]): number[] => [
    ...inner.map(({ count }) => count),
    ...inputs.flatMap((_, i) => inner.map(({ steps }) => steps[i]!)),
  ];
  if (loops.length <= 1) {
    const { steps } = loops[0] ?? none;
    return ranges(numel(shape), parts, LANES).map(({ from, count }) => {
      if (count === 0) return [];
      const begins = steps.map((step) => BYTES * step * from);
      return [{ begins, at: BYTES * from, loops: numbers([none, none, { count, steps }]) }];
    });
  }
  const inner = numbers([none, none, none, ...loops].slice(-3));
  let found: Block[] = [{ begins: none.steps, at: 0, loops: inner }];
  let each = numel(shape);
  for (const { count, steps } of loops.slice(0, -3)) {
    each /= count;
    found = found.flatMap(({ begins, at }) =>
      Array.from({ length: count }, (_, i) => ({
        begins: begins.map((begin, o) => begin + BYTES * i * steps[o]!),
        at: at + BYTES * i * each,
        loops: inner,
      })),
    );
  }
  return [found];
}

/** One long loop can be cut anywhere. */
function partsOf(
  { inputs, output }: { inputs: readonly (Operand | null)[]; output: Operand },
  wanted: number,
): number {
  const shapes = inputs.map((input) => input!.shape);
  return loopsOver(output.shape, shapes).length <= 1 ? wanted : 1;
}

/** The least, or the largest, over dimensions start ... end - 1. */
export function extreme<N extends 'amin' | 'amax'>(name: N): Op<N> {
  return {
    shape([x], { start, end }) {
      requireFloat(x!, name);
      if (numel(x!.shape.slice(start, end)) === 0) {
        throw new ShapeError(`${name}(): Expected reduction dim to have a non-zero size`);
      }
      return { shape: [...x!.shape.slice(0, start), ...x!.shape.slice(end)], dtype: 'float32' };
    },
    rowwise: (_inputs, { start }) => start > 0,
    parts: ({ inputs: [x], attributes: { start } }, wanted) =>
      Math.max(1, Math.min(wanted, numel(x!.shape.slice(0, start)))),
    bind({ inputs: [x], attributes: { start, end } }, parts) {
      const { shape } = x!;
      const d = numel(shape.slice(start, end));
      const inner = numel(shape.slice(end));
      const largest = name === 'amax' ? 1 : 0;
      const slices = ranges(numel(shape.slice(0, start)), parts, 1);
      return (kernels, { inputs, output }, part) => {
        const { from, count } = slices[part]!;
        const at = inputs[0]! + BYTES * from * d * inner;
        kernels.extreme(largest, at, output + BYTES * from * inner, count, d, inner);
      };
    },
    // Those that are equal to it share alike, as in torch.amax.
    gradient({ inputs: [x], output, attributes: { start, end }, gradient }, apply) {
      const kept = x!.shape.map((extent, i) => (i >= start && i < end ? 1 : extent));
      const mask = equal(apply, x!, reshape(apply, output, kept));
      const count = apply('sum', [mask], { start, end });
      const share = reshape(apply, apply('div', [gradient, count], {}), kept);
      return [apply('mul', [mask, share], {})];
    },
    cost: ([x]) => numel(x!.shape),
  };
}
