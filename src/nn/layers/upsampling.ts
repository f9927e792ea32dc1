// torch.nn's layers that make images larger: Upsample and its two older forms, PixelShuffle and PixelUnshuffle.

import { anyRows } from '../../graph/broadcasting.js';
import { ShapeError } from '../../graph/op.js';
import type { InterpolateMode } from '../../graph/ops-interpolate.js';
import { list } from '../../graph/requirements.js';
import type { Apply, Value } from '../../graph/tracer.js';
import type { LayerDefinition, OptionDefinition } from '../layer.js';
import { numberOf, PythonFloat, pythonRepr, type Options, type OptionValue } from '../options.js';
import { extent, nullable, perDimension, tupleOf } from './arguments.js';

/** How each mode resamples one dimension; the rank of its input, where it has one of its own. */
const MODES = {
  nearest: { along: 'nearest' },
  'nearest-exact': { along: 'nearest-exact' },
  linear: { along: 'linear', rank: 3 },
  bilinear: { along: 'linear', rank: 4 },
  trilinear: { along: 'linear', rank: 5 },
  bicubic: { along: 'cubic', rank: 4 },
  area: { along: null },
} as const satisfies Record<string, { along: InterpolateMode | null; rank?: number }>;
type Mode = keyof typeof MODES;

const INTERPOLATING: readonly Mode[] = ['linear', 'bilinear', 'bicubic', 'trilinear'];

function sizes(most: number, least = 1): [OptionDefinition, OptionDefinition] {
  const lengths = { minimum: least, maximum: most };
  return [
    nullable(perDimension('size', lengths, { minimum: 0 })),
    nullable({ name: 'scale_factor', kind: 'floats', lengths, orOne: true }),
  ];
}

export const UPSAMPLING_LAYERS = {
  Upsample: {
    options: [
      ...sizes(3),
      { name: 'mode', kind: 'string', choices: Object.keys(MODES), default: 'nearest' },
      nullable({ name: 'align_corners', kind: 'bool' }),
      nullable({ name: 'recompute_scale_factor', kind: 'bool' }),
    ],
    check: (options) => checkSizes(options),
    trace: ({ options }, x, { tracer }) => upsample(tracer.apply, x, options),
    flow: () => ({ changes: 3 }),
    repr: (options) => sizeRepr(options, options.mode as Mode),
  },
  UpsamplingNearest2d: fixed('nearest', null),
  UpsamplingBilinear2d: fixed('bilinear', true),
  PixelShuffle: {
    options: [extent('upscale_factor')],
    trace: ({ options }, x, { tracer }) => shuffled(tracer.apply, x, options.upscale_factor as number),
    flow: () => ({ changes: 3 }),
    repr: ({ upscale_factor }) => `upscale_factor=${pythonRepr(upscale_factor!)}`,
  },
  PixelUnshuffle: {
    options: [extent('downscale_factor')],
    trace: ({ options }, x, { tracer }) => unshuffled(tracer.apply, x, options.downscale_factor as number),
    flow: () => ({ changes: 3 }),
    repr: ({ downscale_factor }) => `downscale_factor=${pythonRepr(downscale_factor!)}`,
  },
} satisfies Record<string, LayerDefinition>;

function fixed(mode: Mode, align: boolean | null): LayerDefinition {
  const complete = (options: Options): Options => ({ ...options, mode, align_corners: align });
  return {
    options: sizes(2, 2),
    check: (options) => checkSizes(complete(options)),
    trace: ({ options }, x, { tracer }) => upsample(tracer.apply, x, complete(options)),
    flow: () => ({ changes: 2 }),
    repr: (options) => sizeRepr(options, mode),
    shows: ['mode'],
  };
}

