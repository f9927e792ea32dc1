// PyTorch's broadcasting, and how a walk over two tensors of unlike shapes falls into few long loops.

import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Operand } from './op.js';
import type { Apply, Value } from './tracer.js';

/** The shape of a ∘ b. Throws ShapeError. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(
      `The size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${i}`,
    );
  });
}

/** Operands with rows have them in one place; others are of a lower rank, and so the same for every row. */
export function joinsRows(
  inputs: readonly (Operand | null)[],
  _attributes: unknown,
  rows: readonly boolean[],
): boolean {
  const ranks = inputs.map((input) => input!.shape.length);
  const rank = Math.max(...ranks);
  return rank > 0 && ranks.every((own, i) => (own === rank) === rows[i]);
}

/** A loop of a walk: its length, and each operand's step in elements. */
export interface Loop {
  readonly count: number;
  readonly steps: readonly number[];
}

/** The loops over `shape`, outermost first, dimensions joined wherever every operand runs on from one into the next. */
export function loopsOver(shape: Shape, operands: readonly Shape[]): readonly Loop[] {
  const loops: { count: number; steps: number[] }[] = [];
  const strides = operands.map(() => 1);
  for (let i = shape.length - 1; i >= 0; i--) {
    const count = shape[i]!;
    const steps = operands.map((operand, o) => {
      const extent = operand[operand.length - shape.length + i] ?? 1;
      const step = extent === 1 ? 0 : strides[o]!;
      strides[o]! *= extent;
      return step;
    });
    if (count === 1) continue;
    const inner = loops[0];
    if (inner && steps.every((step, o) => step === inner.steps[o]! * inner.count)) inner.count *= count;
    else loops.unshift({ count, steps });
  }
  return loops;
}

/** A gradient of a broadcast value, summed to the shape that the value has. */
export function sumTo(apply: Apply, gradient: Value, shape: Shape): Value {
  let value = gradient;
  const extra = gradient.shape.length - shape.length;
  const gone = gradient.shape.map((extent, i) => i < extra || (shape[i - extra] === 1 && extent !== 1));
  for (let end = gone.length; end > 0; end--) {
    if (!gone[end - 1]) continue;
    let start = end - 1;
    while (start > 0 && gone[start - 1]) start--;
    value = apply('sum', [value], { start, end });
    end = start + 1;
  }
  return numel(value.shape) === numel(shape) ? reshape(apply, value, shape) : value;
}

/** The same bytes in another shape; the value itself where it has that shape. */
export function reshape(apply: Apply, value: Value, shape: Shape): Value {
  const same = value.shape.length === shape.length && value.shape.every((extent, i) => extent === shape[i]);
  return same ? value : apply('reshape', [value], { shape });
}

/** A shape for `reshape` whose rows may be more or less in another run. */
export function anyRows(shape: Shape): Shape {
  return shape.length > 0 && numel(shape.slice(1)) > 0 ? [-1, ...shape.slice(1)] : shape;
}
