// Transposed convolutions. Outputs a stride apart meet the same elements of the kernel: each such phase of the output is a
// plain convolution of stride 1 with those elements turned round. So every output is one chain, as those of conv are.

import { numel } from '../tensor/shape.js';
import { biasGradient, imagesOfPart } from './ops-conv.js';
import { weightGradient } from './ops-conv-weight.js';
import {
  DTypeError,
  ShapeError,
  type Op,
  type OpAttributes,
  type Operand,
  type Pair,
  type Step,
} from './op.js';
import { cropped } from './ops-pad.js';
import { partsOf, ranges } from './parts.js';
import { list, SCALAR_TYPES } from './requirements.js';
import { plane, withPlane } from './spatial.js';
import type { Value } from './tracer.js';

const BYTES = 4;
/** Output channels of one part: the rows of the highest tile. */
const CHANNEL_UNIT = 12;
/** Of the images whose phases are computed together. */
const POSITIONS = 64;

type Attributes = OpAttributes['conv_transpose'];

function outputPlane(x: Operand, weight: Operand, attributes: Attributes): Pair {
  const { dims, stride, padding, outputPadding, dilation } = attributes;
  const kernel = plane(weight.shape, dims);
  return plane(x.shape, dims).map(
    (extent, i) =>
      (extent - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (kernel[i]! - 1) + outputPadding[i]! + 1,
  ) as unknown as Pair;
}

function checkOutputPadding({ outputPadding, stride, dilation }: Attributes): void {
  if (outputPadding.every((extra, i) => extra < stride[i]! || extra < dilation[i]!)) return;
  const named = (name: string, [height, width]: Pair): string =>
    `${name}_height: ${height} ${name}_width: ${width}`;
  throw new ShapeError(
    'output padding must be smaller than either stride or dilation, but got ' +
      [named('output_padding', outputPadding), named('stride', stride), named('dilation', dilation)].join(
        ' ',
      ),
  );
}

/** Along one axis: outputs first, first + stride, ..., and how a convolution of stride 1 makes them. */
interface AxisPhase {
  readonly first: number;
  readonly count: number;
  /** Elements tap, tap + tapStep, ... of the kernel. */
  readonly tap: number;
  readonly tapStep: number;
  readonly taps: number;
  readonly padding: number;
  readonly dilation: number;
}

interface Axis {
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** The phases in which an axis meets the kernel at all. */
function phasesOf({ outputs, kernel, stride, padding, dilation }: Axis): AxisPhase[] {
  const common = gcd(stride, dilation);
  const tapStep = stride / common;
  return Array.from({ length: Math.min(tapStep, kernel) }, (_, tap) => {
    const residue = (tap * dilation) % stride;
    const taps = Math.ceil((kernel - tap) / tapStep);
    const first = (((residue - padding) % stride) + stride) % stride;
    const count = Math.max(0, Math.ceil((outputs - first) / stride));
    // The first output's place among its phase's, before what the padding takes away; the first tap's shift.
    const place = (first + padding - residue) / stride;
    const shift = (tap * dilation - residue) / stride;
    const apart = dilation / common;
    return {
      first,
      count,
      tap,
      tapStep,
      taps,
      padding: (taps - 1) * apart + shift - place,
      dilation: apart,
    };
  }).filter(({ count }) => count > 0);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

interface Phase {
  readonly rows: AxisPhase;
  readonly columns: AxisPhase;
  /** Elements of the kernel that the phases before it have taken. */
  readonly before: number;
}

function sizesOf({ inputs: [x, weight], output, attributes }: Step<'conv_transpose'>) {
  const { dims, stride, padding, dilation, groups } = attributes;
  const [[h, w], [oh, ow], [kh, kw]] = [x!, output, weight!].map(({ shape }) => plane(shape, dims)) as [
    Pair,
    Pair,
    Pair,
  ];
  const axis = (i: 0 | 1): Axis => ({
    outputs: [oh, ow][i]!,
    kernel: [kh, kw][i]!,
    stride: stride[i],
    padding: padding[i],
    dilation: dilation[i],
  });
  const [down, across] = [phasesOf(axis(0)), phasesOf(axis(1))];
  let before = 0;
  const phases: Phase[] = down.flatMap((rows) =>
    across.map((columns) => {
      const phase = { rows, columns, before };
      before += rows.taps * columns.taps;
      return phase;
    }),
  );
  const covered = (along: readonly AxisPhase[], outputs: number): boolean =>
    along.reduce((sum, { count }) => sum + count, 0) === outputs;
  const batch = x!.shape.length === dims + 2 ? x!.shape[0]! : 1;
  const [ci, co] = [x!.shape.at(-dims - 1)!, output.shape.at(-dims - 1)!];
  const complete = covered(down, oh) && covered(across, ow);
  const plain = stride[0] === 1 && stride[1] === 1 && phases.length === 1;
  const positions = Math.max(1, ...phases.map(({ rows, columns }) => rows.count * columns.count));
  // Phases of few positions are computed for several images at once.
  const together = Math.max(1, Math.min(batch, Math.ceil(POSITIONS / positions)));
  const counts = { positions, together, taken: before };
  return { batch, ci, co, h, w, oh, ow, kh, kw, phases, complete, plain, groups, ...counts };
}

/** Turning the kernel is work of each part: parts share out the output channels where that is less than the images'. */
function byImages({ batch, co, h, w, kh, kw, groups }: ReturnType<typeof sizesOf>): boolean {
  return groups > 1 || (batch > 1 && co * kh * kw <= batch * h * w);
}

/** Where a part's scratch memory has what: the kernel turned, a phase of some images, the convolution's own. */
function layout({ ci, co, plain, taken, groups, positions, together }: ReturnType<typeof sizesOf>) {
  const phase = aligned((BYTES * co * ci * taken) / groups);
  const own = phase + (plain && together === 1 ? 0 : aligned(BYTES * together * co * positions));
  return { phase, own };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

export const convTranspose: Op<'conv_transpose'> = {
  shape([x, weight], attributes) {
    const { dims, groups } = attributes;
    const rank = x!.shape.length;
    if (rank !== dims + 1 && rank !== dims + 2) {
      throw new ShapeError(
        `Expected ${dims + 1}D (unbatched) or ${dims + 2}D (batched) input to conv_transpose${dims}d, ` +
          `but got input of size: ${list(x!.shape)}`,
      );
    }
    const [channels, expected] = [x!.shape.at(-dims - 1)!, weight!.shape[0]!];
    if (channels !== expected) {
      const batched = rank === dims + 1 ? [1, ...x!.shape] : x!.shape;
      throw new ShapeError(
        `Given transposed=1, weight of size ${list(weight!.shape)}, expected input${list(batched)} ` +
          `to have ${expected} channels, but got ${channels} channels instead`,
      );
    }
    checkOutputPadding(attributes);
    const input = plane(x!.shape, dims);
    if (input.includes(0)) {
      const images = [...(rank === dims + 1 ? [1] : []), ...x!.shape.slice(0, -dims), ...input];
      throw new ShapeError(
        `Only zero batch or zero channel inputs are supported, but got input shape: ${list(images)}`,
      );
    }
    const output = outputPlane(x!, weight!, attributes);
    if (output.some((extent) => extent < 1)) {
      throw new ShapeError(
        `Given input size per channel: (${input.join(' x ')}). ` +
          `Calculated output size per channel: (${output.join(' x ')}). Output size is too small`,
      );
    }
    if (x!.dtype !== 'float32') {
      throw new DTypeError(`expected scalar type ${SCALAR_TYPES[x!.dtype]} but found Float`);
    }
    const shape = withPlane(x!.shape, dims, output);
    return {
      shape: [...shape.slice(0, -dims - 1), weight!.shape[1]! * groups, ...shape.slice(-dims)],
      dtype: 'float32',
    };
  },
  rowwise: ([x], { dims }) => x!.shape.length === dims + 2,
  scratch(step, kernels) {
    const sizes = sizesOf(step);
    const { ci, h, w, phases, groups } = sizes;
    const own = phases.map(({ rows: r, columns: c }) => {
      const [oh, ow, pt, pl] = [r.count, c.count, r.padding, c.padding];
      // prettier-ignore
      return kernels.conv_scratch(
        ci, h, w, oh, ow, r.taps, c.taps, 1, 1, pt, pl, r.dilation, c.dilation, groups,
      );
    });
    return layout(sizes).own + Math.max(0, ...own);
  },
  parts(step, wanted) {
    const sizes = sizesOf(step);
    return byImages(sizes)
      ? partsOf(sizes.batch, wanted, imagesOfPart(sizes.positions))
      : partsOf(sizes.co, wanted, CHANNEL_UNIT);
  },
  bind(step, parts) {
    const sizes = sizesOf(step);
    const { batch, ci, co, h, w, oh, ow, kh, kw, phases, complete, plain, groups } = sizes;
    const [sh, sw] = step.attributes.stride;
    const shared = byImages(sizes);
    const slices = shared
      ? ranges(batch, parts, imagesOfPart(sizes.positions))
      : ranges(co, parts, CHANNEL_UNIT);
    const room = layout(sizes);
    const [inputs, outputs] = [ci / groups, co / groups];
    return (kernels, { inputs: [x, weight, ofBias], output, scratch }, part) => {
      const slice = slices[part]!;
      const images = shared ? slice : { from: 0, count: batch };
      const channels = shared ? { from: 0, count: outputs } : slice;
      if (images.count === 0 || channels.count === 0) return;
      const made = shared ? co : channels.count;
      const bias = ofBias && ofBias + BYTES * channels.from;
      const turned = (before: number): number => scratch + BYTES * before * made * inputs;
      for (const { rows: r, columns: c, before } of phases) {
        // prettier-ignore
        kernels.turn(
          weight!, turned(before), groups, inputs, outputs, channels.from, channels.count, kh, kw,
          r.tap, r.tapStep, r.taps, c.tap, c.tapStep, c.taps,
        );
      }
      // What stands as the output wants it is written there; else a phase is made apart, and dealt out.
      const direct = plain && (shared || sizes.together === 1);
      const most = direct && shared ? images.count : sizes.together;
      const end = images.from + images.count;
      for (let image = images.from; image < end; image += most) {
        const together = Math.min(most, end - image);
        const from = x! + BYTES * image * ci * h * w;
        const to = (i: number): number => output + BYTES * ((image + i) * co + channels.from) * oh * ow;
        for (let i = 0; !complete && i < together; i++) kernels.fill_planes(bias!, to(i), made, oh * ow);
        for (const { rows: r, columns: c, before } of phases) {
          const y = direct ? to(0) : scratch + room.phase;
          // prettier-ignore
          kernels.conv(
            from, turned(before), bias!, y, together, ci, h, w, made, r.count, c.count, r.taps, c.taps,
            1, 1, r.padding, c.padding, r.dilation, c.dilation, groups, scratch + room.own, 0,
          );
          for (let i = 0; !direct && i < together; i++) {
            const phase = y + BYTES * i * made * r.count * c.count;
            const corner = to(i) + BYTES * (r.first * ow + c.first);
            kernels.scatter(phase, corner, made, r.count, c.count, oh * ow, sh * ow, sw);
          }
        }
      }
    };
  },
  gradient({ inputs: [x, weight, bias], attributes, gradient, wants }, apply) {
    const { dims, stride, padding, dilation, groups } = attributes;
    const shared = { dims, stride, padding, dilation, groups };
    const kernel = plane(weight!.shape, dims);
    // An output padding of a stride or more makes room for further windows, which the input has not.
    const plain = (): Value => {
      const windows = apply('conv', [gradient, weight!, null], shared);
      return x!.shape.slice(-dims).reduce((value: Value, extent, i) => {
        const dim = i - dims;
        return cropped(apply, value, { dim, before: 0, after: extent - value.shape.at(dim)! });
      }, windows);
    };
    return [
      wants[0] ? plain() : null,
      // The same sum as a convolution's, of which x is the output.
      wants[1] ? weightGradient(apply, gradient, x!, { ...shared, kernel, shape: weight!.shape }) : null,
      wants[2] ? biasGradient(apply, gradient, bias!.shape, dims) : null,
    ];
  },
  cost: ([x, weight], output) => numel(x!.shape) * 2 * numel(weight!.shape.slice(1)) + numel(output.shape),
};
