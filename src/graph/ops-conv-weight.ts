// The gradient of a convolution's weight: one product for each piece of the output's positions, of the image's windows
// (im2col) with the output's gradients. Pieces are summed within a chunk in float32, chunks in float64 by `sum`.

import { numel, type Shape } from '../tensor/shape.js';
import { reshape } from './broadcasting.js';
import type { Kernels } from './kernels.js';
import type { Addresses, Op, OpAttributes, Operand, Pair, Run, Step } from './op.js';
import { PANEL_COLUMNS, packedBytes } from './panels.js';
import { partsOf, ranges, type Range } from './parts.js';
import { plane } from './spatial.js';
import type { Apply, Value } from './tracer.js';

const BYTES = 4;
/** Positions of a piece: the length of a chain, and the rows of the panels that stay in the second-level cache. */
const PIECE = 1024;
/** Windows that are unfolded at a time, for as many channels as fit. */
const BLOCK_BYTES = 256 << 10;
/** As many as a step has parts at most. Their number is a matter of shapes alone, as it shows in the bits. */
const CHUNKS = 8;
/** With fewer pieces the parts share out the channels instead. */
const FEW_PIECES = 4;
const MAX_CHUNK_BYTES = 2 << 20;

/** Groups of at most so many outputs leave a product's panels empty: theirs are plain sums (a depthwise layer's: 3 times faster). */
const SPARSE_OUTPUTS = 2;

type Sizes = ReturnType<typeof sizesOf>;

function sizesOf(
  [x, gradient]: readonly (Operand | null)[],
  attributes: OpAttributes['conv_weight_gradient'],
) {
  const { dims, kernel, groups } = attributes;
  const [[h, w], [oh, ow]] = [plane(x!.shape, dims), plane(gradient!.shape, dims)];
  const batch = x!.shape.length === dims + 2 ? x!.shape[0]! : 1;
  const [ci, co] = [x!.shape.at(-dims - 1)!, gradient!.shape.at(-dims - 1)!];
  const [channels, outputs, area] = [ci / groups, co / groups, kernel[0] * kernel[1]];
  // A piece is several images, or some rows of one.
  const images = Math.max(1, Math.floor(PIECE / Math.max(1, oh * ow)));
  const rows = Math.max(1, Math.min(oh, Math.floor(PIECE / Math.max(1, ow))));
  const pieces = images > 1 ? Math.ceil(batch / images) : batch * Math.ceil(oh / rows);
  const bytes = BYTES * ci * area * outputs;
  const sparse = groups > 1 && outputs <= SPARSE_OUTPUTS;
  const whole = sparse || pieces < FEW_PIECES || bytes > MAX_CHUNK_BYTES;
  const chunks = whole ? 1 : Math.min(pieces, CHUNKS);
  const k = Math.min(images, Math.max(batch, 1)) * rows * ow;
  const block = Math.min(channels, Math.max(1, Math.floor(BLOCK_BYTES / Math.max(1, BYTES * area * k))));
  const counts = { images, rows, pieces, chunks, k, block, sparse };
  return { batch, ci, co, h, w, oh, ow, channels, outputs, area, ...counts };
}

/** Where a part's scratch memory has what: gradients in panels, windows, a piece's product, rows of one image's gradient. */
function layout({ outputs, k, block, area, oh, rows }: Sizes) {
  const windows = packedBytes(outputs, k);
  const product = windows + BYTES * block * area * k;
  const band = product + BYTES * block * area * outputs;
  return { windows, product, band, bytes: band + (rows < oh ? BYTES * outputs * k : 0) };
}

export const convWeightGradient: Op<'conv_weight_gradient'> = {
  shape(inputs, attributes) {
    const { channels, outputs, area, chunks } = sizesOf(inputs, attributes);
    return { shape: [chunks, attributes.groups * outputs, channels * area], dtype: 'float32' };
  },
  rowwise: () => false,
  scratch({ inputs, attributes }) {
    const sizes = sizesOf(inputs, attributes);
    return sizes.sparse ? 0 : layout(sizes).bytes;
  },
  parts({ inputs, attributes }, wanted) {
    const { chunks, channels } = sizesOf(inputs, attributes);
    if (chunks > 1) return partsOf(chunks, wanted, 1);
    return partsOf(attributes.groups > 1 ? attributes.groups : channels, wanted, 1);
  },
  bind(step, parts) {
    const { groups } = step.attributes;
    const sizes = sizesOf(step.inputs, step.attributes);
    const { chunks, channels, outputs, area, pieces } = sizes;
    if (sizes.sparse) return sumsOf(step, sizes, parts);
    const run = pieceOf(step, sizes);
    const byChunks = chunks > 1;
    const units = byChunks ? chunks : groups > 1 ? groups : channels;
    const slices = ranges(units, parts, 1);
    const all = { from: 0, count: groups };
    const every = { from: 0, count: channels };
    const perChunk = ranges(pieces, chunks, 1);
    const chunkBytes = BYTES * groups * channels * area * outputs;
    return (kernels, at, part) => {
      const slice = slices[part]!;
      const [first, end] = byChunks ? [slice.from, slice.from + slice.count] : [0, 1];
      const which = byChunks || groups === 1 ? all : slice;
      const ofGroup = byChunks || groups > 1 ? every : slice;
      for (let chunk = first; chunk < end; chunk++) {
        const to = at.output + chunk * chunkBytes;
        const { from, count } = perChunk[chunk]!;
        for (let g = which.from; g < which.from + which.count; g++) {
          const place = { group: g, channels: ofGroup, to: to + (g * chunkBytes) / groups };
          if (count === 0) kernels.fill_planes(0, place.to, 1, chunkBytes / groups / BYTES);
          for (let piece = 0; piece < count; piece++) {
            run(kernels, at, { ...place, piece: from + piece, begins: piece === 0 });
          }
        }
      }
    };
  },
  cost: ([, gradient], output) => 2 * numel(gradient!.shape) * output.shape[2]! + numel(output.shape),
};

