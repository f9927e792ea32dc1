// Statistics of tensors wherever they stand, on this thread: block by block they are copied into a small memory of its own,
// where the kernels read them while they are in the cache. Takes nothing of the shared memory, so that a full one can be
// looked at too.

import type { Kernels } from '../graph/kernels.js';
import { DTYPES, type DType } from '../tensor/dtype.js';
import { joined, NO_MOMENTS, type Moments } from '../tensor/statistics.js';
import { dtypeOf, type TensorData } from '../tensor/tensor-value.js';
import { copyStretch, type View } from '../tensor/view.js';
import { MAX_BINS } from '../tensor/bins.js';
import { viewAt } from './memory-view.js';
import { instantiateKernels } from './webassembly.js';

/** Elements of a block: what is summed within, in the kernels' order. */
export const BLOCK = 4096;

const PAGE = 65536;
const WIDEST = 8;

/** Which elements of a view, in row-major order. */
export interface Stretch {
  readonly view: View;
  readonly from: number;
  readonly to: number;
}

/** As the kernels write them. */
const MOMENTS = [
  'sum',
  'squares',
  'deviations',
  'min',
  'max',
  'least',
  'most',
  'nan',
  'infinity',
  'zeros',
] as const;

export class Surveyor {
  private readonly memory: WebAssembly.Memory;
  private readonly kernels: Kernels;
  private readonly block: number;
  private readonly out: Float64Array;
  private readonly edges: Float64Array;
  private readonly counts: Uint32Array;

  constructor(code: WebAssembly.Module) {
    this.memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    this.kernels = instantiateKernels(code, this.memory);
    // The kernels' constants end before the first page does.
    this.block = PAGE;
    const { buffer } = this.memory;
    let next = PAGE + BLOCK * WIDEST;
    this.out = new Float64Array(buffer, next, MOMENTS.length);
    next += this.out.byteLength;
    this.edges = new Float64Array(buffer, next, MAX_BINS + 1);
    next += this.edges.byteLength;
    this.counts = new Uint32Array(buffer, next, MAX_BINS);
  }

  moments(data: TensorData, stretch: Stretch): Moments {
    const kernel = this.kernels[`moments_${dtypeOf(data)}`];
    let all = NO_MOMENTS;
    this.forEachBlock(data, stretch, (count) => {
      kernel(this.block, count, this.out.byteOffset);
      const block = Object.fromEntries(MOMENTS.map((name, i) => [name, this.out[i]!]));
      all = joined(all, { count, ...block } as unknown as Moments);
    });
    return all;
  }

  /** How many elements are in each bin. `even`: the bins are of one width, but for rounding. */
  histogram(data: TensorData, stretch: Stretch, bins: { edges: readonly number[]; even: boolean }): number[] {
    const kernel = this.kernels[`histogram_${dtypeOf(data)}`];
    const length = bins.edges.length - 1;
    this.edges.set(bins.edges);
    const counts = this.counts.subarray(0, length).fill(0);
    this.forEachBlock(data, stretch, (count) => {
      kernel(this.block, count, this.edges.byteOffset, length, Number(bins.even), counts.byteOffset);
    });
    return [...counts];
  }

  private forEachBlock(data: TensorData, { view, from, to }: Stretch, visit: (count: number) => void): void {
    const dtype = dtypeOf(data);
    for (let at = from; at < to; at += BLOCK) {
      const count = Math.min(BLOCK, to - at);
      copyStretch(data, { view, from: at }, this.blockOf(count, dtype));
      visit(count);
    }
  }

  private blockOf(count: number, dtype: DType): TensorData {
    if (count * DTYPES[dtype].bytes > BLOCK * WIDEST) throw new RangeError('a block is too long');
    return viewAt(this.memory, this.block, count, dtype);
  }
}
