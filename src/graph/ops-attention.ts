// Attention: softmax(q kᵀ / √d) v for each head of each row of the batch. What a head has in between stays in the scratch
// of the part that computes it; its products are those of `linear`. The gradients compute it again.

import { numel } from '../tensor/shape.js';
import { headsOf, rowsOf, type AttentionAttributes, type Heads, type Rows } from './attention.js';
import { reshape } from './broadcasting.js';
import type { Kernels } from './kernels.js';
import { ShapeError, type Op, type Operand } from './op.js';
import { packedBytes } from './panels.js';
import { partsOf, ranges } from './parts.js';
import { list, requireFloat } from './requirements.js';

const BYTES = 4;
/** Scores that stay in the second-level cache. */
const SCORES = 65_536;
const TILE_ROWS = 12;
/** Long sequences are shared by fewer workers, so that all their scores together take no more. */
const ROOM = 64 * 2 ** 20;

/** So many rows of scores are made at a time. */
function blockRows({ steps, keys }: Heads): number {
  const tiles = Math.max(1, Math.floor(SCORES / TILE_ROWS / Math.max(1, keys)));
  return Math.min(steps, tiles * TILE_ROWS);
}

/** Bytes after which memory for `floats` ends. */
const room = (floats: number): number => 64 * Math.ceil((BYTES * floats) / 64);

function layout(of: Heads) {
  const { keys, d } = of;
  const rows = blockRows(of);
  const keyPanels = 0;
  const valuePanels = keyPanels + packedBytes(keys, d);
  const queries = valuePanels + packedBytes(d, keys);
  const scores = queries + room(Math.max(rows, keys) * d);
  return { rows, keyPanels, valuePanels, queries, scores, bytes: scores + room(rows * keys) };
}

function shapeOf(inputs: readonly (Operand | null)[], attributes: AttentionAttributes): Operand {
  for (const x of inputs) requireFloat(x!, 'scaled_dot_product_attention');
  const [q, k, v] = inputs as [Operand, Operand?, Operand?];
  const { embed } = headsOf(inputs, attributes);
  const batchDim = attributes.batchFirst ? 0 : 1;
  if (k && v) {
    const fits = k.shape.every((extent, i) => extent === v.shape[i]) && k.shape[2] === embed;
    if (!fits || k.shape[batchDim] !== q.shape[batchDim]) {
      throw new ShapeError(
        `queries ${list(q.shape)}, keys ${list(k.shape)} and values ${list(v.shape)} do not fit`,
      );
    }
  }
  return { shape: [...q.shape.slice(0, 2), embed], dtype: 'float32' };
}

/** x, y[count, d]: a head's rows side by side. */
function gather(
  kernels: Kernels,
  x: number,
  y: number,
  rows: { count: number; d: number; stride: number },
): void {
  kernels.gather(x, y, 1, rows.count, rows.d, 0, rows.stride, 1);
}

export const attention: Op<'attention'> = {
  shape: shapeOf,
  rowwise: (inputs, { batchFirst }) => batchFirst && inputs.length === 1,
  scratch: ({ inputs, attributes }) => layout(headsOf(inputs, attributes)).bytes,
  parts({ inputs: [q], attributes: { heads, batchFirst } }, wanted) {
    return partsOf(q!.shape[batchFirst ? 0 : 1]! * heads, wanted, 1);
  },
  bind({ inputs, attributes }, parts) {
    const of = headsOf(inputs, attributes);
    const { batch, heads, steps, keys, d, embed, scale, q, k, v } = of;
    const at = layout(of);
    const out = rowsOf({ count: steps, batch, wide: embed, batchFirst: attributes.batchFirst }, d, 0);
    const slices = ranges(batch * heads, parts, 1);
    const together = inputs.length === 1;
    return (kernels, { inputs: given, output, scratch }, part) => {
      const { from, count } = slices[part]!;
      const x = given[0]!;
      const [y, z] = together ? [x, x] : [given[1]!, given[2]!];
      const [keyPanels, valuePanels] = [scratch + at.keyPanels, scratch + at.valuePanels];
      const [queries, scores] = [scratch + at.queries, scratch + at.scores];
      for (let i = from; i < from + count; i++) {
        const [row, head] = [Math.floor(i / heads), i % heads];
        gather(kernels, y + k.begin(row, head), queries, { count: keys, d, stride: k.stride });
        kernels.pack(queries, keyPanels, keys, d);
        kernels.pack_transposed(z + v.begin(row, head), valuePanels, d, keys, v.stride);
        for (let t = 0; t < steps; t += at.rows) {
          const rows = Math.min(at.rows, steps - t);
          const first = x + q.begin(row, head) + BYTES * t * q.stride;
          gather(kernels, first, queries, { count: rows, d, stride: q.stride });
          kernels.affine(queries, queries, rows * d, scale, 0);
          kernels.linear(queries, keyPanels, 0, scores, rows, keys, keys, d, 0);
          kernels.softmax_rows(scores, scores, rows, keys);
          const to = output + out.begin(row, head) + BYTES * t * out.stride;
          kernels.linear(scores, valuePanels, 0, to, rows, out.stride, d, keys, 0);
        }
      }
    };
  },
  gradient({ inputs, attributes, gradient }, apply) {
    const found = apply('attention_gradient', [...inputs, gradient], attributes);
    if (inputs.length === 1) return [found];
    const dim = attributes.batchFirst ? 1 : 0;
    let start = 0;
    return inputs.map((input) => {
      const count = input!.shape[dim]!;
      const own = apply('slice', [found], { dim, start, step: 1, count });
      start += count;
      return reshape(apply, own, input!.shape);
    });
  },
  cost: (inputs, output, attributes) => {
    const { keys, heads } = headsOf(inputs, attributes);
    return numel(output.shape) * 4 * keys + (numel(output.shape) / output.shape[2]!) * heads * keys * 12;
  },
};