/** What torch.nn.functional.interpolate asks of its arguments alone. */
function checkSizes({ size, scale_factor, mode, align_corners, recompute_scale_factor }: Options): string[] {
  const faults: string[] = [];
  if (align_corners != null && !INTERPOLATING.includes(mode as Mode)) {
    faults.push(
      'align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear',
    );
  }
  if (size !== null && scale_factor !== null) {
    faults.push('only one of size or scale_factor should be defined');
  }
  if (size === null && scale_factor === null) faults.push('either size or scale_factor should be defined');
  if (recompute_scale_factor === true && size !== null) {
    faults.push('recompute_scale_factor is not meaningful with an explicit size.');
  }
  return faults;
}

function sizeRepr({ size, scale_factor }: Options, mode: Mode): string {
  const printed =
    scale_factor === null
      ? `size=${pythonRepr(size!)}`
      : `scale_factor=${pythonRepr(asFloats(scale_factor!))}`;
  return `${printed}, mode=${pythonRepr(mode)}`;
}

/** PyTorch makes floats of its factors. */
function asFloats(value: OptionValue): OptionValue {
  if (Array.isArray(value)) return value.map(asFloats);
  return typeof value === 'number' ? new PythonFloat(value) : value;
}

/** torch.nn.functional.interpolate: dimensions from the third on, one after the other. Throws ShapeError. */
function upsample(apply: Apply, x: Value, options: Options): Value {
  const mode = options.mode as Mode;
  const { along, ...given } = MODES[mode];
  const extents = x.shape.slice(2);
  const outputs = outputsOf(extents, options);
  checkRank(x.shape.length, mode, 'rank' in given ? given.rank : null);
  if (along === null) return areas(apply, x, outputs);
  checkExtents(x, outputs);
  // A factor that stays is what coordinates are scaled by, though extents are whole.
  const keeps = options.scale_factor !== null && options.recompute_scale_factor !== true;
  const factors = keeps ? tupleOf(options.scale_factor!, extents.length).map(numberOf) : null;
  const align = options.align_corners === true;
  return outputs.reduce((value, to, i) => {
    const from = extents[i]!;
    const ends = to > 1 ? (from - 1) / (to - 1) : 0;
    const step = Math.fround(align ? ends : factors ? 1 / factors[i]! : from / to);
    return apply('interpolate', [value], { dim: i - extents.length, to, mode: along, step, align });
  }, x);
}

function outputsOf(extents: readonly number[], { size, scale_factor }: Options): number[] {
  const wanted = size ?? scale_factor!;
  if (Array.isArray(wanted) && wanted.length !== extents.length) {
    const [what, named] =
      size === null
        ? (['scale_factor', `scale_factor of shape ${pythonRepr(asFloats(wanted))}`] as const)
        : (['output', `output size of ${pythonRepr(wanted)}`] as const);
    throw new ShapeError(
      `Input and ${what} must have the same number of spatial dimensions, but got ` +
        `input with spatial dimensions of ${list(extents)} and ${named}. ` +
        `Please provide input tensor in (N, C, d1, d2, ...,dK) format and ` +
        (size === null
          ? 'scale_factor in (s1, s2, ...,sK) format.'
          : 'output size in (o1, o2, ...,oK) format.'),
    );
  }
  const each = tupleOf(wanted, extents.length).map(numberOf);
  if (size !== null) return each;
  if (!each.every(Number.isFinite)) {
    throw new ShapeError('value cannot be converted to type int64_t without overflow');
  }
  return extents.map((from, i) => Math.trunc(from * each[i]!));
}

function checkRank(rank: number, mode: Mode, own: number | null): void {
  if (rank < 3 || rank > 5 || (mode === 'bicubic' && rank !== 4)) {
    throw new ShapeError(
      `Input Error: Only 3D, 4D and 5D input Tensors supported (got ${rank}D) for the modes: nearest | linear | ` +
        `bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got ${mode})`,
    );
  }
  if (own !== null && rank !== own) {
    throw new ShapeError(`Got ${rank}D input, but ${mode} mode needs ${own}D input`);
  }
}

