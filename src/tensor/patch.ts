// The ops that change a tensor in place: `checkPatchOp` says what is wrong with one from shapes alone, `applyPatch` does it.
// Results are PyTorch's in-place ops to the bit: a scalar becomes the tensor's dtype first, each element is rounded once.

import type { Fault } from '../errors.js';
import { didYouMean } from '../nearest.js';
import { type DType } from './dtype.js';
import { IndexRangeError, IndexSyntaxError, parseIndex, resolveIndex } from './index-grammar.js';
import type { Shape } from './shape.js';
import { dtypeOf, type TensorArrays, type TensorData } from './tensor-value.js';
import {
  BroadcastError,
  broadcastStrides,
  expandStrides,
  forEachRow,
  gather,
  isContiguous,
  wholeView,
  type View,
} from './view.js';
import { numel } from './shape.js';

export const PATCH_OPS = ['set', 'add', 'sub', 'mul', 'div', 'clamp', 'map'] as const;
export type PatchOpName = (typeof PATCH_OPS)[number];

export interface PatchOp {
  readonly op: PatchOpName;
  /** Python slicing; absent: the whole tensor. */
  readonly index?: string;
  /** set, add, sub, mul, div: a number, or a contiguous tensor of the target's dtype that broadcasts to what is indexed. */
  readonly value?: number | { readonly shape: Shape; readonly data: TensorData };
  /** clamp: either or both. */
  readonly min?: number;
  readonly max?: number;
  /** map: for who evaluates it. */
  readonly expression?: string;
}

/** An op whose value, if a tensor, is known by its shape only. */
export type PatchOutline = Omit<PatchOp, 'value'> & { readonly value?: number | { readonly shape: Shape } };

/** Evaluates an expression over `w`, in place. */
export type MapExpression = (expression: string, w: Float32Array) => void;

/** What is wrong with an op on a tensor of this shape, in PyTorch's words; paths are the op's fields. Touches no element. */
export function checkPatchOp(shape: Shape, op: PatchOutline, dtype: DType = 'float32'): Fault[] {
  if (!Object.hasOwn(OPS, op.op)) {
    return [
      {
        path: 'op',
        message: `must be one of ${PATCH_OPS.join(', ')}${didYouMean(String(op.op), PATCH_OPS)}`,
      },
    ];
  }
  let view: View;
  try {
    view = viewOf(shape, op.index);
  } catch (error) {
    if (!(error instanceof IndexSyntaxError || error instanceof IndexRangeError)) throw error;
    return [{ path: 'index', message: error.message }];
  }
  return OPS[op.op].check(op, view.shape, dtype);
}

/**
 * Does an op that `checkPatchOp` found nothing wrong with. `data` is contiguous, of `shape`, and may be shared memory;
 * the value lies apart from it.
 */
export function applyPatch(data: TensorData, shape: Shape, op: PatchOp, map?: MapExpression): void {
  OPS[op.op].apply(data, viewOf(shape, op.index), op, map);
}

function viewOf(shape: Shape, index = ''): View {
  return index === '' || index === ':' || index === '...'
    ? wholeView(shape)
    : resolveIndex(parseIndex(index), shape);
}

interface PatchRow {
  check(op: PatchOutline, shape: Shape, dtype: DType): Fault[];
  apply(data: TensorData, view: View, op: PatchOp, map: MapExpression | undefined): void;
}

type Element<D extends DType> = TensorArrays[D][number];
type Combine<D extends DType> = (element: Element<D>, value: Element<D>) => Element<D>;
/** By dtype; where one is missing PyTorch refuses the op (an integer tensor cannot hold a quotient). Arrays round and wrap. */
type Combines = { readonly [D in DType]?: Combine<D> };

const OPS: Readonly<Record<PatchOpName, PatchRow>> = {
  set: arithmetic(expandStrides, { float32: second, int64: second, int32: second, bool: second }),
  add: arithmetic(broadcastStrides, {
    float32: (a, b) => a + b,
    int64: (a, b) => a + b,
    int32: (a, b) => a + b,
  }),
  sub: arithmetic(broadcastStrides, {
    float32: (a, b) => a - b,
    int64: (a, b) => a - b,
    int32: (a, b) => a - b,
  }),
  mul: arithmetic(broadcastStrides, { float32: (a, b) => a * b, int64: (a, b) => a * b, int32: Math.imul }),
  div: arithmetic(broadcastStrides, { float32: (a, b) => a / b }),
  clamp: { check: checkClamp, apply: applyClamp },
  map: { check: checkMap, apply: applyMap },
};

function second<T>(_: T, value: T): T {
  return value;
}

