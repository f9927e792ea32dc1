// Does an init to a tensor's memory: synchronous, without I/O, drawing from the model's generator in PyTorch's order.
// `checkInit` says before anything runs what PyTorch would raise.

import type { Generator } from '../../random/generator.js';
import type { Shape } from '../../tensor/shape.js';
import { evaluate, parseExpression } from '../expression.js';
import { CONSTANTS } from './constants.js';
import { DRAWS } from './draws.js';
import { MATRICES } from './matrices.js';
import { MIXTURE } from './mixture.js';
import type { Row, Rows } from './row.js';
import { initSchema, type InitName, type InitSpec } from './spec.js';

const INITS: Rows = {
  ...CONSTANTS,
  ...DRAWS,
  ...MATRICES,
  mixture: MIXTURE,
  default: {
    fill() {
      throw new Error("the init 'default' stands for the layer's own inits, which take its place");
    },
  },
};

/** What is wrong with an init for a parameter of this shape, in PyTorch's words; undefined if nothing is. */
export function checkInit(spec: InitSpec, shape: Shape): string | undefined {
  const parsed = initSchema.safeParse(spec);
  if (!parsed.success) return parsed.error.issues[0]?.message;
  return (INITS[parsed.data.name] as Row<InitName>).fault?.(parsed.data, shape);
}

/** Fills `data`, the row-major elements of a tensor of this shape. RangeError where `checkInit` finds a fault. */
export function initialize(spec: InitSpec, shape: Shape, data: Float32Array, generator: Generator): void {
  const wrong = checkInit(spec, shape);
  if (wrong !== undefined) throw new RangeError(wrong);
  const init = initSchema.parse(spec);
  (INITS[init.name] as Row<InitName>).fill({ shape, data, generator }, init);
  if (init.then !== undefined) evaluate(parseExpression(init.then), data);
}
