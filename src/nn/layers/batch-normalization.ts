// torch.nn.BatchNorm1d, 2d, 3d and InstanceNorm1d, 2d, 3d. With the statistics of the input they are trained (or run
// without running ones), with running ones they are applied. Sources: torch/nn/modules/batchnorm.py and instancenorm.py.

import { ShapeError } from '../../graph/op.js';
import { reshape } from '../../graph/broadcasting.js';
import { list } from '../../graph/requirements.js';
import type { Value } from '../../graph/tracer.js';
import { numel, type Shape } from '../../tensor/shape.js';
import type { LayerDefinition, OptionDefinition, ParameterDefinition, Trace } from '../layer.js';
import type { Module } from '../module.js';
import { numberOf, pythonRepr, type Options, type OptionValue } from '../options.js';
import { extent, flag, float, nullable } from './arguments.js';

type Dimensions = 1 | 2 | 3;

/** weight and bias, each registered as absent where it is not wanted. */
export function affineParameters(
  shape: Shape,
  { weight, bias }: { weight: boolean; bias: boolean },
): ParameterDefinition[] {
  return [
    { name: 'weight', kind: 'parameter', shape: weight ? shape : null, init: { name: 'ones' } },
    { name: 'bias', kind: 'parameter', shape: weight && bias ? shape : null, init: { name: 'zeros' } },
  ];
}

/** The arguments of _NormBase; batch and instance normalisation differ in two defaults. */
function options(affine: boolean, track: boolean): OptionDefinition[] {
  return [
    extent('num_features'),
    float('eps', 1e-5),
    nullable(float('momentum', 0.1), 0.1),
    flag('affine', affine),
    flag('track_running_stats', track),
    flag('bias', true),
  ];
}

function parameters({ num_features, affine, track_running_stats, bias }: Options): ParameterDefinition[] {
  const shape = [num_features as number];
  const tracked = track_running_stats === true;
  return [
    ...affineParameters(shape, { weight: affine === true, bias: bias === true }),
    { name: 'running_mean', kind: 'buffer', shape: tracked ? shape : null, init: { name: 'zeros' } },
    { name: 'running_var', kind: 'buffer', shape: tracked ? shape : null, init: { name: 'ones' } },
    {
      name: 'num_batches_tracked',
      kind: 'buffer',
      shape: tracked ? [] : null,
      dtype: 'int64',
      init: { name: 'zeros' },
    },
  ];
}

const repr = ({ num_features, eps, momentum, affine, bias, track_running_stats }: Options): string =>
  `${pythonRepr(num_features!)}, eps=${pythonRepr(eps!)}, momentum=${pythonRepr(momentum!)}, ` +
  `affine=${pythonRepr(affine!)}, bias=${pythonRepr(affine === true && bias === true)}, ` +
  `track_running_stats=${pythonRepr(track_running_stats!)}`;

function nonNegative(eps: OptionValue): string[] {
  return numberOf(eps) < 0 ? [`batch_norm eps must be non-negative, but got ${pythonRepr(eps)}`] : [];
}

function requireRank({ shape }: Value, ranks: readonly number[]): void {
  if (ranks.includes(shape.length)) return;
  const wanted = ranks.map((rank) => `${rank}D`).join(' or ');
  throw new ShapeError(`expected ${wanted} input (got ${shape.length}D input)`);
}

/** PyTorch names the first that does not fit. */
function requireChannels(module: Module, channels: number): void {
  const features = module.options.num_features as number;
  const names = ['running_mean', 'running_var', 'weight', 'bias'];
  const name = names.find((candidate) => module.parameters.get(candidate));
  if (name !== undefined && channels !== features) {
    throw new ShapeError(`${name} should contain ${channels} elements not ${features}`);
  }
}

function batchNorm(dims: Dimensions): LayerDefinition {
  const ranks = dims === 1 ? [2, 3] : [dims + 2];
  return {
    options: options(true, true),
    check: ({ eps }) => nonNegative(eps!),
    parameters,
    trace: (module, x, trace) => {
      requireRank(x, ranks);
      const batch = trace.mode === 'train' || module.options.track_running_stats !== true;
      const [n, channels, ...rest] = x.shape as [number, number, ...number[]];
      if (batch && n * numel(rest) === 1) {
        const size = `torch.Size(${list(x.shape)})`;
        throw new ShapeError(`Expected more than 1 value per channel when training, got input size ${size}`);
      }
      requireChannels(module, channels);
      return batch ? withOwnStatistics(module, x, trace) : withRunningStatistics(module, x, trace);
    },
    // BatchNorm1d takes [n, c, l] and [n, c]: the channels' axis is the last but one if anything is known of it.
    flow: ({ num_features }) => ({
      takes: {
        axes: dims === 1 ? [-2, -1] : [-1 - dims],
        extent: num_features as number,
        of: dims === 1 ? 'features' : 'channels',
      },
      changes: 0,
    }),
    repr,
  };
}

function withRunningStatistics({ parameters: own, options: { eps } }: Module, x: Value, { tracer }: Trace) {
  const names = ['running_mean', 'running_var', 'weight', 'bias'];
  const inputs = [x, ...names.map((name) => tracer.read(own.get(name)))];
  return tracer.apply('batch_norm', inputs, { eps: numberOf(eps!), batch: false });
}

