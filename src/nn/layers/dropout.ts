// torch.nn's dropouts. In eval mode they give their input back; in train mode each draws one Bernoulli number for each
// element, or (1d, 2d, 3d, FeatureAlphaDropout) for each channel of each row. Formulas: ATen/native/Dropout.cpp.

import { ShapeError } from '../../graph/op.js';
import { GENERATOR, type Value } from '../../graph/tracer.js';
import { numel, type Shape } from '../../tensor/shape.js';
import type { LayerDefinition, Trace } from '../layer.js';
import { numberOf, pythonRepr } from '../options.js';
import { flag, float } from './arguments.js';

type Drawing = Pick<Trace, 'tracer' | 'mode'>;

/** In train mode each element is 0 with probability p, and divided by 1 - p otherwise. `noise`: the shape of the draws. */
export function dropout(trace: Drawing, x: Value, p: number, { noise = x.shape } = {}): Value {
  const { tracer } = trace;
  const known = withoutDraw(trace, x, p);
  if (known) return known;
  const scale = 1 / Math.fround(1 - p);
  const mask = tracer.apply('bernoulli', [tracer.read(GENERATOR)], { shape: noise, p: 1 - p, scale });
  return tracer.apply('mul', [x, mask], {});
}

/** -SELU's limit at minus infinity. */
const ALPHA = 1.7580993408473766;

/** Dropped elements become SELU's lower limit, and all are moved so that mean and variance stay. */
function alphaDropout(trace: Drawing, x: Value, p: number, { noise = x.shape } = {}): Value {
  const { tracer } = trace;
  const known = withoutDraw(trace, x, p);
  if (known) return known;
  const mask = tracer.apply('bernoulli', [tracer.read(GENERATOR)], { shape: noise, p: 1 - p, scale: 1 });
  const a = 1 / Math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p));
  const dropped = tracer.apply('affine', [mask], { scale: 1, shift: -1 });
  const shift = tracer.apply('affine', [dropped], { scale: ALPHA * a, shift: ALPHA * a * p });
  const kept = tracer.apply('mul', [x, tracer.apply('affine', [mask], { scale: a, shift: 0 })], {});
  return tracer.apply('add', [kept, shift], {});
}

/** The output where nothing is drawn: all is kept, or (p = 1) multiplied by 0; undefined: there is a draw. */
function withoutDraw({ tracer, mode }: Drawing, x: Value, p: number): Value | undefined {
  if (mode === 'eval' || p === 0 || numel(x.shape) === 0) return tracer.apply('identity', [x], {});
  return p === 1 ? tracer.apply('affine', [x], { scale: 0, shift: -0 }) : undefined;
}

/** One draw for each channel, which is dimension 1, or 0 of an input without a batch. */
function channels(shape: Shape, channel: 0 | 1): Shape {
  if (shape.length <= channel)
    throw new ShapeError('Feature dropout requires at least 2 dimensions in the input');
  return shape.map((extent, i) => (i <= channel ? extent : 1));
}

type Dropout = typeof dropout;

/** `noise` is the shape of the draws, and checks that of the input; absent: one draw for each element. */
function layer(apply: Dropout, noise?: (shape: Shape, drawing: boolean) => Shape): LayerDefinition {
  return {
    options: [float('p', 0.5), flag('inplace', false)],
    check: ({ p }) => {
      const probability = numberOf(p!);
      return probability < 0 || probability > 1
        ? [`dropout probability has to be between 0 and 1, but got ${pythonRepr(p!)}`]
        : [];
    },
    trace: ({ options }, x, trace) => {
      const p = numberOf(options.p!);
      const drawing = trace.mode === 'train' && p > 0 && p < 1;
      return apply(trace, x, p, noise && { noise: noise(x.shape, drawing) });
    },
    flow: () => ({ changes: 0 }),
    repr: ({ p, inplace }) => `p=${pythonRepr(p!)}, inplace=${pythonRepr(inplace!)}`,
  };
}

/** PyTorch refuses other ranks than 2 and 3 here, in eval mode too. */
function noise1d(shape: Shape): Shape {
  const rank = shape.length;
  if (rank !== 2 && rank !== 3) {
    throw new ShapeError(
      `dropout1d: Expected 2D or 3D input, but received a ${rank}D input. Note that dropout1d exists to provide ` +
        'channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension ' +
        '(i.e. 2D or 3D inputs).',
    );
  }
  return channels(shape, rank === 3 ? 1 : 0);
}

/** PyTorch takes dimensions 0 and 1 of any input for rows and channels, a three-dimensional one's too. */
function noise2d(shape: Shape, drawing: boolean): Shape {
  return drawing ? channels(shape, 1) : shape;
}

/** Whatever has not five dimensions has no batch, for PyTorch. */
function noise3d(shape: Shape, drawing: boolean): Shape {
  return drawing ? channels(shape, shape.length === 5 ? 1 : 0) : shape;
}

export const DROPOUT_LAYERS = {
  Dropout: layer(dropout),
  Dropout1d: layer(dropout, noise1d),
  Dropout2d: layer(dropout, noise2d),
  Dropout3d: layer(dropout, noise3d),
  AlphaDropout: layer(alphaDropout),
  FeatureAlphaDropout: layer(alphaDropout, noise2d),
};
