// Dimensions made longer or shorter at both ends, one op for each: torch.nn.functional.pad.

import { DTYPES, type DType } from '../tensor/dtype.js';
import { numel } from '../tensor/shape.js';
import { DTypeError, ShapeError, type Op, type Operand } from './op.js';
import { partsOf, ranges } from './parts.js';
import { list, SCALAR_TYPES } from './requirements.js';
import { around } from './spatial.js';
import type { Apply, Value } from './tracer.js';

/** The kernel moves words of so many bytes. */
const WORD = 4;

/** In the order of the kernel's numbers. */
const MODES = ['constant', 'reflect', 'replicate', 'circular'] as const;
export type PadMode = (typeof MODES)[number];

export interface Ends {
  /** Counted from the last: -1. */
  readonly dim: number;
  readonly before: number;
  readonly after: number;
}

const rowwise = ([x]: readonly (Operand | null)[], { dim }: Ends): boolean => x!.shape.length + dim > 0;

export const pad: Op<'pad'> = {
  shape([x], { dim, before, after, mode, value }) {
    if (x!.dtype === 'bool') throw new DTypeError(`"${mode}_pad" not implemented for 'Bool'`);
    const [type, bits] = x!.dtype === 'int64' ? ['int64_t', 63] : ['int', 31];
    // NaN is not within either.
    if (x!.dtype !== 'float32' && !(Math.trunc(value) >= -(2 ** bits) && Math.trunc(value) < 2 ** bits)) {
      throw new ShapeError(`value cannot be converted to type ${type} without overflow`);
    }
    return { shape: x!.shape.with(dim, before + x!.shape.at(dim)! + after), dtype: x!.dtype };
  },
  rowwise,
  parts: ({ inputs: [x], attributes: { dim } }, wanted) => partsOf(around(x!.shape, dim).outer, wanted, 1),
  bind({ inputs: [x], attributes: { dim, before, after, mode, value }, output }, parts) {
    const { outer, d, inner } = around(x!.shape, dim);
    const bytes = DTYPES[x!.dtype].bytes * inner;
    const [own, made] = [d * bytes, output.shape.at(dim)! * bytes];
    const slices = ranges(outer, parts, 1);
    const number = MODES.indexOf(mode);
    const [even, odd] = wordsOf(value, x!.dtype);
    return (kernels, { inputs, output: y }, part) => {
      const { from, count } = slices[part]!;
      const [at, to] = [inputs[0]! + from * own, y + from * made];
      kernels.pad(at, to, count, d, bytes / WORD, before, after, number, even, odd);
    };
  },
  gradient: ({ inputs: [x], attributes: { dim, before, after, mode }, gradient }, apply) => [
    mode === 'constant'
      ? cropped(apply, gradient, { dim, before: -before, after: -after })
      : apply('pad_gradient', [gradient], { dim, before, after, mode, extent: x!.shape.at(dim)! }),
  ],
  cost: (_inputs, output) => numel(output.shape),
};

/** The words of an element, twice where it has one. */
function wordsOf(value: number, dtype: DType): readonly [number, number] {
  const words = new Int32Array(2);
  if (dtype === 'float32') new Float32Array(words.buffer).fill(value);
  else if (dtype === 'int64') new BigInt64Array(words.buffer).fill(BigInt(Math.trunc(value)));
  else words.fill(Math.trunc(value));
  return [words[0]!, words[1]!];
}

export const padGradient: Op<'pad_gradient'> = {
  shape: ([gradient], { dim, extent }) => ({ shape: gradient!.shape.with(dim, extent), dtype: 'float32' }),
  rowwise,
  parts: ({ inputs: [x], attributes: { dim } }, wanted) => partsOf(around(x!.shape, dim).outer, wanted, 1),
  bind({ inputs: [gradient], attributes: { dim, before, after, mode, extent } }, parts) {
    const { outer, d: length, inner } = around(gradient!.shape, dim);
    const [given, own] = [WORD * length * inner, WORD * extent * inner];
    const slices = ranges(outer, parts, 1);
    const number = MODES.indexOf(mode);
    return (kernels, { inputs, output }, part) => {
      const { from, count } = slices[part]!;
      const [dy, dx] = [inputs[0]! + from * given, output + from * own];
      kernels.pad_gradient(dy, dx, count, extent, inner, before, after, number);
    };
  },
  cost: ([gradient]) => numel(gradient!.shape),
};

/** With zeros where ends are positive; the value itself where nothing changes. */
export function cropped(apply: Apply, value: Value, { dim, before, after }: Ends): Value {
  if (before === 0 && after === 0) return value;
  return apply('pad', [value], { dim, before, after, mode: 'constant', value: 0 });
}

/**
 * torch.nn.functional.pad: `padding` holds the ends of the last dimension, then those of the one before it, ...; negative
 * ones are cut off. Throws ShapeError.
 */
