// torch.nn's activations that choose between two values, or gate one half by the other: made of other ops.

import { ShapeError } from '../../graph/op.js';
import { dimension } from '../../graph/requirements.js';
import { GENERATOR, type Apply, type Value } from '../../graph/tracer.js';
import type { LayerDefinition, Trace } from '../layer.js';
import { numberOf, pythonRepr, type Options } from '../options.js';
import { flag, float } from './arguments.js';

const fill = (apply: Apply, value: number): Value => apply('fill', [], { shape: [], value });
const scaled = (apply: Apply, x: Value, scale: number, shift = 0): Value =>
  apply('affine', [x], { scale, shift });

interface Choice {
  readonly options: LayerDefinition['options'];
  readonly check?: (options: Options) => string[];
  readonly repr: (options: Options) => string;
  readonly trace: (x: Value, options: Options, apply: Apply) => Value;
}

/** Of each element alone. */
function choice({ trace, ...rest }: Choice): LayerDefinition {
  return {
    ...rest,
    trace: ({ options }, x, { tracer }) => trace(x, options, tracer.apply),
    flow: () => ({ changes: 0 }),
  };
}

const inplace = flag('inplace', false);
const suffix = (options: Options): string => (options.inplace === true ? ', inplace=True' : '');

function refuseRange({ lower, upper }: Options): string[] {
  if (numberOf(lower!) <= numberOf(upper!)) return [];
  return ['Lower bound should be less than or equal to the upper bound'];
}

export const THRESHOLD_LAYERS = {
  Threshold: choice({
    options: [{ name: 'threshold', kind: 'float' }, { name: 'value', kind: 'float' }, inplace],
    repr: (options) =>
      `threshold=${pythonRepr(options.threshold!)}, value=${pythonRepr(options.value!)}${suffix(options)}`,
    trace(x, { threshold, value }, apply) {
      const below = apply('less_equal', [x, fill(apply, numberOf(threshold!))], {});
      return apply('where', [below, fill(apply, numberOf(value!)), x], {});
    },
  }),
  Hardshrink: choice({
    options: [float('lambd', 0.5)],
    repr: ({ lambd }) => pythonRepr(lambd!),
    trace(x, { lambd }, apply) {
      const bound = numberOf(lambd!);
      const above = apply('less_equal', [fill(apply, -bound), x], {});
      const below = apply('less_equal', [x, fill(apply, bound)], {});
      return apply('where', [apply('both', [above, below], {}), fill(apply, 0), x], {});
    },
  }),
  Softshrink: choice({
    options: [float('lambd', 0.5)],
    check: ({ lambd }) =>
      numberOf(lambd!) >= 0
        ? []
        : [`lambda must be in range [0, 3.40282e+38] for input dtype Float, but found ${numberOf(lambd!)}`],
    repr: ({ lambd }) => pythonRepr(lambd!),
    trace(x, { lambd }, apply) {
      const bound = numberOf(lambd!);
      const above = apply('less', [fill(apply, bound), x], {});
      const below = apply('less', [x, fill(apply, -bound)], {});
      const outside = apply('where', [below, scaled(apply, x, 1, bound), scaled(apply, x, 0, -0)], {});
      return apply('where', [above, scaled(apply, x, 1, -bound), outside], {});
    },
  }),
  Tanhshrink: choice({
    options: [],
    repr: () => '',
    trace: (x, _options, apply) => apply('sub', [x, apply('tanh', [x], {})], {}),
  }),
  RReLU: {
    options: [float('lower', 1 / 8), float('upper', 1 / 3), inplace],
    check: refuseRange,
    repr: (options) =>
      `lower=${pythonRepr(options.lower!)}, upper=${pythonRepr(options.upper!)}${suffix(options)}`,
    flow: () => ({ changes: 0 }),
    trace({ options }, x, { tracer, mode }: Trace) {
      const [lower, upper] = [numberOf(options.lower!), numberOf(options.upper!)];
      if (mode === 'eval') return tracer.apply('leaky_relu', [x], { a: (lower + upper) / 2 });
      const slopes = tracer.apply('rrelu_noise', [x, tracer.read(GENERATOR)], { lower, upper });
      return tracer.apply('mul', [x, slopes], {});
    },
  },
  PReLU: {
    options: [{ name: 'num_parameters', kind: 'int', minimum: 1, default: 1 }, float('init', 0.25)],
    parameters: ({ num_parameters: count, init }) => [
      {
        name: 'weight',
        kind: 'parameter',
        shape: [count as number],
        init: { name: 'constant', val: numberOf(init!) },
      },
    ],
    repr: ({ num_parameters: count }) => `num_parameters=${pythonRepr(count!)}`,
    flow: () => ({ changes: 0 }),
    trace({ options, parameters }, x, { tracer }) {
      const { apply } = tracer;
      const weight = tracer.read(parameters.get('weight'))!;
      const slopes = apply('mul', [x, perChannel(x, weight, options.num_parameters as number, apply)], {});
      return apply('where', [apply('less', [fill(apply, 0), x], {}), x, slopes], {});
    },
  },
  GLU: {
    options: [{ name: 'dim', kind: 'int', default: -1 }],
    repr: ({ dim }) => `dim=${pythonRepr(dim!)}`,
    trace({ options }, x, { tracer: { apply } }) {
      if (x.shape.length === 0) {
        throw new ShapeError('glu does not support scalars because halving size must be even');
      }
      const dim = dimension(options.dim as number, x.shape.length);
      const extent = x.shape[dim]!;
      if (extent % 2 !== 0) {
        throw new ShapeError(`Halving dimension must be even, but dimension ${dim} is size ${extent}`);
      }
      const half = (start: number): Value => apply('slice', [x], { dim, start, step: 1, count: extent / 2 });
      return apply('mul', [half(0), apply('sigmoid', [half(extent / 2)], {})], {});
    },
  },
} satisfies Record<string, LayerDefinition>;

/** One slope for all, or one for each channel: dimension 1. */
function perChannel(x: Value, weight: Value, count: number, apply: Apply): Value {
  if (count === 1) return x.shape.length === 0 ? apply('reshape', [weight], { shape: [] }) : weight;
  if (x.shape.length === 0) throw new ShapeError('Not allow zero-dim input tensor.');
  const channels = x.shape.length < 2 ? 1 : x.shape[1]!;
  if (channels !== count) {
    throw new ShapeError(
      `Mismatch of parameter numbers and input channel size. Found parameter numbers = ${count} and channel size = ${channels}.`,
    );
  }
  return apply('reshape', [weight], { shape: [count, ...x.shape.slice(2).map(() => 1)] });
}
