// What an init is: one row of the table in apply.ts, by family in the files beside it.

import type { Generator } from '../../random/generator.js';
import type { Shape } from '../../tensor/shape.js';
import type { InitName, InitOf } from './spec.js';

export interface Target {
  readonly shape: Shape;
  /** Row-major, as many as the shape has; what they were does not matter. */
  readonly data: Float32Array;
  readonly generator: Generator;
}

export interface Row<N extends InitName> {
  /** What PyTorch would say to these arguments for a tensor of this shape, or undefined. */
  fault?(init: InitOf<N>, shape: Shape): string | undefined;
  fill(target: Target, init: InitOf<N>): void;
}

export type Rows = { readonly [N in InitName]: Row<N> };
