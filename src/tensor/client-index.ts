// A client's index, resolved: what is wrong with it is told in the errors of the API.

import { ApiError } from '../errors.js';
import { IndexRangeError, IndexSyntaxError, parseIndex, resolveIndex } from './index-grammar.js';
import type { Shape } from './shape.js';
import type { View } from './view.js';

/** What an index takes of a tensor; throws INDEX_INVALID or INDEX_OUT_OF_RANGE. `at` is where the index stands. */
export function viewOf(shape: Shape, index: string, at: string): View {
  try {
    return resolveIndex(parseIndex(index), shape);
  } catch (error) {
    if (error instanceof IndexSyntaxError)
      throw new ApiError('INDEX_INVALID', [], [{ path: at, message: error.message }]);
    if (error instanceof IndexRangeError)
      throw new ApiError('INDEX_OUT_OF_RANGE', [], [{ path: at, message: error.message }]);
    throw error;
  }
}
