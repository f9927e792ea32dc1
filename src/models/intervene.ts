// What an intervention makes of a value of the graph: the whole of it, or what an index takes, is computed anew; the rest
// stays as it was, to the bit.

import { reshape } from '../graph/broadcasting.js';
import { assigned, taken, takenShape } from '../graph/indexing.js';
import { spread } from '../graph/ops-arithmetic.js';
import type { Apply, Value } from '../graph/tracer.js';
import { takenOf } from '../tensor/client-index.js';
import { listed, sameShape, type Shape } from '../tensor/shape.js';
import { BroadcastError, broadcastStrides, expandStrides } from '../tensor/view.js';

interface Row {
  /** Throws BroadcastError where the value's shape does not go with the target's. */
  readonly fit: (value: Shape, target: Shape) => unknown;
  /** In x's shape. */
  readonly make: (apply: Apply, x: Value, value: Value) => Value;
}

const set: Row = {
  fit: expandStrides,
  make: (apply, x, value) => {
    const kept = value.shape.slice(Math.max(0, value.shape.length - x.shape.length));
    const own = reshape(apply, value, kept);
    return sameShape(kept, x.shape) ? own : spread(apply, own, x.shape);
  },
};

function arithmetic(op: 'add' | 'sub' | 'mul' | 'div'): Row {
  return { fit: broadcastStrides, make: (apply, x, value) => apply(op, [x, value], {}) };
}

const mul = arithmetic('mul');

/** By name, as a client calls them. */
export const INTERVENTIONS = {
  set,
  replace: set,
  add: arithmetic('add'),
  sub: arithmetic('sub'),
  mul,
  scale: mul,
  div: arithmetic('div'),
  /** 0 where the value is false, whatever was there. */
  mask: {
    fit: broadcastStrides,
    make: (apply, x, value) => apply('where', [value, x, apply('fill', [], { shape: [], value: 0 })], {}),
  },
} satisfies Record<string, Row>;
export type InterventionName = keyof typeof INTERVENTIONS;

export interface Edit {
  readonly op: InterventionName;
  readonly index?: string | undefined;
  /** Which of the request's values it takes. */
  readonly value: number;
  /** Where it stands in the request, and where its value does. */
  readonly at: string;
  readonly valueAt: string;
}

/** A value and what it is for do not go together. */
export class MisfitError extends Error {
  /** Where that shows in the request. */
  readonly at: string;
  constructor(at: string, message: string) {
    super(message);
    this.at = at;
  }
}

/** x, changed. `what` names it in errors. Throws INDEX_INVALID, INDEX_OUT_OF_RANGE and MisfitError. */
export function intervened(
  apply: Apply,
  x: Value,
  { op, index = '', at, valueAt }: Edit,
  { value, what }: { value: Value; what: string },
): Value {
  if (x.dtype !== 'float32') throw new MisfitError(at, `${what} is ${x.dtype}: only float32 can be another`);
  const dims = takenOf(x.shape, index, `${at}.index`);
  const shape = takenShape(dims);
  const row: Row = INTERVENTIONS[op];
  try {
    row.fit(value.shape, shape);
  } catch (error) {
    if (!(error instanceof BroadcastError)) throw error;
    const of = index === '' ? '' : `, of which ${index} takes ${listed(shape)}`;
    const text = `${what} has shape ${listed(x.shape)}${of}, the value ${listed(value.shape)}: ${error.message}`;
    throw new MisfitError(valueAt, text);
  }
  if (shape.includes(0)) return x;
  const part = row.make(apply, taken(apply, x, dims), value);
  return assigned(apply, x, dims, part);
}
