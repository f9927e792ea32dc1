// What the sides of bench/gemm are asked: y[m,n] = x[m,k] · w[n,k]ᵀ + bias[n] again and again, for so many seconds.

export interface ProductJob {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly threads: number;
  readonly seconds: number;
}

export interface ProductAnswer {
  /** Of one product; the best batch. */
  readonly seconds: number;
  /** Some of y, to see that all compute the same. */
  readonly sample: readonly number[];
  readonly version: string;
}

export const SEEDS = { x: 1, w: 2, bias: 3 };

export function sampleOf(y: ArrayLike<number>): number[] {
  return [0, 1, 2, 3].map((i) => y[Math.floor((i * (y.length - 1)) / 3)]!);
}
