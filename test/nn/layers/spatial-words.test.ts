// What PyTorch 2.13 says of inputs that convolutions, pools, pads and upsampling cannot take.

import { describe, expect, it } from 'vitest';
import { ShapeError } from '#src/graph/op.js';
import { Tracer } from '#src/graph/tracer.js';
import { readTree } from '#src/models/edit-structure.js';
import { traceModule } from '#src/nn/trace.js';
import type { DType } from '#src/tensor/dtype.js';

function trace(architecture: string, shape: readonly number[], dtype: DType = 'float32') {
  const { root } = readTree(architecture, { maxModules: 10, maxDepth: 5 });
  const tracer = new Tracer();
  return traceModule(tracer, root, tracer.input({ shape, dtype }));
}

const RANKS =
  '\nSupported combinations for non-constant padding:\n' +
  '  - 2D or 3D input: padding size = 2 (pads last dimension)\n' +
  '  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n' +
  '  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)';

describe('an input that does not fit is refused in the words of PyTorch', () => {
  it.each<[string, readonly number[], string]>([
    [
      'Conv3d(2, 4, 3)',
      [2, 4, 4],
      'Expected 4D (unbatched) or 5D (batched) input to conv3d, but got input of size: [2, 4, 4]',
    ],
    [
      'Conv3d(2, 4, 3)',
      [3, 4, 4, 4],
      'Given groups=1, weight of size [4, 2, 3, 3, 3], expected input[1, 3, 4, 4, 4] to have 2 channels, but got 3 channels instead',
    ],
    [
      'Conv3d(2, 4, 3)',
      [1, 2, 4, 2, 4],
      "Calculated padded input size per channel: (4 x 2 x 4). Kernel size: (3 x 3 x 3). Kernel size can't be greater than actual input size",
    ],
    [
      'Conv1d(2, 3, 3, padding=4, padding_mode="reflect")',
      [2, 4],
      'Argument #4: Padding size should be less than the corresponding input dimension, but got: padding (4, 4) at dimension 1 of input [2, 4]',
    ],
    [
      'Conv1d(2, 3, 3, padding=4, padding_mode="circular")',
      [1, 3, 4],
      'Given groups=1, weight of size [3, 2, 3], expected input[1, 3, 12] to have 2 channels, but got 3 channels instead',
    ],
    [
      'Conv1d(2, 3, 3, padding=1, padding_mode="replicate")',
      [1, 2, 3, 4],
      `Padding size 2 is not supported for 4D input tensor.${RANKS}`,
    ],
    [
      'ConvTranspose1d(2, 3, 2)',
      [3, 2, 4, 4],
      'Expected 2D (unbatched) or 3D (batched) input to conv_transpose1d, but got input of size: [3, 2, 4, 4]',
    ],
    [
      'ConvTranspose2d(2, 3, 2)',
      [3, 4, 4],
      'Given transposed=1, weight of size [2, 3, 2, 2], expected input[1, 3, 4, 4] to have 2 channels, but got 3 channels instead',
    ],
    [
      'ConvTranspose1d(2, 3, 2)',
      [1, 2, 0],
      'Only zero batch or zero channel inputs are supported, but got input shape: [1, 2, 1, 0]',
    ],
    [
      'ConvTranspose1d(2, 3, 2, padding=3)',
      [1, 2, 2],
      'Given input size per channel: (1 x 2). Calculated output size per channel: (1 x -3). Output size is too small',
    ],
    [
      'ConvTranspose2d(2, 3, 3, stride=(3, 2), output_padding=2)',
      [1, 2, 4, 4],
      'output padding must be smaller than either stride or dilation, but got output_padding_height: 2 output_padding_width: 2 stride_height: 3 stride_width: 2 dilation_height: 1 dilation_width: 1',
    ],
    ['AdaptiveAvgPool2d(2)', [4, 4], 'adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [4, 4]'],
    ['AdaptiveAvgPool2d((None, 2))', [4, 4], 'Input dimension should be at least 3'],
    [
      'AdaptiveAvgPool1d(2)',
      [2, 3, 0],
      'adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has sizes [2, 3, 1, 0] with dimension 3 being empty',
    ],
    [
      'AdaptiveMaxPool2d(2)',
      [2, 0, 4, 4],
      'adaptive_max_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has sizes [2, 0, 4, 4] with dimension 1 being empty',
    ],
    [
      'AdaptiveMaxPool1d(2)',
      [4],
      "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking arguments for adaptive_max_pool1d)",
    ],
    ['ReflectionPad1d(1)', [4], `Padding size 2 is not supported for 1D input tensor.${RANKS}`],
    [
      'ReflectionPad3d(1)',
      [2, 4],
      'Padding length should be less than or equal to two times the input dimension but got padding length 6 and input of dimension 2',
    ],
    [
      'ReflectionPad3d(4)',
      [2, 3, 4, 5, 6],
      'Argument #8: Padding size should be less than the corresponding input dimension, but got: padding (4, 4) at dimension 2 of input [2, 3, 4, 5, 6]',
    ],
    ['ReflectionPad1d(-3)', [2, 3, 4], 'input (W: 4) is too small. Calculated output W: -2'],
    ['ReflectionPad2d(-3)', [2, 3, 4, 5], 'input (H: 4, W: 5) is too small. Calculated output H: -2 W: -1'],
    [
      'ReplicationPad3d(-3)',
      [2, 3, 4, 5, 6],
      'input (D: 4 H: 5, W: 6) is too small. Calculated output D: -2 H: -1 W: 0',
    ],
    [
      'ReplicationPad2d(1)',
      [2, 0, 4, 5],
      'Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: [2, 0, 4, 5]',
    ],
    ['CircularPad1d(1)', [2, 3, 4, 4], 'expected 2D or 3D input (got 4D input)'],
    ['CircularPad2d(7)', [2, 3, 4, 5], 'Padding value causes wrapping around more than once.'],
    ['CircularPad1d(-3)', [2, 3, 4], 'Negative padding value is resulting in an empty dimension'],
    ['ConstantPad2d(-3, 1)', [2, 3, 4, 5], 'narrow(): length must be non-negative.'],
    [
      'Upsample(2)',
      [3, 4],
      'Input Error: Only 3D, 4D and 5D input Tensors supported (got 2D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got nearest)',
    ],
    [
      'Upsample(scale_factor=2, mode="bilinear")',
      [2, 3, 4],
      'Got 3D input, but bilinear mode needs 4D input',
    ],
    [
      'Upsample((2, 3))',
      [2, 3, 4],
      'Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of [4] and output size of (2, 3). Please provide input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format.',
    ],
    [
      'Upsample(scale_factor=(2, 1.5))',
      [2, 3, 4, 5, 6],
      'Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of [4, 5, 6] and scale_factor of shape (2.0, 1.5). Please provide input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.',
    ],
    [
      'Upsample(scale_factor=0.1)',
      [2, 3, 4],
      'Input and output sizes should be greater than 0, but got input (W: 4) and output (W: 0)',
    ],
    [
      'Upsample(2)',
      [2, 0, 4, 5],
      'Non-empty 4D data tensor expected but got a tensor with sizes [2, 0, 4, 5]',
    ],
    [
      'PixelShuffle(2)',
      [3, 4, 4],
      "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)=3 is not divisible by 4",
    ],
    [
      'PixelUnshuffle(2)',
      [4, 5, 4],
      'pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=5 is not divisible by 2',
    ],
    [
      'Unflatten(1, (4, -1))',
      [2, 6],
      "unflatten: Provided sizes [4, -1] don't multiply up to the size of dim 1 (6) in the input tensor",
    ],
    [
      'Unflatten(1, (-1, -1))',
      [2, 6],
      'unflatten got an unexpected error:\nonly one dimension can be inferred',
    ],
    ['Unflatten(1, ())', [2, 6], 'unflatten: sizes must be non-empty'],
  ])('%s of %j', (architecture, shape, words) => {
    expect(() => trace(architecture, shape)).toThrow(ShapeError);
    expect(() => trace(architecture, shape)).toThrow(new Error(words));
  });

  it.each([
    ['Conv3d(1, 1, 1)', [1, 1, 1, 1], 'Input type (long int) and bias type (float) should be the same'],
    ['ConvTranspose1d(1, 1, 1)', [1, 1, 1], 'expected scalar type Long but found Float'],
    ['AdaptiveMaxPool1d(1)', [1, 1, 1], '"adaptive_max_pool2d" not implemented for \'Long\''],
    [
      'Upsample(2, mode="linear")',
      [1, 1, 1],
      '"compute_indices_weights_linear" not implemented for \'Long\'',
    ],
  ])('%s of int64 %j', (architecture, shape, words) => {
    expect(() => trace(architecture, shape, 'int64')).toThrow(new Error(words));
  });
});
