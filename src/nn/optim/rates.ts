// Optimizers with a learning rate for each element: RMSprop (Hinton), Adagrad (Duchi et al. 2011), Adadelta (Zeiler 2012).

import { numberOf } from '../options.js';
import { flag, float, implementation, invalid, maximize, notNegative } from './arguments.js';
import { STEP, zeros, type ElementwiseOptimizer, type Settings } from './optimizer.js';

interface Rates extends Settings {
  eps: number;
  weight_decay: number;
  maximize: boolean;
}

interface RMSprop extends Rates {
  alpha: number;
  momentum: number;
  centered: boolean;
}

export const RMSprop: ElementwiseOptimizer<RMSprop> = {
  options: [
    float('lr', 1e-2),
    float('alpha', 0.99),
    float('eps', 1e-8),
    float('weight_decay', 0),
    float('momentum', 0),
    flag('centered', false),
    ...implementation('capturable', 'foreach'),
    maximize,
    ...implementation('differentiable'),
  ],
  check: (options) => notNegative(options, 'lr', 'eps', 'momentum', 'weight_decay', 'alpha'),
  kernel: 'rmsprop',
  tensors: ['square_avg', 'grad_avg', 'momentum_buffer'],
  state: ({ momentum, centered }) => [
    STEP,
    zeros('square_avg'),
    ...(momentum > 0 ? [zeros('momentum_buffer')] : []),
    ...(centered ? [zeros('grad_avg')] : []),
  ],
  numbers: ({ lr, alpha, eps, weight_decay, momentum, maximize }) => [
    ...[lr, alpha, eps, weight_decay, momentum],
    Number(maximize),
  ],
};

interface Adagrad extends Rates {
  lr_decay: number;
  initial_accumulator_value: number;
}

export const Adagrad: ElementwiseOptimizer<Adagrad> = {
  options: [
    float('lr', 1e-2),
    float('lr_decay', 0),
    float('weight_decay', 0),
    float('initial_accumulator_value', 0),
    float('eps', 1e-10),
    ...implementation('foreach'),
    maximize,
    ...implementation('differentiable', 'fused'),
  ],
  check: (options) =>
    notNegative(options, 'lr', 'lr_decay', 'weight_decay', 'initial_accumulator_value', 'eps'),
  kernel: 'adagrad',
  tensors: ['sum'],
  state: ({ initial_accumulator_value }) => [
    STEP,
    { name: 'sum', shape: 'parameter', initial: initial_accumulator_value },
  ],
  numbers: ({ lr, lr_decay, eps, weight_decay, maximize }, { step }) => [
    ...[lr / (1 + (step - 1) * lr_decay), eps, weight_decay],
    Number(maximize),
  ],
};

interface Adadelta extends Rates {
  rho: number;
}

export const Adadelta: ElementwiseOptimizer<Adadelta> = {
  options: [
    float('lr', 1),
    float('rho', 0.9),
    float('eps', 1e-6),
    float('weight_decay', 0),
    ...implementation('foreach', 'capturable'),
    maximize,
    ...implementation('differentiable'),
  ],
  check: (options) => [
    ...notNegative(options, 'lr'),
    ...(numberOf(options.rho!) <= 1 ? notNegative(options, 'rho') : [invalid('rho', options.rho!)]),
    ...notNegative(options, 'eps', 'weight_decay'),
  ],
  kernel: 'adadelta',
  tensors: ['square_avg', 'acc_delta'],
  state: () => [STEP, zeros('square_avg'), zeros('acc_delta')],
  numbers: ({ lr, rho, eps, weight_decay, maximize }) => [lr, rho, eps, weight_decay, Number(maximize)],
};
