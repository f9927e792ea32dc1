// What optimizers keep of parameters between steps, by PyTorch's names.

import type { Shape } from '../../tensor/shape.js';
import { lbfgsTensors, type LbfgsPlace } from './lbfgs.js';
import type { LbfgsSettings } from './lbfgs-options.js';
import type { Settings } from './optimizer.js';
import { ELEMENTWISE, type ElementwiseName } from './table.js';

/** What is kept of a parameter once it has made a step. */
export function stateShapes(name: ElementwiseName, settings: Settings, shape: Shape): Map<string, Shape> {
  const tensors = ELEMENTWISE[name].state(settings);
  return new Map(tensors.map((tensor) => [tensor.name, tensor.shape === 'scalar' ? [] : shape]));
}

export type LbfgsVector = Exclude<keyof LbfgsPlace, 'scratch'>;

/** What LBFGS keeps, of all `numel` elements of its parameters one after the other: rows of the history are in any order. */
export function lbfgsShapes(numel: number, settings: LbfgsSettings): Record<LbfgsVector, Shape> {
  const { scratch: _, ...kept } = lbfgsTensors(numel, settings);
  return kept;
}
