// Transposed convolution as one chain for each output, over (channel, kernel row, kernel column) with the last row and
// column of the kernel first; the gradient of a convolution's weight as a plain sum in float64.

import type { ConvSizes } from './conv.js';
import type { Madd } from './madd.js';

export interface TransposeSizes extends ConvSizes {
  outputPadding: [number, number];
}

export function convTransposeOutput(sizes: TransposeSizes): [number, number] {
  const { input, kernel, stride, padding, outputPadding, dilation } = sizes;
  const extent = (d: 0 | 1): number =>
    (input[d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + outputPadding[d] + 1;
  return [extent(0), extent(1)];
}

/** weight[ci, co / groups, kh, kw] */
export function convTranspose(
  { x, weight, bias }: { x: Float32Array; weight: Float32Array; bias: Float32Array },
  sizes: TransposeSizes,
  madd: Madd,
): Float32Array {
  const { batch, ci, co, groups, input, kernel, stride, padding, dilation } = sizes;
  const [oh, ow] = convTransposeOutput(sizes);
  const [inputs, outputs] = [ci / groups, co / groups];
  /** The element of the input that meets element k of the kernel at output i: undefined where strides leave none. */
  const source = (d: 0 | 1, i: number, k: number): number | undefined => {
    const at = i + padding[d] - k * dilation[d];
    return at % stride[d] === 0 ? at / stride[d] : undefined;
  };
  const y: number[] = [];
  for (let image = 0; image < batch; image++) {
    for (let o = 0; o < co; o++) {
      const group = Math.floor(o / outputs);
      for (let i = 0; i < oh; i++) {
        for (let j = 0; j < ow; j++) {
          let acc = bias[o]!;
          for (let c = group * inputs; c < (group + 1) * inputs; c++) {
            for (let ky = kernel[0] - 1; ky >= 0; ky--) {
              for (let kx = kernel[1] - 1; kx >= 0; kx--) {
                const [row, column] = [source(0, i, ky), source(1, j, kx)];
                if (row === undefined || column === undefined) continue;
                const inside = row >= 0 && row < input[0] && column >= 0 && column < input[1];
                const value = inside ? x[((image * ci + c) * input[0] + row) * input[1] + column]! : 0;
                const at = ((c * outputs + (o % outputs)) * kernel[0] + ky) * kernel[1] + kx;
                acc = madd(value, weight[at]!, acc);
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

/** Of a convolution's weight[co, ci / groups, kh, kw]. */
export function weightGradient(x: Float32Array, gradient: Float32Array, sizes: ConvSizes): number[] {
  const { batch, ci, co, groups, input, kernel, stride, padding, dilation } = sizes;
  const [oh, ow] = ([0, 1] as const).map(
    (d) => Math.floor((input[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1,
  ) as [number, number];
  const [inputs, outputs] = [ci / groups, co / groups];
  const sums: number[] = [];
  for (let o = 0; o < co; o++) {
    for (let c = 0; c < inputs; c++) {
      for (let ky = 0; ky < kernel[0]; ky++) {
        for (let kx = 0; kx < kernel[1]; kx++) {
          let sum = 0;
          for (let image = 0; image < batch; image++) {
            const plane = (image * ci + Math.floor(o / outputs) * inputs + c) * input[0];
            for (let i = 0; i < oh; i++) {
              const row = i * stride[0] - padding[0] + ky * dilation[0];
              if (row < 0 || row >= input[0]) continue;
              for (let j = 0; j < ow; j++) {
                const column = j * stride[1] - padding[1] + kx * dilation[1];
                if (column < 0 || column >= input[1]) continue;
                sum +=
                  x[(plane + row) * input[1] + column]! * gradient[((image * co + o) * oh + i) * ow + j]!;
              }
            }
          }
          sums.push(sum);
        }
      }
    }
  }
  return sums;
}
