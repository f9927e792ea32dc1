// torch.nn.functional's activations in float64, in forms that lose nothing. NaN stays NaN.

import type { UnaryName } from '#src/graph/kernels.js';

const { abs, exp, expm1, log1p, max, min, sqrt, SQRT1_2, PI, tanh } = Math;

/** erfc for every x, within 1e-13: the series of erf near 0, Lentz's continued fraction further out. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; abs(term) > 1e-18 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / sqrt(PI)) * sum;
  }
  let fraction = x;
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction;
  return exp(-x * x) / (sqrt(PI) * fraction);
}

const sigmoid = (x: number): number => (x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)));
const softplus = (x: number): number => max(x, 0) + log1p(exp(-abs(x)));
const clamp = (x: number, low: number, high: number): number => min(max(x, low), high);
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * expm1(x));

/** a and b as in src/graph/kernels.ts. */
export const ACTIVATIONS: Record<UnaryName, (x: number, a: number, b: number) => number> = {
  relu: (x) => max(x, 0),
  leaky_relu: (x, slope) => (x > 0 ? x : x * Math.fround(slope)),
  elu,
  selu: (x) => 1.0507009873554805 * elu(x, 1.6732632423543772),
  celu: (x, alpha) => (x > 0 ? x : alpha * expm1(x / alpha)),
  gelu: (x) => x * (erfc(-x * SQRT1_2) / 2),
  gelu_tanh: (x) => x * sigmoid(2 * sqrt(2 / PI) * (x + 0.044715 * x ** 3)),
  silu: (x) => x * sigmoid(x),
  sigmoid,
  tanh,
  softplus: (x, beta, threshold) => (x * beta > threshold ? x : softplus(x * beta) / beta),
  softsign: (x) => x / (1 + abs(x)),
  hardtanh: (x, low, high) => clamp(x, low, high),
  hardsigmoid: (x) => clamp(x + 3, 0, 6) / 6,
  // The product overflows float32 above 5.7e37, in PyTorch too.
  hardswish: (x) => Math.fround(x * clamp(x + 3, 0, 6)) / 6,
  mish: (x) => x * tanh(softplus(x)),
  log_sigmoid: (x) => -softplus(-x),
};
