// What losses are made of besides arithmetic: classes given by their numbers, and the cross entropy of probabilities.

import { numel, sameShape } from '../tensor/shape.js';
import { DTypeError, ShapeError, ValueError, type Op, type Operand } from './op.js';
import { SCALAR_TYPES } from './requirements.js';

/** No number is it: nothing is ignored. */
const NONE = Number.NaN;

function requireClasses({ dtype }: Operand): void {
  if (dtype !== 'int64') throw new DTypeError(`expected scalar type Long but found ${SCALAR_TYPES[dtype]}`);
}

function outOfBounds(number: number, classes: number): ValueError {
  return new ValueError(`target number ${number} is out of bounds (0 to ${classes - 1})`);
}

export const oneHot: Op<'one_hot'> = {
  shape([indices], { classes }) {
    requireClasses(indices!);
    return { shape: [...indices!.shape, classes], dtype: 'float32' };
  },
  rowwise: ([indices]) => indices!.shape.length > 0,
  bind({ inputs: [indices], attributes: { classes, ignored = NONE } }) {
    const n = numel(indices!.shape);
    return (kernels, { inputs, output }) => {
      const wrong = kernels.one_hot(inputs[0]!, output, n, classes, ignored);
      if (wrong >= 0) throw outOfBounds(wrong, classes);
    };
  },
  cost: (_inputs, output) => numel(output.shape),
};

export const pick: Op<'pick'> = {
  shape([x, indices]) {
    requireClasses(indices!);
    if (x!.shape.length === 2 && x!.shape[0] !== indices!.shape[0]) {
      throw new ShapeError(`${x!.shape[0]} rows, but ${indices!.shape[0]} classes to pick from them`);
    }
    return { shape: indices!.shape, dtype: 'float32' };
  },
  rowwise: () => false,
  bind({ inputs: [x, indices], attributes: { ignored } }) {
    const n = numel(indices!.shape);
    const classes = x!.shape.at(-1)!;
    const row = x!.shape.length === 2 ? classes : 0;
    return (kernels, { inputs, output }) => {
      const wrong = kernels.pick(inputs[0]!, row, inputs[1]!, output, n, classes, ignored);
      if (wrong >= 0) throw outOfBounds(wrong, classes);
    };
  },
  gradient({ inputs: [x, indices], attributes: { ignored }, gradient, wants }, apply) {
    if (!wants[0]) return [];
    const hot = apply('one_hot', [indices!], { classes: x!.shape.at(-1)!, ignored });
    const none = apply('fill', [], { shape: [], value: 0 });
    const rows = apply('reshape', [gradient], { shape: [...gradient.shape, 1] });
    // Chosen, not multiplied: what is ignored has no gradient, whatever a mean of nothing is.
    return [apply('where', [hot, rows, none], {})];
  },
  cost: ([, indices]) => numel(indices!.shape),
};

/** torch.nn.functional.binary_cross_entropy without weights or reduction; its gradient is bounded at 0 and 1 as PyTorch's. */
export const binaryCrossEntropy: Op<'binary_cross_entropy'> = {
  shape([x, target]) {
    for (const { dtype } of [x!, target!]) {
      if (dtype !== 'float32') throw new DTypeError(`Found dtype ${SCALAR_TYPES[dtype]} but expected Float`);
    }
    if (!sameShape(x!.shape, target!.shape)) throw new ShapeError('targets are not as many as outputs');
    return { shape: x!.shape, dtype: 'float32' };
  },
  rowwise: () => false,
  bind({ output: { shape } }) {
    const n = numel(shape);
    return (kernels, { inputs, output }) => {
      const wrong = kernels.binary_cross_entropy(inputs[0]!, inputs[1]!, output, n);
      if (wrong >= 0) throw new ValueError(`output number ${wrong} is not between 0 and 1`);
    };
  },
  // g · (x - t) / max(x (1 - x), 1e-12): binary_cross_entropy_backward
  gradient({ inputs: [x, target], gradient, wants }, apply) {
    if (wants[1]) return [];
    const rest = apply('affine', [x!], { scale: -1, shift: 1 });
    const least = apply('fill', [], { shape: [], value: 1e-12 });
    const divisor = apply('maximum', [apply('mul', [x!, rest], {}), least], {});
    const difference = apply('sub', [x!, target!], {});
    return [apply('mul', [gradient, apply('div', [difference, divisor], {})], {})];
  },
  cost: (_inputs, output) => 40 * numel(output.shape),
};
