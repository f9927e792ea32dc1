// What LBFGS takes. It has one group: its directions are those of all parameters together.

import { float, notNegative, nullable } from './arguments.js';
import type { OptimizerDefinition, Settings } from './optimizer.js';

export interface LbfgsSettings extends Settings {
  max_iter: number;
  max_eval: number;
  tolerance_grad: number;
  tolerance_change: number;
  history_size: number;
  line_search_fn: 'strong_wolfe' | null;
}

export const LBFGS: OptimizerDefinition = {
  options: [
    float('lr', 1),
    { name: 'max_iter', kind: 'int', minimum: 1, default: 20 },
    nullable({ name: 'max_eval', kind: 'int', minimum: 1 }),
    float('tolerance_grad', 1e-7),
    float('tolerance_change', 1e-9),
    { name: 'history_size', kind: 'int', minimum: 1, default: 100 },
    nullable({ name: 'line_search_fn', kind: 'string', choices: ['strong_wolfe'] }),
  ],
  check: (options) => notNegative(options, 'lr'),
  derive: (settings) => ({
    ...settings,
    max_eval: settings.max_eval ?? Math.floor(((settings.max_iter as number) * 5) / 4),
  }),
};
