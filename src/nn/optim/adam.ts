// Adam (Kingma & Ba 2014) and its kin: AdamW, Adamax, NAdam, RAdam.
// What is computed once for a step is float64, as Python's floats are; the kernels round it to float32.

import { badBetas, flag, float, implementation, maximize, notNegative, pair } from './arguments.js';
import { STEP, zeros, type ElementwiseOptimizer, type Settings, type StateTensor } from './optimizer.js';

interface Moments extends Settings {
  betas: readonly [number, number];
  eps: number;
  weight_decay: number;
  maximize: boolean;
}

interface Adam extends Moments {
  amsgrad: boolean;
  decoupled_weight_decay: boolean;
}

interface Decoupling extends Moments {
  decoupled_weight_decay: boolean;
}

const betas = pair('betas', [0.9, 0.999]);
const eps = float('eps', 1e-8);

const AVERAGES: readonly StateTensor[] = [STEP, zeros('exp_avg'), zeros('exp_avg_sq')];

/** The numbers that weight decay has in the kernels: added to the gradient, or shrinking the parameter. */
function decay({ lr, weight_decay, decoupled_weight_decay }: Decoupling): [added: number, shrink: number] {
  return decoupled_weight_decay ? [0, 1 - lr * weight_decay] : [weight_decay, 1];
}

const adam = {
  check: (options) => [
    ...notNegative(options, 'lr', 'eps'),
    ...badBetas(options),
    ...notNegative(options, 'weight_decay'),
  ],
  kernel: 'adam',
  tensors: ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'],
  state: ({ amsgrad }) => (amsgrad ? [...AVERAGES, zeros('max_exp_avg_sq')] : [...AVERAGES]),
  numbers(settings, { step }) {
    const { lr, betas, eps, maximize } = settings;
    const [beta1, beta2] = betas;
    const stepSize = lr / (1 - beta1 ** step);
    return [beta1, beta2, eps, ...decay(settings), stepSize, Math.sqrt(1 - beta2 ** step), Number(maximize)];
  },
} satisfies Partial<ElementwiseOptimizer<Adam>>;

export const Adam: ElementwiseOptimizer<Adam> = {
  ...adam,
  options: [
    float('lr', 1e-3),
    betas,
    eps,
    float('weight_decay', 0),
    flag('amsgrad', false),
    ...implementation('foreach'),
    maximize,
    ...implementation('capturable', 'differentiable', 'fused'),
    flag('decoupled_weight_decay', false),
  ],
};

/** Loshchilov & Hutter 2019. */
export const AdamW: ElementwiseOptimizer<Adam> = {
  ...adam,
  options: [
    float('lr', 1e-3),
    betas,
    eps,
    float('weight_decay', 1e-2),
    flag('amsgrad', false),
    maximize,
    ...implementation('foreach', 'capturable', 'differentiable', 'fused'),
  ],
  fixed: { decoupled_weight_decay: true },
};

/** Adam with the infinity norm in the place of the average square. */
export const Adamax: ElementwiseOptimizer<Moments> = {
  options: [
    float('lr', 2e-3),
    betas,
    eps,
    float('weight_decay', 0),
    ...implementation('foreach'),
    maximize,
    ...implementation('differentiable', 'capturable'),
  ],
  check: adam.check,
  kernel: 'adamax',
  tensors: ['exp_avg', 'exp_inf'],
  state: () => [STEP, zeros('exp_avg'), zeros('exp_inf')],
  numbers({ lr, betas: [beta1, beta2], eps, weight_decay, maximize }, { step }) {
    return [beta1, beta2, eps, weight_decay, lr / (1 - beta1 ** step), Number(maximize)];
  },
};

interface NAdam extends Decoupling {
  momentum_decay: number;
}

function mu({ betas: [beta1], momentum_decay }: NAdam, step: number): number {
  return beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay));
}

/** Dozat 2016. */
export const NAdam: ElementwiseOptimizer<NAdam> = {
  options: [
    float('lr', 2e-3),
    betas,
    eps,
    float('weight_decay', 0),
    float('momentum_decay', 4e-3),
    flag('decoupled_weight_decay', false),
    ...implementation('foreach'),
    maximize,
    ...implementation('capturable', 'differentiable'),
  ],
  check: (options) => [...adam.check(options), ...notNegative(options, 'momentum_decay')],
  kernel: 'nadam',
  tensors: ['exp_avg', 'exp_avg_sq'],
  state: () => [STEP, { name: 'mu_product', shape: 'scalar', initial: 1 }, ...AVERAGES.slice(1)],
  mu,
  numbers(settings, { step, muProduct }) {
    const { lr, betas, eps, maximize } = settings;
    const [beta1, beta2] = betas;
    const next = mu(settings, step + 1);
    const gradientStep = (-lr * (1 - mu(settings, step))) / (1 - muProduct);
    const averageStep = (-lr * next) / (1 - muProduct * next);
    const correction2 = 1 - beta2 ** step;
    return [beta1, beta2, eps, ...decay(settings), gradientStep, averageStep, correction2, Number(maximize)];
  },
};

/** Liu et al. 2019. */
export const RAdam: ElementwiseOptimizer<Decoupling> = {
  options: [
    float('lr', 1e-3),
    betas,
    eps,
    float('weight_decay', 0),
    flag('decoupled_weight_decay', false),
    ...implementation('foreach'),
    maximize,
    ...implementation('capturable', 'differentiable'),
  ],
  check: adam.check,
  kernel: 'radam',
  tensors: ['exp_avg', 'exp_avg_sq'],
  state: () => [...AVERAGES],
  numbers(settings, { step }) {
    const { lr, betas, eps, maximize } = settings;
    const [beta1, beta2] = betas;
    const correction1 = 1 - beta1 ** step;
    const correction2 = 1 - beta2 ** step;
    // The length of the approximated simple moving average, and what it tends to.
    const longest = 2 / (1 - beta2) - 1;
    const length = longest - (2 * step * beta2 ** step) / correction2;
    const rectification =
      length > 5
        ? Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length))
        : 0;
    const numbers = [lr, correction1, Math.sqrt(correction2), rectification, Number(maximize)];
    return [beta1, beta2, eps, ...decay(settings), ...numbers];
  },
};
