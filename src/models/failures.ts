// What goes wrong inside, as the client is told it.

import { ApiError } from '../errors.js';
import { ShapeError, ValueError } from '../graph/op.js';
import { QuotaError } from '../runtime/memory.js';
import { PoolClosedError, WorkerLostError } from '../runtime/pool.js';
import { TensorError } from '../tensor/json.js';
import { SizeError } from '../tensor/shape.js';

/** The ApiError that an error from the tensor, graph or runtime layer becomes; anything else as it is. */
export function explain(error: unknown): unknown {
  if (error instanceof SizeError) return new ApiError('QUOTA_EXCEEDED', [error.message]);
  if (error instanceof QuotaError) return new ApiError('QUOTA_EXCEEDED', [error.message]);
  if (error instanceof WorkerLostError) return new ApiError('WORKER_LOST');
  if (error instanceof PoolClosedError) return new ApiError('SHUTTING_DOWN');
  if (error instanceof ValueError) return new ApiError('VALUE_INVALID', [error.message]);
  if (error instanceof TensorError) return new ApiError('TENSOR_INVALID', [], error.faults);
  if (error instanceof ShapeError) {
    return new ApiError(
      'SHAPE_MISMATCH',
      [error.message],
      error.path === undefined ? undefined : [{ path: error.path, message: error.message }],
    );
  }
  return error;
}

/** Runs work whose errors become the client's. */
export async function explained<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(error);
  }
}
