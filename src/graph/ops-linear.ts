// The product with a weight whose panels are kept.

import { numel } from '../tensor/shape.js';
import { PANEL_COLUMNS, packedBytes } from './panels.js';
import { matmul, productGradients } from './ops-product.js';
import { cutOf, partsOf, ranges } from './parts.js';
import { DTypeError, ShapeError, type Op, type Operand, type Step } from './op.js';
import { SCALAR_TYPES } from './requirements.js';

const BYTES = 4;
/** What is packed at a time where the panels of a weight are not kept. */
const BLOCK_BYTES = 65_536;

/** y[m,n] = x[m,k] · w[n,k]ᵀ */
function extents({ inputs: [, weight], output }: Step<'linear'>): { m: number; n: number; k: number } {
  const [n, k] = weight!.shape as [number, number];
  return { m: numel(output.shape.slice(0, -1)), n, k };
}

function blockColumns(weight: Operand): number {
  const [n, k] = weight.shape as [number, number];
  const panels = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(1, packedBytes(PANEL_COLUMNS, k))));
  return Math.min(panels * PANEL_COLUMNS, Math.max(n, 1));
}

export const linear: Op<'linear'> = {
  shape([x, weight]) {
    if (x!.shape.length === 0) {
      throw new ShapeError('both arguments to linear need to be at least 1D, but they are 0D and 2D');
    }
    if (x!.dtype !== 'float32') {
      throw new DTypeError(
        `mat1 and mat2 must have the same dtype, but got ${SCALAR_TYPES[x!.dtype]} and Float`,
      );
    }
    const [out, features] = weight!.shape as [number, number];
    const rows = x!.shape.slice(0, -1);
    if (x!.shape.at(-1) !== features) {
      throw new ShapeError(
        `mat1 and mat2 shapes cannot be multiplied (${numel(rows)}x${x!.shape.at(-1)} and ${features}x${out})`,
      );
    }
    return { shape: [...rows, out], dtype: 'float32' };
  },
  rowwise: ([x]) => x!.shape.length > 1,
  packs: () => true,
  activates: true,
  scratch: ({ inputs: [, weight] }) => packedBytes(blockColumns(weight!), weight!.shape[1]!),
  parts(step, wanted) {
    const { m, n } = extents(step);
    const { length, unit } = cutOf(m, n);
    return partsOf(length, wanted, unit);
  },
  bind(step, parts, activation) {
    const { m, n, k } = extents(step);
    const { byColumns, length, unit } = cutOf(m, n);
    const slices = ranges(length, parts, unit);
    const block = blockColumns(step.inputs[1]!);
    const relu = activation?.name === 'relu' ? 1 : 0;
    const after = relu ? null : activation;
    return (kernels, { inputs, output, scratch, panels }, part) => {
      const { from, count } = slices[part]!;
      const rows = byColumns ? m : count;
      const j0 = byColumns ? from : 0;
      const j1 = byColumns ? from + count : n;
      const x = byColumns ? inputs[0]! : inputs[0]! + BYTES * from * k;
      const y = byColumns ? output : output + BYTES * from * n;
      const bias = inputs[2]!;
      // Without panels a few are made at a time, and used at once.
      for (let j = j0, next; j < j1; j = next) {
        next = panels ? j1 : Math.min(j + block, j1);
        const packed = panels ? panels + BYTES * j * k : scratch;
        if (!panels) kernels.pack(inputs[1]! + BYTES * j * k, packed, next - j, k);
        kernels.linear(x, packed, bias && bias + BYTES * j, y + BYTES * j, rows, n, next - j, k, relu);
      }
      if (!after) return;
      const apply = kernels[after.name];
      if (!byColumns || parts === 1) apply(y, y, rows * n, after.a, after.b);
      else
        for (let i = 0; i < rows; i++) {
          const row = y + BYTES * (i * n + j0);
          apply(row, row, count, after.a, after.b);
        }
    };
  },
  gradient({ inputs: [x, weight], gradient, wants }, apply) {
    const asked = { a: wants[0]!, w: wants[1]!, bias: wants[2] ?? false };
    const product = { a: x!, w: weight!, transposed: false, gradient, wants: asked };
    const found = productGradients(apply, product);
    return [found.a, found.w, found.bias];
  },
  unpacked: ([x, weight, bias], _attributes, apply) =>
    matmul(apply, { value: x! }, { value: weight!, transposed: true }, bias),
  cost: ([, weight], output) => numel(output.shape) * (2 * weight!.shape[1]! + 1),
};
