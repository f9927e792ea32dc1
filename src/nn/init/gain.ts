// The gain of a nonlinearity, and the fans of a weight: what torch.nn.init scales Xavier's and Kaiming's inits by.

import { numel, type Shape } from '../../tensor/shape.js';

export const NONLINEARITIES = [
  'linear',
  'conv1d',
  'conv2d',
  'conv3d',
  'conv_transpose1d',
  'conv_transpose2d',
  'conv_transpose3d',
  'sigmoid',
  'tanh',
  'relu',
  'leaky_relu',
  'selu',
] as const;
export type Nonlinearity = (typeof NONLINEARITIES)[number];

/** torch.nn.init.calculate_gain; `param` is the negative slope of leaky_relu. */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  if (nonlinearity === 'tanh') return 5 / 3;
  if (nonlinearity === 'relu') return Math.sqrt(2);
  if (nonlinearity === 'leaky_relu') return Math.sqrt(2 / (1 + param ** 2));
  if (nonlinearity === 'selu') return 3 / 4;
  return 1;
}

export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** [out, in, ...kernel]: channels times the kernel's size; undefined where the shape has fewer than 2 dimensions. */
export function fansOf(shape: Shape): Fans | undefined {
  const [out, into, ...kernel] = shape;
  if (out === undefined || into === undefined) return undefined;
  const receptiveField = numel(kernel);
  return { fanIn: into * receptiveField, fanOut: out * receptiveField };
}
