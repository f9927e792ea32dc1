// The one table of optimizers, by PyTorch's names.

import { Adam, AdamW, Adamax, NAdam, RAdam } from './adam.js';
import { LBFGS } from './lbfgs-options.js';
import type { ElementwiseOptimizer, OptimizerDefinition } from './optimizer.js';
import { Adadelta, Adagrad, RMSprop } from './rates.js';
import { Rprop, SGD } from './sgd.js';

const KERNELS = {
  SGD,
  Adam,
  AdamW,
  RMSprop,
  Adagrad,
  Adadelta,
  Adamax,
  NAdam,
  RAdam,
  Rprop,
} satisfies Record<string, ElementwiseOptimizer>;

export type ElementwiseName = keyof typeof KERNELS;
export type OptimizerName = ElementwiseName | 'LBFGS';

/** Those that update each element alone: run by ParameterUpdate (update.ts). */
export const ELEMENTWISE: Readonly<Record<ElementwiseName, ElementwiseOptimizer>> = KERNELS;

/** All of them. LBFGS evaluates the loss itself, several times a step: run by Lbfgs (lbfgs.ts). */
export const OPTIMIZERS: Readonly<Record<OptimizerName, OptimizerDefinition>> = { ...KERNELS, LBFGS };

/** The optimizer that a client's name stands for (`Adam`, `optim.Adam`, `torch.optim.Adam`), if there is one. */
export function optimizerName(name: string): OptimizerName | undefined {
  const plain = name.replace(/^(torch\.)?optim\./, '');
  return Object.hasOwn(OPTIMIZERS, plain) ? (plain as OptimizerName) : undefined;
}