export function padded(
  apply: Apply,
  x: Value,
  padding: readonly number[],
  { mode, value = 0 }: { mode: PadMode; value?: number },
): Value {
  const ends = Array.from({ length: padding.length / 2 }, (_, i) => ({
    dim: -1 - i,
    before: padding[2 * i]!,
    after: padding[2 * i + 1]!,
  }));
  CHECKS[mode](x, ends);
  return ends.reduce((given, { dim, before, after }) => {
    if (before === 0 && after === 0) return given;
    if (mode !== 'circular') return apply('pad', [given], { dim, before, after, mode, value });
    // What is cut off does not come round again.
    const rest = { dim, before: Math.max(before, 0), after: Math.max(after, 0) };
    const cut = cropped(apply, given, {
      dim,
      before: Math.min(before, 0),
      after: Math.min(after, 0),
    });
    return rest.before || rest.after ? apply('pad', [cut], { ...rest, mode, value }) : cut;
  }, x);
}

type Check = (x: Operand, ends: readonly Ends[]) => void;

const CHECKS: Readonly<Record<PadMode, Check>> = {
  constant(x, ends) {
    checkLength(x, ends);
    if (ends.some((end) => lengthOf(x, end) < 0)) {
      throw new ShapeError('narrow(): length must be non-negative.');
    }
  },
  reflect(x, ends) {
    checkRank(x, ends);
    checkNonEmpty(x, ends);
    for (const { dim, before, after } of ends) {
      const extent = x.shape.at(dim)!;
      if (before < extent && after < extent) continue;
      throw new ShapeError(
        `Argument #${2 - 2 * dim}: Padding size should be less than the corresponding input dimension, ` +
          `but got: padding (${before}, ${after}) at dimension ${x.shape.length + dim} of input ${list(x.shape)}`,
      );
    }
    checkOutput(x, ends);
  },
  replicate(x, ends) {
    checkRank(x, ends);
    checkNonEmpty(x, ends);
    checkOutput(x, ends);
  },
  circular(x, ends) {
    checkRank(x, ends);
    for (const end of [...ends].reverse()) {
      const extent = x.shape.at(end.dim)!;
      if (end.before > extent || end.after > extent) {
        throw new ShapeError('Padding value causes wrapping around more than once.');
      }
      // Of what the other end cuts off altogether there is nothing left to come round.
      const rest = extent + Math.min(end.before, 0) + Math.min(end.after, 0);
      if (rest < 0 || (rest === 0 && lengthOf(x, end) > 0)) {
        throw new ShapeError('Negative padding value is resulting in an empty dimension');
      }
    }
  },
};

function lengthOf({ shape }: Operand, { dim, before, after }: Ends): number {
  return before + shape.at(dim)! + after;
}

function checkLength({ shape }: Operand, ends: readonly Ends[]): void {
  if (ends.length <= shape.length) return;
  throw new ShapeError(
    'Padding length should be less than or equal to two times the input dimension ' +
      `but got padding length ${2 * ends.length} and input of dimension ${shape.length}`,
  );
}

function checkRank(x: Operand, ends: readonly Ends[]): void {
  checkLength(x, ends);
  const rank = x.shape.length;
  if (rank === ends.length + 1 || rank === ends.length + 2) return;
  throw new ShapeError(
    `Padding size ${2 * ends.length} is not supported for ${rank}D input tensor.\n` +
      'Supported combinations for non-constant padding:\n' +
      '  - 2D or 3D input: padding size = 2 (pads last dimension)\n' +
      '  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n' +
      '  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)',
  );
}

function checkNonEmpty({ shape, dtype }: Operand, ends: readonly Ends[]): void {
  const rank = ends.length;
  if (shape.slice(-rank - 1).includes(0)) {
    throw new ShapeError(
      `Expected ${rank + 1}D or ${rank + 2}D (batch mode) tensor with possibly 0 batch size and other ` +
        `non-zero dimensions for input, but got: ${list(shape)}`,
    );
  }
  if (dtype === 'bool') throw new DTypeError(`"pad" not implemented for '${SCALAR_TYPES[dtype]}'`);
}

function checkOutput(x: Operand, ends: readonly Ends[]): void {
  if (ends.every((end) => lengthOf(x, end) >= 1)) return;
  const names = ['W', 'H', 'D'].slice(0, ends.length).reverse();
  const named = (extents: readonly number[], between: readonly string[]): string =>
    names.map((name, i) => (i > 0 ? between[i - 1]! : '') + `${name}: ${extents[i]}`).join('');
  const outermost = [...ends].reverse();
  const given = outermost.map(({ dim }) => x.shape.at(dim)!);
  const made = outermost.map((end) => lengthOf(x, end));
  throw new ShapeError(
    `input (${named(given, ends.length === 3 ? [' ', ', '] : [', '])}) is too small. ` +
      `Calculated output ${named(made, [' ', ' '])}`,
  );
}
