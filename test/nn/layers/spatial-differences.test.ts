// Gradients of convolutions, pools, pads and upsampling against central differences along random directions.

import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { everyName } from '#src/nn/module.js';
import { numel } from '#src/tensor/shape.js';
import { noise } from '../../kernels/instance.js';
import { run, type Tensor } from './network.js';

const STEP = 1 / 64;

function tensor(shape: readonly number[], seed: number): Tensor {
  return { shape, dtype: 'float32', data: [...noise(numel(shape), seed)] };
}

function moved(x: Tensor, direction: Tensor, by: number): Tensor {
  return { ...x, data: x.data.map((value, i) => value + by * direction.data[i]!) };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('the derivative along a direction is the gradient times it, within 1e-3', () => {
  it.each<[string, readonly number[]]>([
    ['nn.Conv2d(3, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2))', [2, 3, 9, 8]],
    ['nn.Conv1d(4, 4, 3, groups=4, padding="same", padding_mode="circular")', [2, 4, 7]],
    ['nn.Conv3d(2, 3, 2, stride=(1, 2, 1), padding=1)', [2, 2, 3, 4, 3]],
    [
      'nn.ConvTranspose2d(3, 4, 3, stride=(2, 3), padding=1, output_padding=(1, 2), dilation=2)',
      [2, 3, 4, 3],
    ],
    ['nn.ConvTranspose1d(4, 6, 4, stride=3, groups=2)', [3, 4, 5]],
    ['nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)', [2, 2, 8, 7]],
    ['nn.AdaptiveAvgPool2d((3, 5))', [2, 2, 7, 4]],
    ['nn.ReflectionPad2d((2, 1, 0, 3))', [2, 2, 4, 5]],
    ['nn.ReplicationPad3d((1, 2, -1, 3, 0, 2))', [1, 2, 3, 4, 3]],
    ['nn.CircularPad1d((3, -1))', [2, 3, 5]],
    ['nn.Upsample(scale_factor=1.7, mode="bicubic")', [1, 2, 5, 4]],
    ['nn.Upsample(size=(7, 3), mode="bilinear", align_corners=True)', [2, 2, 4, 5]],
    ['nn.Upsample(scale_factor=2, mode="trilinear")', [1, 2, 2, 3, 2]],
    ['nn.PixelShuffle(2)', [2, 8, 3, 2]],
  ])('%s of %j', (architecture, shape) => {
    const { root } = readTree(architecture, { maxModules: 10, maxDepth: 5 });
    const names = everyName(root);
    const state = Object.fromEntries(names.map(({ path, value }, i) => [path, tensor(value.shape, i + 2)]));
    const x = tensor(shape, 1);
    const first = run({ architecture, state, inputs: [x] });
    const outputGrad = tensor(first.shape, 90);
    const { grads, inputGrads } = run({ architecture, state, inputs: [x], outputGrad });

    const along = [x, ...names.map(({ path }) => state[path]!)].map((of, i) => tensor(of.shape, 50 + i));
    const at = (by: number): number => {
      const [input, ...others] = along;
      const there = Object.fromEntries(
        names.map(({ path }, i) => [path, moved(state[path]!, others[i]!, by)]),
      );
      const given = { architecture, state: there, inputs: [moved(x, input!, by)] };
      return dot(run(given).output, outputGrad.data);
    };
    const gradients = [inputGrads[0]!, ...names.map(({ path }) => grads.get(path)!)];
    const derivative = gradients.reduce((sum, gradient, i) => sum + dot(gradient, along[i]!.data), 0);
    const size = gradients.reduce((sum, gradient) => sum + Math.hypot(...gradient), 0);
    expect(Math.abs((at(STEP) - at(-STEP)) / (2 * STEP) - derivative)).toBeLessThan(1e-3 * size);
  });
});
