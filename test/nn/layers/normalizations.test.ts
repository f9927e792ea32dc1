import { describe, expect, it } from 'vitest';
import { Tracer } from '#src/graph/tracer.js';
import type { Mode } from '#src/nn/layer.js';
import { traceModule } from '#src/nn/trace.js';
import { readTree } from '#src/models/edit-structure.js';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('normalisations, forward, backward and running statistics', () => {
  itMatchesPyTorch(casesOf('normalizations'));
});

describe('normalisations refuse, in the words of PyTorch,', () => {
  const trace = (architecture: object, shape: number[], mode: Mode) => {
    const { root } = readTree(architecture, { maxModules: 10, maxDepth: 5 });
    const tracer = new Tracer();
    return () => traceModule(tracer, root, tracer.input({ shape, dtype: 'float32' }), { mode });
  };
  const batch = (options: object = {}) => ({ type: 'BatchNorm1d', num_features: 3, ...options });
  const instance = (options: object = {}) => ({ type: 'InstanceNorm1d', num_features: 3, ...options });
  const group = { type: 'GroupNorm', num_groups: 2, num_channels: 4 };
  const more = 'Expected more than 1 value per channel when training, got input size';
  it.each([
    [batch(), [1, 3], 'train', `${more} torch.Size([1, 3])`],
    [batch({ track_running_stats: false }), [1, 3], 'eval', `${more} torch.Size([1, 3])`],
    [batch(), [2, 4], 'train', 'running_mean should contain 4 elements not 3'],
    [batch(), [2, 4], 'eval', 'running_mean should contain 4 elements not 3'],
    [batch({ track_running_stats: false }), [2, 4], 'train', 'weight should contain 4 elements not 3'],
    [{ ...batch(), type: 'BatchNorm3d' }, [2, 3], 'train', 'expected 5D input (got 2D input)'],
    [instance(), [2, 3, 1], 'eval', 'Expected more than 1 spatial element when training, got input size torch.Size([2, 3, 1])'],
    [instance({ affine: true }), [4, 5], 'eval', "expected input's size at dim=0 to match num_features (3), but got: 4."],
    [instance({ track_running_stats: true }), [2, 4, 5], 'eval', 'running_mean should contain 8 elements not 6'],
    [instance(), [3], 'eval', 'expected 2D or 3D input (got 1D input)'],
    [group, [2, 6], 'eval', 'Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape [4] and input of shape [2, 6]'],
    [group, [2, 5], 'eval', 'Expected number of channels in input to be divisible by num_groups, but got input of shape [2, 5] and num_groups=2'],
    [group, [4], 'eval', 'Expected at least 2 dimensions for input tensor but received 1'],
    [group, [1, 2], 'eval', `${more} [1, 2]`],
    [{ type: 'RMSNorm', normalized_shape: 3 }, [4], 'eval', 'Given normalized_shape=[3], expected input with shape [*3], but got input of size[4]'],
    [{ type: 'RMSNorm', normalized_shape: [2, 3] }, [3], 'eval', 'Input tensor must have at least 2 dimensions, but got 1'],
  ] as const)('%j of %j in %s mode', (architecture, shape, mode, message) => {
    expect(trace(architecture, [...shape], mode)).toThrow(message);
  }); // prettier-ignore

  it('but take what has no statistics and no parameters to disagree with', () => {
    expect(trace(batch({ track_running_stats: false, affine: false }), [2, 4], 'train')().shape).toEqual([
      2, 4,
    ]);
    expect(trace(instance(), [2, 4, 5], 'train')().shape).toEqual([2, 4, 5]);
    expect(trace(batch(), [0, 3], 'train')().shape).toEqual([0, 3]);
  });
});
