// Typed arrays over a shared memory. A view is made for each use: a memory that grows gets a longer buffer.

import { DTYPES, type DType } from '../tensor/dtype.js';

const ARRAYS = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, bool: Uint8Array } as const;

/** `count` elements at a byte address, in place. */
export function viewAt<D extends DType>(
  memory: WebAssembly.Memory,
  address: number,
  count: number,
  dtype: D,
): InstanceType<(typeof ARRAYS)[D]> {
  // Another thread's growth may not have reached this thread's buffer yet; growing by nothing fetches it.
  if (address + count * DTYPES[dtype].bytes > memory.buffer.byteLength) memory.grow(0);
  // A union of constructors takes what all of them are declared to take, and that leaves out shared buffers.
  const buffer = memory.buffer as unknown as ArrayBuffer;
  return new ARRAYS[dtype](buffer, address, count) as InstanceType<(typeof ARRAYS)[D]>;
}
