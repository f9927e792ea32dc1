// Parts of tensors as strided views, walked in row-major order; and how a value's shape is stretched over a view's.
// All in elements, not bytes.

import { contiguousStrides, listed, numel, sameShape, type Shape } from './shape.js';
import { TensorValue, zeros, type TensorData } from './tensor-value.js';

/** Element (i, j, ...) stands at offset + i·strides[0] + j·strides[1] + ...; a stride of 0 repeats. */
export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

export function wholeView(shape: Shape): View {
  return { shape, strides: contiguousStrides(shape), offset: 0 };
}

/** A value does not fit where it is to go. The message is PyTorch's. */
export class BroadcastError extends Error {
  override readonly name = 'BroadcastError';
}

/**
 * The strides by which a contiguous value of `shape` fills `target` in `tensor[index] = value`: its leading 1s are
 * dropped (ATen, slicePrefix1sSize), then it expands. Throws BroadcastError.
 */
export function expandStrides(shape: Shape, target: Shape): number[] {
  const kept = shape.findIndex((extent) => extent !== 1);
  const own = kept === -1 ? [] : shape.slice(kept);
  if (own.length > target.length) {
    throw new BroadcastError(
      `expand(torch.FloatTensor{${listed(own)}}, size=${listed(target)}): the number of sizes provided (${target.length}) ` +
        `must be greater or equal to the number of dimensions in the tensor (${own.length})`,
    );
  }
  for (let i = own.length - 1, j = target.length - 1; i >= 0; i--, j--) {
    if (own[i] === target[j] || own[i] === 1) continue;
    throw new BroadcastError(
      `The expanded size of the tensor (${target[j]}) must match the existing size (${own[i]}) at non-singleton ` +
        `dimension ${j}.  Target sizes: ${listed(target)}.  Tensor sizes: ${listed(own)}`,
    );
  }
  return stretch(own, target);
}

/** The shape of an elementwise result (ATen, infer_size). Throws BroadcastError. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = rank - 1; i >= 0; i--) {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new BroadcastError(
        `The size of tensor a (${x}) must match the size of tensor b (${y}) at non-singleton dimension ${i}`,
      );
    }
    out[i] = x === 1 ? y : x;
  }
  return out;
}

/** The strides of a contiguous value of `shape` in `target.op_(value)`. Throws BroadcastError. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const out = broadcastShapes(target, shape);
  if (!sameShape(out, target)) {
    throw new BroadcastError(
      `output with shape ${listed(target)} doesn't match the broadcast shape ${listed(out)}`,
    );
  }
  return stretch(shape, target);
}

function stretch(shape: Shape, target: Shape): number[] {
  const own = contiguousStrides(shape);
  const added = target.length - shape.length;
  return target.map((_, i) => (i < added || shape[i - added] === 1 ? 0 : own[i - added]!));
}

/** `count` elements of each of two views: a + i·aStep goes with b + i·bStep. */
export interface Row {
  readonly count: number;
  readonly a: number;
  readonly aStep: number;
  readonly b: number;
  readonly bStep: number;
}

/** Walks two views of one shape together, in row-major order, in rows as long as their strides allow. */
export function forEachRow(a: View, b: View, visit: (row: Row) => void): void {
  if (a.shape.includes(0)) return;
  const dims = joinedDimensions(a, b);
  const { extent: count, a: aStep, b: bStep } = dims.pop() ?? { extent: 1, a: 0, b: 0 };
  const descend = (depth: number, aAt: number, bAt: number): void => {
    if (depth === dims.length) return visit({ count, a: aAt, aStep, b: bAt, bStep });
    const { extent, a: aStride, b: bStride } = dims[depth]!;
    for (let i = 0; i < extent; i++) descend(depth + 1, aAt + i * aStride, bAt + i * bStride);
  };
  descend(0, a.offset, b.offset);
}

interface Dimension {
  extent: number;
  a: number;
  b: number;
}

/** Without dimensions of one element; neighbours that one stride steps through, in both views, are one. */
function joinedDimensions(a: View, b: View): Dimension[] {
  const dims: Dimension[] = [];
  for (const [i, extent] of a.shape.entries()) {
    if (extent === 1) continue;
    const inner = { extent, a: a.strides[i]!, b: b.strides[i]! };
    const outer = dims.at(-1);
    if (outer?.a === inner.a * extent && outer.b === inner.b * extent) {
      dims[dims.length - 1] = { ...inner, extent: outer.extent * extent };
    } else {
      dims.push(inner);
    }
  }
  return dims;
}

/** Where the view's elements stand one after another. */
export function isContiguous({ shape, strides }: View): boolean {
  const wanted = contiguousStrides(shape);
  return shape.includes(0) || shape.every((extent, i) => extent === 1 || strides[i] === wanted[i]);
}

/** The view's elements in memory of their own, row-major. */
export function gather(
  { dtype, data }: { readonly dtype: TensorValue['dtype']; readonly data: TensorData },
  view: View,
): TensorValue {
  if (isContiguous(view)) {
    return new TensorValue(dtype, view.shape, data.slice(view.offset, view.offset + numel(view.shape)));
  }
  const out = zeros(dtype, view.shape);
  forEachRow(wholeView(view.shape), view, ({ count, a, aStep, b, bStep }) => {
    for (let i = 0; i < count; i++) out.data[a + i * aStep] = data[b + i * bStep]!;
  });
  return out;
}

/**
 * As many elements of a view as `target` has, row-major, from the one at `from` on. `data` is what the view is of; the
 * target is of the same dtype, and lies apart.
 */
export function copyStretch(
  data: TensorData,
  { view: { shape, strides, offset }, from }: { readonly view: View; readonly from: number },
  target: TensorData,
): void {
  // The types of one dtype go together.
  const [source, out] = [data as Float32Array, target as Float32Array];
  const last = shape.length - 1;
  const [inner = 1, step = 1] = [shape[last], strides[last]];
  for (let done = 0; done < out.length;) {
    const column = (from + done) % inner;
    let row = (from + done - column) / inner;
    let at = offset + column * step;
    for (let dim = last - 1; dim >= 0; dim--) {
      const extent = shape[dim]!;
      at += (row % extent) * strides[dim]!;
      row = Math.floor(row / extent);
    }
    const count = Math.min(inner - column, out.length - done);
    if (step === 1) out.set(source.subarray(at, at + count), done);
    else for (let i = 0; i < count; i++) out[done + i] = source[at + i * step]!;
    done += count;
  }
}