function checkExtents({ shape }: Value, outputs: readonly number[]): void {
  const extents = shape.slice(2);
  if ([...extents, ...outputs].some((extent) => extent <= 0)) {
    const names = ['D', 'H', 'W'].slice(-extents.length);
    const named = (of: readonly number[]): string => names.map((name, i) => `${name}: ${of[i]}`).join(', ');
    const and = extents.length === 1 ? 'and ' : '';
    throw new ShapeError(
      'Input and output sizes should be greater than 0, but got ' +
        `input (${named(extents)}) ${and}output (${named(outputs)})`,
    );
  }
  if (shape[1] === 0) {
    throw new ShapeError(
      `Non-empty ${shape.length}D data tensor expected but got a tensor with sizes ${list(shape)}`,
    );
  }
}

function areas(apply: Apply, x: Value, outputs: readonly number[]): Value {
  const [rows, columns] = outputs.slice(-2);
  if (outputs.length === 3) throw new ShapeError("mode 'area' is supported for 3D and 4D input");
  return outputs.length === 1
    ? apply('adaptive_avg_pool', [x], { dims: 1, output: [1, rows!] })
    : apply('adaptive_avg_pool', [x], { dims: 2, output: [rows!, columns!] });
}

/** [..., c · r², h, w] → [..., c, h · r, w · r] */
function shuffled(apply: Apply, x: Value, r: number): Value {
  const rank = x.shape.length;
  if (rank < 3) {
    throw new ShapeError(
      `pixel_shuffle expects input to have at least 3 dimensions, but got input with ${rank} dimension(s)`,
    );
  }
  const [c, h, w] = x.shape.slice(-3) as [number, number, number];
  if (c % (r * r) !== 0) {
    throw new ShapeError(
      "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, " +
        `but input.size(-3)=${c} is not divisible by ${r * r}`,
    );
  }
  const [channels, outer] = [c / (r * r), x.shape.slice(0, -3)];
  return rearranged(apply, x, {
    apart: [...outer, channels, r, r, h, w],
    order: [0, 3, 1, 4, 2],
    joined: [...outer, channels, h * r, w * r],
  });
}

/** [..., c, h · r, w · r] → [..., c · r², h, w] */
function unshuffled(apply: Apply, x: Value, r: number): Value {
  const rank = x.shape.length;
  if (rank < 3) {
    throw new ShapeError(
      `pixel_unshuffle expects input to have at least 3 dimensions, but got input with ${rank} dimension(s)`,
    );
  }
  const [c, h, w] = x.shape.slice(-3) as [number, number, number];
  for (const [name, extents, at] of [
    ['height', h, -2],
    ['width', w, -1],
  ] as const) {
    if (extents % r === 0) continue;
    throw new ShapeError(
      `pixel_unshuffle expects ${name} to be divisible by downscale_factor, ` +
        `but input.size(${at})=${extents} is not divisible by ${r}`,
    );
  }
  const outer = x.shape.slice(0, -3);
  return rearranged(apply, x, {
    apart: [...outer, c, h / r, r, w / r, r],
    order: [0, 2, 4, 1, 3],
    joined: [...outer, c * r * r, h / r, w / r],
  });
}

interface Arrangement {
  readonly apart: readonly number[];
  /** Of the last five dimensions; those before them stay. */
  readonly order: readonly number[];
  readonly joined: readonly number[];
}

function rearranged(apply: Apply, x: Value, { apart, order, joined }: Arrangement): Value {
  const outer = apart.length - order.length;
  const dims = [...Array(outer).keys(), ...order.map((dim) => outer + dim)];
  // Without images before the channels the rows are not the first dimension's.
  const shape = outer > 0 ? anyRows : (extents: readonly number[]) => extents;
  const moved = apply('permute', [apply('reshape', [x], { shape: shape(apart) })], { dims });
  return apply('reshape', [moved], { shape: shape(joined) });
}
