// What the sides of bench/gemm are asked: y[m,n] = x[m,k] · w[n,k]ᵀ + bias[n] again and again, for so many seconds.

export interface ProductJob {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly threads: number;
  readonly seconds: number;
}

export const SEEDS = { x: 1, w: 2, bias: 3 };
