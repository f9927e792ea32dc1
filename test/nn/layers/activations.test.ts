import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { traceModule } from '#src/nn/trace.js';
import { Tracer } from '#src/graph/tracer.js';
import { casesOf, itMatchesPyTorch } from './cases.js';

describe('activations, forward and backward', () => {
  itMatchesPyTorch(casesOf('activations'));
});

describe('activations refuse, in the words of PyTorch,', () => {
  it.each([
    [{ type: 'Softmax2d' }, [2, 4], 'Softmax2d: expected input to be 3D or 4D, got 2D instead'],
    [{ type: 'GLU' }, [3], 'Halving dimension must be even, but dimension 0 is size 3'],
    [{ type: 'GLU', dim: 5 }, [4], 'Dimension out of range (expected to be in range of [-1, 0], but got 5)'],
    [{ type: 'GLU' }, [], 'glu does not support scalars because halving size must be even'],
    [{ type: 'PReLU', num_parameters: 3 }, [2, 4], 'Found parameter numbers = 3 and channel size = 4.'],
    [{ type: 'PReLU', num_parameters: 3 }, [3], 'Found parameter numbers = 3 and channel size = 1.'],
    [{ type: 'PReLU', num_parameters: 3 }, [], 'Not allow zero-dim input tensor.'],
  ] as const)('%j of %j', (architecture, shape, message) => {
    const { root } = readTree(architecture, { maxModules: 10, maxDepth: 5 });
    const tracer = new Tracer();
    const x = tracer.input({ shape, dtype: 'float32' });
    expect(() => traceModule(tracer, root, x, { mode: 'eval' })).toThrow(message);
  });

  it.each([
    [{ type: 'Softshrink', lambd: -1 }, 'lambda must be in range'],
    [
      { type: 'RReLU', lower: 0.5, upper: 0.1 },
      'Lower bound should be less than or equal to the upper bound',
    ],
  ])('%j at all', (architecture, message) => {
    expect(() => readTree(architecture, { maxModules: 10, maxDepth: 5 })).toThrow(message);
  });
});