/** What a head's gradients need at once. */
function gradientLayout({ steps, keys, d }: Heads) {
  const panels = 0;
  const rows = panels + Math.max(packedBytes(keys, d), packedBytes(d, keys), packedBytes(d, steps));
  const gathered = rows + room(steps * d);
  const weights = gathered + room(Math.max(steps, keys) * d);
  const slopes = weights + room(steps * keys);
  const turned = slopes + room(steps * keys);
  return { panels, queries: rows, gathered, weights, slopes, turned, bytes: turned + room(steps * keys) };
}

/** Where the gradients of q, k and v go: as they lie in one tensor, or one behind the other along the steps. */
function targets(of: Heads, together: boolean, batchFirst: boolean): readonly [Rows, Rows, Rows] {
  const { batch, steps, keys, d, embed } = of;
  if (together) return [of.q, of.k, of.v];
  const all = { count: steps + 2 * keys, batch, wide: embed, batchFirst };
  const rows = rowsOf(all, d, 0);
  const after = (skipped: number): Rows => ({
    stride: rows.stride,
    begin: (row, head) => rows.begin(row, head) + BYTES * skipped * rows.stride,
  });
  return [rows, after(steps), after(steps + keys)];
}

export const attentionGradient: Op<'attention_gradient'> = {
  shape(inputs, attributes) {
    if (inputs.length === 2) return { shape: inputs[0]!.shape, dtype: 'float32' };
    const { batch, steps, keys, embed } = headsOf(inputs.slice(0, 3), attributes);
    const all = steps + 2 * keys;
    return { shape: [...(attributes.batchFirst ? [batch, all] : [all, batch]), embed], dtype: 'float32' };
  },
  rowwise: () => false,
  scratch: ({ inputs, attributes }) => gradientLayout(headsOf(inputs.slice(0, -1), attributes)).bytes,
  parts({ inputs, attributes }, wanted) {
    const of = headsOf(inputs.slice(0, -1), attributes);
    const most = Math.max(1, Math.floor(ROOM / gradientLayout(of).bytes));
    return partsOf(of.batch * of.heads, Math.min(wanted, most), 1);
  },
  bind({ inputs, attributes }, parts) {
    const of = headsOf(inputs.slice(0, -1), attributes);
    const { batch, heads, steps, keys, d, embed, scale, q, k, v } = of;
    const { batchFirst } = attributes;
    const at = gradientLayout(of);
    const together = inputs.length === 2;
    const [dq, dk, dv] = targets(of, together, batchFirst);
    const dy = rowsOf({ count: steps, batch, wide: embed, batchFirst }, d, 0);
    const slices = ranges(batch * heads, parts, 1);
    return (kernels, { inputs: given, output, scratch }, part) => {
      const { from, count } = slices[part]!;
      const x = given[0]!;
      const [y, z] = together ? [x, x] : [given[1]!, given[2]!];
      const g = given[together ? 1 : 3]!;
      const [panels, queries, gathered] = [scratch + at.panels, scratch + at.queries, scratch + at.gathered];
      const [weights, slopes, turned] = [scratch + at.weights, scratch + at.slopes, scratch + at.turned];
      for (let i = from; i < from + count; i++) {
        const [row, head] = [Math.floor(i / heads), i % heads];
        const [keyRows, valueRows] = [y + k.begin(row, head), z + v.begin(row, head)];
        // The weights, as in the forward.
        gather(kernels, keyRows, gathered, { count: keys, d, stride: k.stride });
        kernels.pack(gathered, panels, keys, d);
        gather(kernels, x + q.begin(row, head), queries, { count: steps, d, stride: q.stride });
        kernels.affine(queries, queries, steps * d, scale, 0);
        kernels.linear(queries, panels, 0, weights, steps, keys, keys, d, 0);
        kernels.softmax_rows(weights, weights, steps, keys);
        // Of the weights: g vᵀ; of the scores: through softmax.
        gather(kernels, valueRows, gathered, { count: keys, d, stride: v.stride });
        kernels.pack(gathered, panels, keys, d);
        gather(kernels, g + dy.begin(row, head), gathered, { count: steps, d, stride: dy.stride });
        kernels.linear(gathered, panels, 0, slopes, steps, keys, keys, d, 0);
        kernels.softmax_rows_gradient(weights, slopes, steps, keys);
        // Of the values: weightsᵀ g.
        kernels.gather(weights, turned, 1, keys, steps, 0, 1, keys);
        kernels.pack_transposed(gathered, panels, d, steps, d);
        kernels.linear(turned, panels, 0, output + dv.begin(row, head), keys, dv.stride, d, steps, 0);
        // Of the keys: scoresᵀ times the scaled queries; of the queries: scores times the scaled keys.
        kernels.gather(slopes, turned, 1, keys, steps, 0, 1, keys);
        kernels.pack_transposed(queries, panels, d, steps, d);
        kernels.linear(turned, panels, 0, output + dk.begin(row, head), keys, dk.stride, d, steps, 0);
        gather(kernels, keyRows, gathered, { count: keys, d, stride: k.stride });
        kernels.affine(gathered, gathered, keys * d, scale, 0);
        kernels.pack_transposed(gathered, panels, d, keys, d);
        kernels.linear(slopes, panels, 0, output + dq.begin(row, head), steps, dq.stride, d, keys, 0);
      }
    };
  },
  cost: (inputs, _output, attributes) => {
    const { steps, keys, batch, embed, heads } = headsOf(inputs.slice(0, -1), attributes);
    return batch * steps * keys * (10 * embed + 24 * heads);
  },
};
