// Cross-correlation with zero padding, one chain of multiply-adds over (channel, kernel row, kernel column).

import type { Madd } from './madd.js';

/** Pairs are [vertical, horizontal]; padding is what stands above and left, and as much below and right. */
export interface ConvSizes {
  batch: number;
  ci: number;
  co: number;
  groups: number;
  input: [number, number];
  kernel: [number, number];
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
}

export function convOutput({ input, kernel, stride, padding, dilation }: ConvSizes): [number, number] {
  const extent = (d: 0 | 1): number =>
    Math.floor((input[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1;
  return [extent(0), extent(1)];
}

interface ConvArrays {
  x: Float32Array;
  weight: Float32Array;
  bias: Float32Array | null;
}

export function conv({ x, weight, bias }: ConvArrays, sizes: ConvSizes, madd: Madd): Float32Array {
  const { batch, ci, co, groups, kernel, stride, padding, dilation } = sizes;
  const [h, w] = sizes.input;
  const [oh, ow] = convOutput(sizes);
  const channels = ci / groups;
  const y: number[] = [];
  const at = (plane: number, row: number, column: number): number =>
    row < 0 || row >= h || column < 0 || column >= w ? 0 : x[(plane * h + row) * w + column]!;
  for (let image = 0; image < batch; image++) {
    for (let o = 0; o < co; o++) {
      const firstChannel = Math.floor(o / (co / groups)) * channels;
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          let acc = bias ? bias[o]! : 0;
          let k = o * channels * kernel[0] * kernel[1];
          for (let c = 0; c < channels; c++) {
            for (let ky = 0; ky < kernel[0]; ky++) {
              for (let kx = 0; kx < kernel[1]; kx++) {
                const row = i * stride[0] - padding[0] + ky * dilation[0];
                const column = j * stride[1] - padding[1] + kx * dilation[1];
                acc = madd(at(image * ci + firstChannel + c, row, column), weight[k++]!, acc);
              }
            }
          }
          y.push(acc);
        }
      }
    }
  }
  return Float32Array.from(y);
}
