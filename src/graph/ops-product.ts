// Products of two tensors that are both made on the way: panels are made of one, and read by the other.

import { numel, type Shape } from '../tensor/shape.js';
import { ShapeError, type Op } from './op.js';
import { PANEL_COLUMNS, packedBytes } from './panels.js';
import { cutOf, partsOf, ranges } from './parts.js';
import { list, requireFloat } from './requirements.js';
import { reshape, sumTo } from './broadcasting.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;

export const pack: Op<'pack'> = {
  shape([w], { transposed }) {
    requireFloat(w!, 'addmm_impl_cpu_');
    const [n, k] = sidesOf(w!.shape, transposed);
    return {
      shape: [...w!.shape.slice(0, -2), Math.ceil(n / PANEL_COLUMNS), k, PANEL_COLUMNS],
      dtype: 'float32',
    };
  },
  rowwise: ([w]) => w!.shape.length > 2,
  parts: ({ inputs: [w], output }, wanted) => {
    const batch = numel(w!.shape.slice(0, -2));
    return batch > 1 ? partsOf(batch, wanted, 1) : partsOf(output.shape.at(-3)!, wanted, 1);
  },
  bind({ inputs: [w], attributes: { transposed }, output: { shape } }, parts) {
    const [n, k] = sidesOf(w!.shape, transposed);
    const batch = numel(w!.shape.slice(0, -2));
    const panels = shape.at(-3)!;
    const [from, to] = [BYTES * n * k, packedBytes(n, k)];
    const slices = ranges(batch > 1 ? batch : panels, parts, 1);
    return (kernels, { inputs: [x], output }, part) => {
      const { from: first, count } = slices[part]!;
      if (batch > 1) {
        for (let i = first; i < first + count; i++) {
          if (transposed) kernels.pack_transposed(x! + i * from, output + i * to, n, k, n);
          else kernels.pack(x! + i * from, output + i * to, n, k);
        }
        return;
      }
      const j = first * PANEL_COLUMNS;
      const columns = Math.min(n - j, count * PANEL_COLUMNS);
      if (columns <= 0) return;
      const y = output + BYTES * j * k;
      if (transposed) kernels.pack_transposed(x! + BYTES * j, y, columns, k, n);
      else kernels.pack(x! + BYTES * j * k, y, columns, k);
    };
  },
  // The product that reads the panels has w itself for an input, and answers for both.
  gradient: () => [],
  cost: (_inputs, output) => numel(output.shape),
};

/** [n, k] of a matrix that is given as it is, or transposed. */
function sidesOf(shape: Shape, transposed: boolean): readonly [number, number] {
  const [a, b] = [shape.at(-2)!, shape.at(-1)!];
  return transposed ? [b, a] : [a, b];
}