/** Every group's sums, one group after the other. */
function sumsOf({ attributes }: Step<'conv_weight_gradient'>, sizes: Sizes, parts: number): Run {
  const { groups, kernel: [kh, kw], stride: [sh, sw], padding: [pt, pl], dilation: [dh, dw] } = attributes; // prettier-ignore
  const { batch, ci, co, h, w, oh, ow, channels, outputs, area } = sizes;
  const slices = ranges(groups, parts, 1);
  return (kernels, { inputs, output }, part) => {
    const { from, count } = slices[part]!;
    for (let g = from; g < from + count; g++) {
      const x = inputs[0]! + BYTES * g * channels * h * w;
      const dy = inputs[1]! + BYTES * g * outputs * oh * ow;
      const y = output + BYTES * g * outputs * channels * area;
      // prettier-ignore
      kernels.window_sums(
        x, dy, y, batch, ci * h * w, co * oh * ow, channels, outputs,
        h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw,
      );
    }
  };
}

interface Piece {
  readonly piece: number;
  /** Nothing stands at `to` yet. */
  readonly begins: boolean;
  readonly group: number;
  readonly channels: Range;
  readonly to: number;
}

/** Rows from ... from + rows - 1 of so many images: k positions in all. */
interface Taken {
  readonly from: number;
  readonly rows: number;
  readonly images: number;
  readonly k: number;
  readonly scratch: number;
}

/** Computes a piece of one group and adds it to what stands at `to`. */
function pieceOf({ attributes }: Step<'conv_weight_gradient'>, sizes: Sizes) {
  const { kernel: [kh, kw], stride: [sh, sw], padding: [pt, pl], dilation: [dh, dw] } = attributes; // prettier-ignore
  const { batch, ci, co, h, w, oh, ow, outputs, area, images, rows, block } = sizes;
  const room = layout(sizes);
  const bands = Math.ceil(oh / rows);
  return (kernels: Kernels, { inputs, scratch }: Addresses, given: Piece): void => {
    const { piece, begins, group, channels, to } = given;
    const [image, count] = images > 1 ? [piece * images, images] : [Math.floor(piece / bands), 1];
    const from = images > 1 ? 0 : (piece % bands) * rows;
    const taken = { images: Math.min(count, batch - image), rows: Math.min(rows, oh - from) };
    const k = taken.images * taken.rows * ow;
    const gradient = inputs[1]! + BYTES * (image * co + group * outputs) * oh * ow;
    packGradients(kernels, gradient, { from, k, scratch, ...taken });
    const x = inputs[0]! + BYTES * (image * ci + (group * ci) / attributes.groups) * h * w;
    const windows = scratch + room.windows;
    const end = channels.from + channels.count;
    for (let c = channels.from; c < end; c += block) {
      const some = Math.min(block, end - c);
      const at = x + BYTES * c * h * w;
      // prettier-ignore
      kernels.unfold(
        at, windows, taken.images, ci * h * w, some, h, w, from, taken.rows, ow,
        kh, kw, sh, sw, pt, pl, dh, dw,
      );
      const product = scratch + room.product;
      kernels.linear(windows, scratch, 0, product, some * area, outputs, outputs, k, 0);
      const y = to + BYTES * c * area;
      kernels.add_transposed(product, y, some * area, outputs, sizes.channels * area, begins ? 1 : 0);
    }
  };

  /** panels[ceil(outputs / 16), images · rows · ow, 16] of gradient[images, outputs, oh, ow] */
  function packGradients(kernels: Kernels, gradient: number, taken: Taken): void {
    const { from, k, scratch } = taken;
    const length = taken.rows * ow;
    let source = gradient + BYTES * from * ow;
    if (taken.rows < oh) {
      const band = scratch + room.band;
      kernels.gather(source, band, 1, outputs, length, 0, oh * ow, 1);
      source = band;
    }
    for (let i = 0; i < taken.images; i++) {
      for (let j = 0; j < outputs; j += PANEL_COLUMNS) {
        const panel = scratch + BYTES * (j * k + i * length * PANEL_COLUMNS);
        const columns = Math.min(PANEL_COLUMNS, outputs - j);
        kernels.pack(source + BYTES * (i * co * oh * ow + j * length), panel, columns, length);
      }
    }
  }
}

export interface WeightGradient {
  readonly dims: 1 | 2;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  /** Of the weight. */
  readonly shape: Shape;
}

/** The gradient of conv's weight, of its input and its output's gradient. */
export function weightGradient(
  apply: Apply,
  x: Value,
  gradient: Value,
  { shape, ...attributes }: WeightGradient,
): Value {
  const chunks = apply('conv_weight_gradient', [x, gradient], attributes);
  const whole = chunks.shape[0] === 1 ? chunks : apply('sum', [chunks], { start: 0, end: 1 });
  return reshape(apply, whole, shape);
}
