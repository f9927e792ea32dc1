// The gradients of a recurrent layer's gates: its steps from the last one to the first, each with what came through the
// product of the one after it.

import { numel } from '../tensor/shape.js';
import type { Kernels } from './kernels.js';
import type { Op } from './op.js';
import { partsOf } from './parts.js';
import { ROW_UNIT, rowsOfPart, sequenceOf, walksOf, type Cell, type Walk } from './recurrence.js';

const BYTES = 4;

/** Where the tensors begin, and what the part keeps from step to step. */
interface Place {
  readonly x: number;
  readonly hg: number;
  readonly states: number;
  readonly dy: number;
  readonly dx: number;
  /** Of the state's part of the gates, where it is another one: behind dx. */
  readonly dhg: number;
  /** What came through the product, and past it (of a GRU's state, of an LSTM's cells). */
  readonly dh: number;
  readonly direct: number;
  /** The gates' gradients of this step, row behind row. */
  readonly dg: number;
  /** An LSTM's cells: zeros, and those of each step. */
  readonly cells: number;
}

interface BackwardCell {
  readonly begin?: (kernels: Kernels, place: Place, walk: Walk) => void;
  readonly step: (kernels: Kernels, place: Place, walk: Walk, step: number) => void;
}

function rnn(relu: 0 | 1): BackwardCell {
  return {
    step(kernels, { states, dy, dh, dx, dg }, { at, n, width, stride, count }, t) {
      const [units, gates] = [BYTES * at(t) * n, BYTES * at(t) * width];
      const [y, row] = [states + units, stride * width];
      kernels.rnn_step_gradient(y, dy + units, stride * n, dh, dx + gates, row, dg, count, n, relu);
    },
  };
}

const CELLS: Readonly<Record<Cell, BackwardCell>> = {
  rnn_tanh: rnn(0),
  rnn_relu: rnn(1),
  lstm: {
    begin(kernels, { x, hg, dx, cells }, { at, n, width, stride, count, steps }) {
      const each = BYTES * count * n;
      kernels.fill(cells, count * n, 0);
      for (let t = 0; t < steps; t++) {
        const [gates, before] = [BYTES * at(t) * width, cells + t * each];
        kernels.lstm_gates(
          x + gates,
          hg + gates,
          dx + gates,
          stride * width,
          before,
          before + each,
          count,
          n,
        );
      }
    },
    step(kernels, { dy, dx, dh, direct, dg, cells }, { at, n, width, stride, count }, t) {
      const [units, gates] = [BYTES * at(t) * n, BYTES * at(t) * width];
      const before = cells + BYTES * t * count * n;
      // prettier-ignore
      kernels.lstm_step_gradient(
        dx + gates, stride * width, before, before + BYTES * count * n, dy + units, stride * n, dh, direct, dg, count, n,
      );
    },
  },
  gru: {
    step(kernels, { x, hg, states, dy, dx, dhg, dh, direct, dg }, { at, n, width, stride, count }, t) {
      const [units, gates] = [BYTES * at(t) * n, BYTES * at(t) * width];
      // prettier-ignore
      kernels.gru_step_gradient(
        x + gates, hg + gates, stride * width, states + units, dy + units, stride * n, dh, direct,
        dx + gates, dhg + gates, dg, count, n,
      );
    },
  },
};

export const recurrenceGradient: Op<'recurrence_gradient'> = {
  shape: ([x], { cell }) => ({ shape: [...(cell === 'gru' ? [2] : []), ...x!.shape], dtype: 'float32' }),
  rowwise: () => false,
  scratch({ inputs: [x], attributes }, _kernels, parts) {
    const { batch, n, width, steps } = sequenceOf(x!, attributes);
    return (
      BYTES * rowsOfPart(batch, parts) * (width + (2 + (attributes.cell === 'lstm' ? steps + 1 : 0)) * n)
    );
  },
  parts: ({ inputs: [x], attributes }, wanted) => partsOf(sequenceOf(x!, attributes).batch, wanted, ROW_UNIT),
  bind({ inputs: [operand], attributes }, parts) {
    const walks = walksOf(sequenceOf(operand!, attributes), attributes, parts);
    const { begin, step } = CELLS[attributes.cell];
    const bytes = BYTES * numel(operand!.shape);
    return (kernels, { inputs: [x, hg, panels, states, dy], output, scratch }, part) => {
      const walk = walks[part]!;
      const { count, n, width, steps } = walk;
      if (count === 0) return;
      const each = BYTES * count * n;
      const dg = scratch + 2 * each;
      // prettier-ignore
      const place = {
        x: x!, hg: hg!, states: states!, dy: dy!, dx: output, dhg: output + bytes,
        dh: scratch, direct: scratch + each, dg, cells: dg + BYTES * count * width,
      };
      kernels.fill(scratch, 2 * count * n, 0);
      begin?.(kernels, place, walk);
      for (let t = steps - 1; t >= 0; t--) {
        step(kernels, place, walk, t);
        if (t > 0) kernels.linear(dg, panels!, 0, scratch, count, n, n, width, 0);
      }
    };
  },
  cost: ([x, , panels]) => numel(x!.shape) * (2 * panels!.shape.at(-3)! * 16 + 30),
};
