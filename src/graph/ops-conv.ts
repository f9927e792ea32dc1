// Convolutions over one and two dimensions.

import { numel, type Shape } from '../tensor/shape.js';
import {
  DTypeError,
  ShapeError,
  type Op,
  type OpAttributes,
  type Operand,
  type Pair,
  type Step,
} from './op.js';
import { isNarrow, narrowScratch, runNarrow } from './ops-conv-narrow.js';
import { partsOf, ranges } from './parts.js';
import { list } from './requirements.js';
import { reshape, sumTo } from './broadcasting.js';
import { weightGradient } from './ops-conv-weight.js';
import { plane, times, withPlane, type Dims } from './spatial.js';
import type { Apply, Value } from './tracer.js';

/** The zeros on both sides and the output's extents of a convolution. */
function convGeometry(x: Operand, weight: Operand, attributes: OpAttributes['conv']) {
  const { dims, stride, padding, dilation } = attributes;
  const input = plane(x.shape, dims);
  const kernel = plane(weight.shape, dims);
  const reach = kernel.map((extent, i) => dilation[i]! * (extent - 1));
  // padding='same' puts the odd zero at the end, as PyTorch does.
  const before = padding === 'same' ? reach.map((r) => Math.floor(r / 2)) : [...padding];
  const padded = input.map((extent, i) => extent + (padding === 'same' ? reach[i]! : 2 * padding[i]!));
  const output = padded.map((extent, i) => Math.floor((extent - reach[i]! - 1) / stride[i]!) + 1);
  return { input, kernel, reach, before, padded, output } as unknown as Record<
    'input' | 'kernel' | 'reach' | 'before' | 'padded' | 'output',
    Pair
  >;
}

const BYTES = 4;
/** Output channels of one part: whole tiles (the highest has 12 rows), and whole panels. */
const CHANNEL_UNIT = 48;
const NARROW_PARTS = 2;
/** Positions of one part at least: images with few are computed side by side. */
const POSITION_UNIT = 32;

/** A convolution's sizes by the names that its kernel gives them. */
function convSizes({ inputs: [x, weight], attributes }: Step<'conv'>) {
  const { dims, stride, dilation, groups } = attributes;
  const { input, output, kernel, before } = convGeometry(x!, weight!, attributes);
  const [[h, w], [oh, ow], [kh, kw]] = [input, output, kernel];
  const [[sh, sw], [pt, pl], [dh, dw]] = [stride, before, dilation];
  const batch = x!.shape.length === dims + 2 ? x!.shape[0]! : 1;
  const [ci, co] = [x!.shape.at(-dims - 1)!, weight!.shape[0]!];
  return { batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups };
}

/** How many images a part has at least. */
export function imagesOfPart(positions: number): number {
  return Math.ceil(POSITION_UNIT / positions);
}

