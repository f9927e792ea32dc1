// `tensor[index] = part`, as a new tensor: the rest of it stays as it was, to the bit.

import { contiguousStrides, numel } from '../tensor/shape.js';
import { sliced } from './indexing.js';
import { ShapeError, type Op } from './op.js';
import { list, requireFloat } from './requirements.js';

const BYTES = 4;

export const assign: Op<'assign'> = {
  shape([x, part], { starts, steps }) {
    requireFloat(x!, 'assign');
    requireFloat(part!, 'assign');
    const fits =
      part!.shape.length === x!.shape.length &&
      part!.shape.every((count, i) => starts[i]! + (count - 1) * steps[i]! < x!.shape[i]!);
    if (!fits)
      throw new ShapeError(`a part of shape ${list(part!.shape)} is not inside of ${list(x!.shape)}`);
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: () => false,
  inPlace: true,
  bind({ inputs: [x, part], attributes: { starts, steps } }) {
    const bytes = BYTES * numel(x!.shape);
    const strides = contiguousStrides(x!.shape);
    const levels = part!.shape.map((count, i) => ({ count, step: strides[i]! * steps[i]! }));
    const [l0, l1, l2] = [NONE, NONE, NONE, ...levels].slice(-3) as [Level, Level, Level];
    const each = l0.count * l1.count * l2.count;
    let begins = [starts.reduce((at, start, i) => at + start * strides[i]!, 0)];
    for (const { count, step } of levels.slice(0, -3)) {
      begins = begins.flatMap((begin) => Array.from({ length: count }, (_, i) => begin + i * step));
    }
    return (kernels, { inputs: [from, piece], output }) => {
      if (from !== output) kernels.copy(from!, output, bytes);
      if (each === 0) return;
      for (let i = 0; i < begins.length; i++) {
        const [read, write] = [piece! + BYTES * i * each, output + BYTES * begins[i]!];
        kernels.scatter(read, write, l0.count, l1.count, l2.count, l0.step, l1.step, l2.step);
      }
    };
  },
  gradient({ inputs: [, part], attributes: { starts, steps }, gradient, wants }, apply) {
    const { shape } = part!;
    const none = wants[0] ? apply('fill', [], { shape, value: 0 }) : null;
    const dims = shape.map((count, i) => ({ start: starts[i]!, step: steps[i]!, count }));
    return [
      none && apply('assign', [gradient, none], { starts, steps }),
      wants[1] ? sliced(apply, gradient, dims) : null,
    ];
  },
  cost: ([, part], output) => numel(output.shape) + 2 * numel(part!.shape),
};

interface Level {
  readonly count: number;
  readonly step: number;
}

const NONE: Level = { count: 1, step: 0 };
