// Recurrent layers: all steps of one layer in one direction. The inputs' part of the gates is one product over all steps,
// made before; here each step multiplies the state and applies the cell. The gradients need nothing of the forward but its
// states: the gates come again, to the bit, of one product over all steps.

import { numel } from '../tensor/shape.js';
import type { Op } from './op.js';
import { productGradients } from './ops-product.js';
import { packedBytes } from './panels.js';
import { partsOf } from './parts.js';
import { CELLS, ROW_UNIT, rowsOfPart, sequenceOf, walksOf, type RecurrenceAttributes } from './recurrence.js';
import { requireFloat } from './requirements.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;

type Recurrence = 'recurrence' | 'packed_recurrence';

function recurrent<N extends Recurrence>(name: N): Op<N> {
  const packed = name === 'packed_recurrence';
  return {
    shape([x], attributes) {
      requireFloat(x!, 'addmm_impl_cpu_');
      return { shape: [...x!.shape.slice(0, 2), sequenceOf(x!, attributes).n], dtype: 'float32' };
    },
    rowwise: (_inputs, { batchFirst }) => batchFirst,
    ...(!packed && { packs: () => true, ownScratch: true }),
    scratch({ inputs: [x], attributes }, _kernels, parts) {
      const { batch, n, width } = sequenceOf(x!, attributes);
      return BYTES * rowsOfPart(batch, parts) * (width + 2 * n) + (packed ? 0 : packedBytes(width, n));
    },
    parts: ({ inputs: [x], attributes }, wanted) =>
      partsOf(sequenceOf(x!, attributes).batch, wanted, ROW_UNIT),
    bind({ inputs: [operand], attributes }, parts) {
      const of = sequenceOf(operand!, attributes);
      const walks = walksOf(of, attributes, parts);
      const cell = CELLS.indexOf(attributes.cell);
      const reverse = Number(attributes.reverse);
      return (kernels, { inputs: [x, weight, bias], output, scratch, panels: kept }, part) => {
        const { count, n, width, steps, from, stride, stepStride } = walks[part]!;
        if (count === 0) return;
        let panels = packed ? weight! : kept;
        if (!panels) {
          panels = scratch + BYTES * count * (width + 2 * n);
          kernels.pack(weight!, panels, width, n);
        }
        const [first, to] = [x! + BYTES * from * width, output + BYTES * from * n];
        // prettier-ignore
        kernels.recurrence(cell, first, panels, bias!, scratch, to, count, stride, stepStride, steps, n, reverse);
      };
    },
    gradient({ inputs, output, attributes, gradient, wants }, apply) {
      const weight = packed ? 3 : 1;
      const given = { x: inputs[0]!, w: inputs[weight]!, bias: inputs[2]!, output, gradient };
      const asked = { a: false, w: wants[weight]!, bias: wants[2]! };
      const found = gradients(apply, given, { attributes, asked });
      return packed ? [found.x, null, found.bias, found.w] : [found.x, found.w, found.bias];
    },
    ...(!packed && {
      unpacked: ([x, w, bias], attributes, apply) => {
        const panels = apply('pack', [w!], { transposed: false });
        return apply('packed_recurrence', [x!, panels, bias!, w!], attributes);
      },
    }),
    // An exponential takes about eight multiply-adds: one for each gate, and one for the state.
    cost: ([x], output) => numel(x!.shape) * (2 * output.shape[2]! + 20),
  };
}

export const recurrence = recurrent('recurrence');
export const packedRecurrence = recurrent('packed_recurrence');

interface Given {
  readonly x: Value;
  readonly w: Value;
  readonly bias: Value | null;
  readonly output: Value;
  readonly gradient: Value;
}

interface Asked {
  readonly attributes: RecurrenceAttributes;
  readonly asked: { readonly a: boolean; readonly w: boolean; readonly bias: boolean };
}

function gradients(apply: Apply, { x, w, bias, output, gradient }: Given, { attributes, asked }: Asked) {
  const { cell, batchFirst, reverse } = attributes;
  const before = apply('shift', [output], { dim: batchFirst ? 1 : 0, by: reverse ? -1 : 1 });
  const hg = cell === 'lstm' || cell === 'gru' ? apply('linear', [before, w, bias], {}) : null;
  const panels = apply('pack', [w], { transposed: true });
  const states = { lstm: null, gru: before, rnn_tanh: output, rnn_relu: output }[cell];
  const found = apply('recurrence_gradient', [x, hg, panels, states, gradient], attributes);
  /** Of the inputs' part of the gates, or of the state's: a GRU tells them apart. */
  const part = (start: number): Value => {
    if (cell !== 'gru') return found;
    const half = apply('slice', [found], { dim: 0, start, step: 1, count: 1 });
    return apply('reshape', [half], { shape: x.shape });
  };
  if (!asked.w && !asked.bias) return { x: part(0), w: null, bias: null };
  const own = productGradients(apply, { a: before, w, transposed: false, gradient: part(1), wants: asked });
  return { x: part(0), w: own.w, bias: own.bias };
}

/** Along `dim`, element i of the output is element i - by of x, or 0 where x has none. */
export const shift: Op<'shift'> = {
  shape: ([x]) => ({ shape: x!.shape, dtype: 'float32' }),
  rowwise: (_inputs, { dim }) => dim > 0,
  bind({ inputs: [x], attributes: { dim, by } }) {
    const outer = numel(x!.shape.slice(0, dim));
    const [run, inner] = [numel(x!.shape.slice(dim)), numel(x!.shape.slice(dim + 1))];
    return (kernels, { inputs, output }) => kernels.shift(inputs[0]!, output, outer, run, by * inner);
  },
  gradient: ({ attributes: { dim, by }, gradient }, apply) => [apply('shift', [gradient], { dim, by: -by })],
  cost: (_inputs, output) => numel(output.shape),
};