export const conv: Op<'conv'> = {
  shape([x, weight], attributes) {
    const { dims, groups } = attributes;
    const rank = x!.shape.length;
    if (rank !== dims + 1 && rank !== dims + 2) {
      throw new ShapeError(
        `Expected ${dims + 1}D (unbatched) or ${dims + 2}D (batched) input to conv${dims}d, ` +
          `but got input of size: ${list(x!.shape)}`,
      );
    }
    const [channels, expected] = [x!.shape.at(-dims - 1)!, weight!.shape[1]! * groups];
    if (channels !== expected) {
      const batched = rank === dims + 1 ? [1, ...x!.shape] : x!.shape;
      throw new ShapeError(
        `Given groups=${groups}, weight of size ${list(weight!.shape)}, expected input${list(batched)} ` +
          `to have ${expected} channels, but got ${channels} channels instead`,
      );
    }
    const { padded, reach, output } = convGeometry(x!, weight!, attributes);
    if (padded.some((extent, i) => extent < reach[i]! + 1)) {
      const effective: Pair = [reach[0] + 1, reach[1] + 1];
      throw new ShapeError(
        `Calculated padded input size per channel: (${times(padded, dims)}). ` +
          `Kernel size: (${times(effective, dims)}). Kernel size can't be greater than actual input size`,
      );
    }
    if (x!.dtype !== 'float32')
      throw new DTypeError('Input type (long int) and bias type (float) should be the same');
    const shape = withPlane(x!.shape, dims, output);
    return {
      shape: [...shape.slice(0, -dims - 1), weight!.shape[0]!, ...shape.slice(-dims)],
      dtype: 'float32',
    };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  activates: true,
  packs: (step) => isNarrow(convSizes(step)),
  ownScratch: true,
  scratch(step, kernels) {
    const sizes = convSizes(step);
    const { ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups } = sizes;
    const bytes = kernels.conv_scratch(ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups);
    return isNarrow(sizes) ? Math.max(bytes, narrowScratch(sizes)) : bytes;
  },
  parts(step, wanted) {
    const sizes = convSizes(step);
    const { batch, co, oh, ow, groups } = sizes;
    // Each part copies what all of them meet.
    if (batch === 1 && isNarrow(sizes)) return partsOf(co, Math.min(wanted, NARROW_PARTS), CHANNEL_UNIT);
    if (batch > 1) return partsOf(batch, wanted, imagesOfPart(oh * ow));
    return groups === 1 ? partsOf(co, wanted, CHANNEL_UNIT) : 1;
  },
  bind(step, parts, activation) {
    const sizes = convSizes(step);
    const { batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, groups } = sizes;
    const narrow = isNarrow(sizes);
    const byImages = batch > 1 || groups > 1;
    const slices = byImages ? ranges(batch, parts, imagesOfPart(oh * ow)) : ranges(co, parts, CHANNEL_UNIT);
    const k = (ci / groups) * kh * kw;
    const relu = activation?.name === 'relu' ? 1 : 0;
    const after = relu ? null : activation;
    return (kernels, { inputs, output, scratch, panels }, part) => {
      const { from, count } = slices[part]!;
      const images = byImages ? count : batch;
      const channels = byImages ? co : count;
      const x = byImages ? inputs[0]! + BYTES * from * ci * h * w : inputs[0]!;
      const weight = byImages ? inputs[1]! : inputs[1]! + BYTES * from * k;
      const bias = byImages || !inputs[2] ? inputs[2]! : inputs[2] + BYTES * from;
      const y = output + BYTES * from * oh * ow * (byImages ? co : 1);
      if (panels && narrow) {
        const own = byImages ? panels : panels + BYTES * from * k;
        const some = { ...sizes, batch: images, co: channels };
        runNarrow(kernels, some, { x, panels: own, bias, y, scratch, relu });
      } else {
        // prettier-ignore
        kernels.conv(
          x, weight, bias, y, images, ci, h, w, channels, oh, ow, kh, kw,
          sh, sw, pt, pl, dh, dw, groups, scratch, relu,
        );
      }
      if (after) kernels[after.name](y, y, images * channels * oh * ow, after.a, after.b);
    };
  },
  gradient({ inputs: [x, weight, bias], attributes, gradient, wants }, apply) {
    const { dims, stride, dilation, groups } = attributes;
    const { input, kernel, reach, before, output } = convGeometry(x!, weight!, attributes);
    const shared = { dims, stride, padding: before, dilation, groups };
    // What the output's extents leave open of the input's.
    const outputPadding = input.map(
      (extent, i) => extent - ((output[i]! - 1) * stride[i]! - 2 * before[i]! + reach[i]! + 1),
    ) as unknown as Pair;
    return [
      wants[0] ? apply('conv_transpose', [gradient, weight!, null], { ...shared, outputPadding }) : null,
      wants[1] ? weightGradient(apply, x!, gradient, { ...shared, kernel, shape: weight!.shape }) : null,
      wants[2] ? biasGradient(apply, gradient, bias!.shape, dims) : null,
    ];
  },
  cost: ([, weight], output) => numel(output.shape) * (2 * numel(weight!.shape.slice(1)) + 1),
};

/** The sum over all but the channels of a convolution's output. */
export function biasGradient(apply: Apply, gradient: Value, shape: Shape, dims: Dims): Value {
  return reshape(apply, sumTo(apply, gradient, [...shape, ...Array<number>(dims).fill(1)]), shape);
}