export const product: Op<'product'> = {
  shape([a, panels], { n }) {
    requireFloat(a!, 'addmm_impl_cpu_');
    if (a!.shape.at(-1) !== panels!.shape.at(-2) || panels!.shape.at(-3) !== Math.ceil(n / PANEL_COLUMNS)) {
      throw new ShapeError(`panels ${list(panels!.shape)} of ${n} columns do not fit ${list(a!.shape)}`);
    }
    return { shape: [...a!.shape.slice(0, -1), n], dtype: 'float32' };
  },
  // Matrices for each row, of rows or of one matrix for all.
  rowwise: ([a, panels], _attributes, rows) =>
    rows[0]! && (rows[1] ? a!.shape.length > 2 : panels!.shape.length === 3) && !rows[2],
  joins: true,
  activates: true,
  parts({ inputs: [a, panels], attributes: { n } }, wanted) {
    const batch = numel(panels!.shape.slice(0, -3));
    if (batch > 1) return partsOf(batch, wanted, 1);
    const { length, unit } = cutOf(numel(a!.shape.slice(0, -1)), n);
    return partsOf(length, wanted, unit);
  },
  bind({ inputs: [a, panels], attributes: { n } }, parts, activation) {
    const k = a!.shape.at(-1)!;
    const batch = numel(panels!.shape.slice(0, -3));
    const m = batch === 0 ? 0 : numel(a!.shape.slice(0, -1)) / batch;
    const relu = activation?.name === 'relu' ? 1 : 0;
    const after = relu ? null : activation;
    if (batch !== 1) {
      const slices = ranges(batch, parts, 1);
      const bytes = packedBytes(n, k);
      return (kernels, { inputs: [x, w, bias], output }, part) => {
        const { from, count } = slices[part]!;
        for (let i = from; i < from + count; i++) {
          const y = output + BYTES * i * m * n;
          kernels.linear(x! + BYTES * i * m * k, w! + i * bytes, bias!, y, m, n, n, k, relu);
        }
        const y = output + BYTES * from * m * n;
        if (after) kernels[after.name](y, y, count * m * n, after.a, after.b);
      };
    }
    const { byColumns, length, unit } = cutOf(m, n);
    const slices = ranges(length, parts, unit);
    return (kernels, { inputs: [x, w, bias], output }, part) => {
      const { from, count } = slices[part]!;
      if (count === 0) return;
      if (!byColumns) {
        const y = output + BYTES * from * n;
        kernels.linear(x! + BYTES * from * k, w!, bias!, y, count, n, n, k, relu);
        if (after) kernels[after.name](y, y, count * n, after.a, after.b);
        return;
      }
      const y = output + BYTES * from;
      kernels.linear(x!, w! + BYTES * from * k, bias! && bias + BYTES * from, y, m, n, count, k, relu);
      for (let i = 0; after && i < m; i++) {
        kernels[after.name](y + BYTES * i * n, y + BYTES * i * n, count, after.a, after.b);
      }
    };
  },
  gradient({ inputs: [a, , , w], attributes: { transposed }, gradient, wants }, apply) {
    const asked = { a: wants[0]!, bias: wants[2]!, w: wants[3]! };
    const found = productGradients(apply, { a: a!, w: w!, transposed, gradient, wants: asked });
    return [found.a, null, found.bias, found.w];
  },
  cost: ([a], output) => numel(output.shape) * (2 * a!.shape.at(-1)! + 1),
};

export interface Factor {
  readonly value: Value;
  /** Its last two dimensions are meant the other way round. */
  readonly transposed?: boolean;
}

/**
 * a · b + bias: [..., m, k] · [..., k, n] → [..., m, n]; b has as many matrices as a, or one for all. One chain for each
 * output, as in `linear`.
 */
export function matmul(apply: Apply, a: Factor, b: Factor, bias: Value | null = null): Value {
  const rows = a.transposed ? swapped(apply, a.value) : a.value;
  const transposed = !b.transposed;
  const [n] = sidesOf(b.value.shape, transposed);
  const panels = apply('pack', [b.value], { transposed });
  return apply('product', [rows, panels, bias, b.value], { n, transposed });
}

/** The last two dimensions the other way round. */
export function swapped(apply: Apply, x: Value): Value {
  const rank = x.shape.length;
  const dims = x.shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  return apply('permute', [x], { dims });
}

export interface ProductGradients {
  readonly a: Value;
  readonly w: Value;
  /** w is [..., k, n], not [..., n, k]. */
  readonly transposed: boolean;
  readonly gradient: Value;
  readonly wants: { readonly a: boolean; readonly w: boolean; readonly bias: boolean };
}

/** The gradients of a, w and the bias of a · wᵀ + bias. */
export function productGradients(apply: Apply, product: ProductGradients) {
  const { w, transposed, wants } = product;
  const shared = w.shape.length === 2;
  const matrix = (x: Value): Value =>
    shared ? reshape(apply, x, [numel(x.shape.slice(0, -1)), x.shape.at(-1)!]) : x;
  const [a, gradient] = [matrix(product.a), matrix(product.gradient)];
  const [left, right] = transposed ? [a, gradient] : [gradient, a];
  return {
    a: wants.a ? matmul(apply, { value: product.gradient }, { value: w, transposed }) : null,
    w: wants.w ? matmul(apply, { value: left, transposed: true }, { value: right }) : null,
    bias: wants.bias ? sumTo(apply, product.gradient, [product.gradient.shape.at(-1)!]) : null,
  };
}
