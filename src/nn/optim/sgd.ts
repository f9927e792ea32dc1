// Stochastic gradient descent, and Rprop (Riedmiller & Braun 1993), which follows the gradient's signs alone.

import { numberOf, pythonRepr, type OptionValue } from '../options.js';
import { flag, float, implementation, invalid, maximize, notNegative, pair } from './arguments.js';
import { STEP, zeros, type ElementwiseOptimizer, type Settings } from './optimizer.js';

interface SGD extends Settings {
  momentum: number;
  dampening: number;
  weight_decay: number;
  nesterov: boolean;
  maximize: boolean;
}

export const SGD: ElementwiseOptimizer<SGD> = {
  options: [
    float('lr', 1e-3),
    float('momentum', 0),
    float('dampening', 0),
    float('weight_decay', 0),
    flag('nesterov', false),
    maximize,
    ...implementation('foreach', 'differentiable', 'fused'),
  ],
  // NaN is let through here, and only here.
  check(options) {
    const negative = ['lr', 'momentum', 'weight_decay'].filter((name) => numberOf(options[name]!) < 0);
    const faults = negative.map((name) => invalid(name, options[name]!));
    const [momentum, dampening] = [numberOf(options.momentum!), numberOf(options.dampening!)];
    if (options.nesterov === true && (momentum <= 0 || dampening !== 0))
      faults.push('Nesterov momentum requires a momentum and zero dampening');
    return faults;
  },
  kernel: 'sgd',
  tensors: ['momentum_buffer'],
  state: ({ momentum }) =>
    momentum === 0 ? [] : [{ name: 'momentum_buffer', shape: 'parameter', initial: 'gradient' }],
  numbers({ lr, momentum, dampening, weight_decay, nesterov, maximize }, { first }) {
    return [lr, momentum, dampening, weight_decay, Number(nesterov), Number(maximize), Number(first)];
  },
};

interface Rprop extends Settings {
  etas: readonly [number, number];
  step_sizes: readonly [number, number];
  maximize: boolean;
}

export const Rprop: ElementwiseOptimizer<Rprop> = {
  options: [
    float('lr', 1e-2),
    pair('etas', [0.5, 1.2]),
    pair('step_sizes', [1e-6, 50]),
    ...implementation('capturable', 'foreach'),
    maximize,
    ...implementation('differentiable'),
  ],
  check(options) {
    const [minus, plus] = options.etas as [OptionValue, OptionValue];
    const turns = 0 < numberOf(minus) && numberOf(minus) < 1 && 1 < numberOf(plus);
    const etas = turns ? [] : [`Invalid eta values: ${pythonRepr(minus)}, ${pythonRepr(plus)}`];
    return [...notNegative(options, 'lr'), ...etas];
  },
  kernel: 'rprop',
  tensors: ['prev', 'step_size'],
  state: ({ lr }) => [STEP, zeros('prev'), { name: 'step_size', shape: 'parameter', initial: lr }],
  numbers: ({ etas, step_sizes, maximize }) => [...etas, ...step_sizes, Number(maximize)],
};
