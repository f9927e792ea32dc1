// A tensor's values outside the kernels: to be written into an answer, or read from a request.

import type { DType } from './dtype.js';
import { numel, type Shape } from './shape.js';

/** Each dtype's array; a bool is one byte, 0 or 1. The memory under it may be shared. */
export interface TensorArrays {
  float32: Float32Array;
  int64: BigInt64Array;
  int32: Int32Array;
  bool: Uint8Array;
}
export type TensorData = TensorArrays[DType];

/** Row-major and contiguous: `data` has exactly the shape's number of elements. */
export class TensorValue {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
  constructor(dtype: DType, shape: Shape, data: TensorData) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }
}

const MAKE: { readonly [D in DType]: (length: number) => TensorArrays[D] } = {
  float32: (length) => new Float32Array(length),
  int64: (length) => new BigInt64Array(length),
  int32: (length) => new Int32Array(length),
  bool: (length) => new Uint8Array(length),
};

/** A tensor of zeros in memory of its own. */
export function zeros(dtype: DType, shape: Shape): TensorValue {
  return new TensorValue(dtype, shape, MAKE[dtype](numel(shape)));
}

export function dtypeOf(data: TensorData): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof BigInt64Array) return 'int64';
  return data instanceof Int32Array ? 'int32' : 'bool';
}