/** A row of the table: `fit` gives the value's strides over what is indexed, or throws BroadcastError. */
function arithmetic(fit: (shape: Shape, target: Shape) => number[], combines: Combines): PatchRow {
  return {
    check({ op, value }, shape, dtype) {
      if (!combines[dtype])
        return [{ path: 'op', message: cannotCast(op === 'div' ? 'Float' : 'Long', dtype) }];
      if (value === undefined) return [{ path: 'value', message: `${op} needs a value` }];
      if (typeof value === 'number') {
        // torch's `tensor[index] = 1e39` raises, while `tensor += 1e39` makes infinities.
        const wrong = scalarFault(value, dtype, op !== 'set');
        return wrong === undefined ? [] : [{ path: 'value', message: wrong }];
      }
      try {
        fit(value.shape, shape);
      } catch (error) {
        if (!(error instanceof BroadcastError)) throw error;
        return [{ path: 'value', message: error.message }];
      }
      return [];
    },
    apply(data, view, { value }) {
      const combine = combines[dtypeOf(data)] as (element: unknown, value: unknown) => number;
      // Every array takes back what it gave: the types of one dtype go together.
      const target = data as unknown as Record<number, number>;
      if (typeof value === 'number') {
        const scalar = toElement(value, dtypeOf(data));
        forEachRow(view, view, ({ count, a, aStep }) => {
          for (let i = 0, at = a; i < count; i++, at += aStep) target[at] = combine(target[at], scalar);
        });
        return;
      }
      const { shape, data: values } = value!;
      const spread: View = { shape: view.shape, strides: fit(shape, view.shape), offset: 0 };
      forEachRow(view, spread, ({ count, a, aStep, b, bStep }) => {
        for (let i = 0, at = a, from = b; i < count; i++, at += aStep, from += bStep) {
          target[at] = combine(target[at], values[from]);
        }
      });
    },
  };
}

function checkClamp({ min, max }: PatchOutline, _shape: Shape, dtype: DType): Fault[] {
  if (dtype === 'bool') return [{ path: 'op', message: cannotCast('Long', dtype) }];
  const faults: Fault[] = [];
  for (const [path, bound] of [
    ['min', min],
    ['max', max],
  ] as const) {
    const wrong = bound === undefined ? undefined : scalarFault(bound, dtype, false);
    if (wrong !== undefined) faults.push({ path, message: wrong });
  }
  if (min === undefined && max === undefined) {
    faults.push({ path: '', message: "torch.clamp: At least one of 'min' or 'max' must not be None" });
  }
  return faults;
}

/** min(max(x, low), high): an element that equals a bound stays as it is (-0 too), NaN stays NaN, a NaN bound wins. */
function applyClamp(data: TensorData, view: View, { min, max }: PatchOp): void {
  const dtype = dtypeOf(data);
  const bound = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : (toElement(value, dtype) as number);
  const [low, high] = [bound(min), bound(max)];
  const nan = Number.isNaN(min) || Number.isNaN(max);
  const target = data as unknown as Record<number, number>;
  forEachRow(view, view, ({ count, a, aStep }) => {
    for (let i = 0, at = a; i < count; i++, at += aStep) {
      let x = target[at]!;
      if (low !== undefined && x < low) x = low;
      if (high !== undefined && x > high) x = high;
      target[at] = nan ? NaN : x;
    }
  });
}

function checkMap({ expression }: PatchOutline, _shape: Shape, dtype: DType): Fault[] {
  if (dtype !== 'float32') return [{ path: 'op', message: `map takes float32, not ${dtype}` }];
  return expression === undefined ? [{ path: 'expression', message: 'map needs an expression' }] : [];
}

/** The expression sees what is indexed as one contiguous tensor. */
function applyMap(
  data: TensorData,
  view: View,
  { expression }: PatchOp,
  map: MapExpression | undefined,
): void {
  if (!map) throw new TypeError('nobody evaluates expressions here');
  const floats = data as Float32Array;
  if (isContiguous(view)) {
    map(expression!, floats.subarray(view.offset, view.offset + numel(view.shape)));
    return;
  }
  const w = gather({ dtype: 'float32', data }, view).data as Float32Array;
  map(expression!, w);
  forEachRow(view, wholeView(view.shape), ({ count, a, aStep, b, bStep }) => {
    for (let i = 0; i < count; i++) floats[a + i * aStep] = w[b + i * bStep]!;
  });
}

const SCALAR_TYPES: Record<DType, string> = { float32: 'Float', int64: 'Long', int32: 'Int', bool: 'Bool' };

function cannotCast(from: string, dtype: DType): string {
  return `result type ${from} can't be cast to the desired output type ${SCALAR_TYPES[dtype]}`;
}

/** What keeps a number from becoming an element. */
function scalarFault(value: number, dtype: DType, mayOverflow: boolean): string | undefined {
  if (dtype === 'bool') return undefined;
  if (dtype === 'float32') {
    const overflows = Number.isFinite(value) && !Number.isFinite(Math.fround(value));
    return overflows && !mayOverflow ? 'value cannot be converted to type float without overflow' : undefined;
  }
  if (!Number.isInteger(value)) return cannotCast('Float', dtype);
  const fits = dtype === 'int32' ? value === (value | 0) : Math.abs(value) < 2 ** 63;
  return fits
    ? undefined
    : `value cannot be converted to type ${dtype === 'int32' ? 'int' : 'int64_t'} without overflow`;
}

const TO_ELEMENT: { readonly [D in DType]: (value: number) => Element<D> } = {
  float32: Math.fround,
  int64: BigInt,
  int32: (value) => value | 0,
  bool: (value) => (value === 0 ? 0 : 1),
};

function toElement(value: number, dtype: DType): number | bigint {
  return TO_ELEMENT[dtype](value);
}