/** In train mode the running statistics move towards those of the input. */
function withOwnStatistics(module: Module, x: Value, trace: Trace): Value {
  const { tracer, mode } = trace;
  const [weight, bias] = ['weight', 'bias'].map((name) => tracer.read(module.parameters.get(name)));
  // An empty batch has no statistics; PyTorch leaves the running ones as they are.
  if (numel(x.shape) === 0) return tracer.apply('channel_affine', [x, weight!, bias!], {});
  const mean = tracer.apply('channel_sum', [x], { mean: true });
  const variance = tracer.apply('channel_variance', [x, mean], {});
  if (mode === 'train' && module.options.track_running_stats === true) {
    const counted = module.parameters.get('num_batches_tracked')!;
    tracer.update(counted, tracer.apply('increment', [tracer.read(counted)], {}));
    track(module, { mean, variance }, { values: numel(x.shape) / x.shape[1]!, trace });
  }
  const eps = numberOf(module.options.eps!);
  return tracer.apply('batch_norm', [x, mean, variance, weight!, bias!], { eps, batch: true });
}

interface Statistics {
  readonly mean: Value;
  /** Biased. */
  readonly variance: Value;
}

/** Moves the running statistics; `values`: how many each of the fresh ones is of. */
function track(
  { parameters: own, options: { momentum } }: Module,
  { mean, variance }: Statistics,
  { values, trace: { tracer }, cumulative = true }: { values: number; trace: Trace; cumulative?: boolean },
): void {
  const factor = momentum !== null ? numberOf(momentum!) : cumulative ? null : 0;
  const count = factor === null ? tracer.read(own.get('num_batches_tracked')) : null;
  const move = (name: string, statistic: Value, scale: number): void => {
    const parameter = own.get(name)!;
    const inputs = [statistic, tracer.read(parameter), count];
    tracer.update(parameter, tracer.apply('running_average', inputs, { factor, scale }));
  };
  move('running_mean', mean, 1);
  move('running_var', variance, values / (values - 1));
}

function instanceNorm(dims: Dimensions): LayerDefinition {
  const withoutBatch = dims + 1;
  return {
    options: options(false, false),
    check: ({ eps }) => nonNegative(eps!),
    parameters,
    trace: (module, x, trace) => {
      requireRank(x, [withoutBatch, withoutBatch + 1]);
      const { num_features, affine } = module.options;
      const dim = x.shape.length - withoutBatch;
      if (affine === true && x.shape[dim] !== num_features) {
        throw new ShapeError(
          `expected input's size at dim=${dim} to match num_features (${num_features as number}), ` +
            `but got: ${x.shape[dim]}.`,
        );
      }
      if (dim === 1) return instances(module, x, trace);
      const one = reshape(trace.tracer.apply, x, [1, ...x.shape]);
      return reshape(trace.tracer.apply, instances(module, one, trace), x.shape);
    },
    flow: ({ num_features, affine }) => ({
      ...(affine === true && {
        takes: { axes: [-1 - dims], extent: num_features as number, of: 'channels' },
      }),
      changes: 0,
    }),
    repr,
  };
}

/** x[n, c, ...]: each of the n · c is a row of its own. */
function instances(module: Module, x: Value, trace: Trace): Value {
  const { tracer, mode } = trace;
  const [n, c, ...inner] = x.shape as [number, number, ...number[]];
  const tracked = module.options.track_running_stats === true;
  const own = mode === 'train' || !tracked;
  if (own && numel(inner) === 1) {
    const size = `torch.Size(${list(x.shape)})`;
    throw new ShapeError(`Expected more than 1 spatial element when training, got input size ${size}`);
  }
  if (tracked && c !== module.options.num_features) {
    const features = n * (module.options.num_features as number);
    throw new ShapeError(`running_mean should contain ${n * c} elements not ${features}`);
  }
  if (!own) return withRunningStatistics(module, x, trace);
  if (mode === 'train' && tracked && numel(x.shape) > 0) trackInstances(module, x, trace);
  const eps = numberOf(module.options.eps!);
  const normal = tracer.apply('layer_norm', [x, null, null], { normalizedShape: inner, eps });
  return affine(module, normal, trace);
}

/** The mean of the instances' statistics counts; num_batches_tracked is not kept up by PyTorch either. */
function trackInstances(module: Module, x: Value, trace: Trace): void {
  const { apply } = trace.tracer;
  const [n, c, ...inner] = x.shape as [number, number, ...number[]];
  const flat = reshape(apply, x, [1, n * c, ...inner]);
  const mean = apply('channel_sum', [flat], { mean: true });
  const variance = apply('channel_variance', [flat, mean], {});
  const averaged = (value: Value): Value =>
    apply('channel_sum', [reshape(apply, value, [n, c])], { mean: true });
  track(
    module,
    { mean: averaged(mean), variance: averaged(variance) },
    { values: numel(inner), trace, cumulative: false },
  );
}

/** Times the weight, plus the bias of each channel, where the module has them. */
export function affine({ parameters: own }: Module, x: Value, { tracer }: Trace): Value {
  const [weight, bias] = ['weight', 'bias'].map((name) => tracer.read(own.get(name)));
  return (weight ?? bias) ? tracer.apply('channel_affine', [x, weight!, bias!], {}) : x;
}

export const BATCH_NORMALIZATION_LAYERS = {
  BatchNorm1d: batchNorm(1),
  BatchNorm2d: batchNorm(2),
  BatchNorm3d: batchNorm(3),
  InstanceNorm1d: instanceNorm(1),
  InstanceNorm2d: instanceNorm(2),
  InstanceNorm3d: instanceNorm(3),
};
