// The inits that are one distribution, plain or scaled by the tensor's fans (Glorot & Bengio 2010; He et al. 2015).
// Scales are computed in double precision, as in Python, and rounded to float32 by the distribution.

import { normal, normalFault, uniform, uniformFault } from '../../random/distributions.js';
import { truncNormal, truncNormalFault } from '../../random/trunc-normal.js';
import { numel, type Shape } from '../../tensor/shape.js';
import { calculateGain, fansOf, type Fans } from './gain.js';
import type { Rows } from './row.js';
import type { InitOf } from './spec.js';

const TOO_FLAT = 'Fan in and fan out can not be computed for tensor with fewer than 2 dimensions';

function symmetric(bound: number): { a: number; b: number } {
  return { a: -bound, b: bound };
}

function xavierStd(gain: number, { fanIn, fanOut }: Fans): number {
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

/** Checks a spread against a rule once the fans of the shape are known to exist. */
function xavierFault(
  gain: number,
  shape: Shape,
  rule: (std: number) => string | undefined,
): string | undefined {
  const fans = fansOf(shape);
  if (!fans) return TOO_FLAT;
  if (fans.fanIn + fans.fanOut === 0) return 'float division by zero';
  return rule(xavierStd(gain, fans));
}

type Kaiming = InitOf<'kaiming_uniform' | 'kaiming_normal'>;

function kaimingStd({ a, mode, nonlinearity }: Kaiming, { fanIn, fanOut }: Fans): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === 'fan_in' ? fanIn : fanOut);
}

/** PyTorch returns before it looks at the dimensions where there is nothing to fill. */
function kaimingFault(
  init: Kaiming,
  shape: Shape,
  rule: (std: number) => string | undefined,
): string | undefined {
  if (shape.includes(0)) return undefined;
  const fans = fansOf(shape);
  return fans ? rule(kaimingStd(init, fans)) : TOO_FLAT;
}

export const DRAWS: Pick<
  Rows,
  | 'uniform'
  | 'normal'
  | 'trunc_normal'
  | 'xavier_uniform'
  | 'xavier_normal'
  | 'kaiming_uniform'
  | 'kaiming_normal'
> = {
  uniform: { fault: uniformFault, fill: ({ generator, data }, init) => uniform(generator, data, init) },
  normal: { fault: normalFault, fill: ({ generator, data }, init) => normal(generator, data, init) },
  trunc_normal: {
    fault: (init, shape) => truncNormalFault(init, numel(shape)),
    fill: ({ generator, data }, init) => truncNormal(generator, data, init),
  },
  xavier_uniform: {
    fault: ({ gain }, shape) =>
      xavierFault(gain, shape, (std) => uniformFault(symmetric(Math.sqrt(3) * std))),
    fill({ generator, data, shape }, { gain }) {
      uniform(generator, data, symmetric(Math.sqrt(3) * xavierStd(gain, fansOf(shape)!)));
    },
  },
  xavier_normal: {
    fault: ({ gain }, shape) => xavierFault(gain, shape, (std) => normalFault({ std })),
    fill({ generator, data, shape }, { gain }) {
      normal(generator, data, { std: xavierStd(gain, fansOf(shape)!) });
    },
  },
  kaiming_uniform: {
    fault: (init, shape) => kaimingFault(init, shape, (std) => uniformFault(symmetric(Math.sqrt(3) * std))),
    fill({ generator, data, shape }, init) {
      if (data.length > 0)
        uniform(generator, data, symmetric(Math.sqrt(3) * kaimingStd(init, fansOf(shape)!)));
    },
  },
  kaiming_normal: {
    fault: (init, shape) => kaimingFault(init, shape, (std) => normalFault({ std })),
    fill({ generator, data, shape }, init) {
      if (data.length > 0) normal(generator, data, { std: kaimingStd(init, fansOf(shape)!) });
    },
  },
};
