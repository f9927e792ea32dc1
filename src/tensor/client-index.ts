// A client's index, resolved: what is wrong with it is told in the errors of the API.

import { ApiError } from '../errors.js';
import {
  IndexRangeError,
  IndexSyntaxError,
  parseIndex,
  resolveDimensions,
  resolveIndex,
  type Index,
  type Taken,
} from './index-grammar.js';
import type { Shape } from './shape.js';
import type { View } from './view.js';

/** What an index takes of a tensor; throws INDEX_INVALID or INDEX_OUT_OF_RANGE. `at` is where the index stands. */
export function viewOf(shape: Shape, index: string, at: string): View {
  return resolved(resolveIndex, index, { shape, at });
}

/** The same, dimension by dimension. */
export function takenOf(shape: Shape, index: string, at: string): readonly Taken[] {
  return resolved(resolveDimensions, index, { shape, at });
}

function resolved<T>(
  resolve: (index: Index, shape: Shape) => T,
  text: string,
  { shape, at }: { shape: Shape; at: string },
): T {
  try {
    return resolve(parseIndex(text), shape);
  } catch (error) {
    if (error instanceof IndexSyntaxError)
      throw new ApiError('INDEX_INVALID', [], [{ path: at, message: error.message }]);
    if (error instanceof IndexRangeError)
      throw new ApiError('INDEX_OUT_OF_RANGE', [], [{ path: at, message: error.message }]);
    throw error;
  }
}
