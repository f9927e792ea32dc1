// y[m,n] = x[m,k] · w[n,k]ᵀ + bias[n], one chain of multiply-adds for each output.

import type { Madd } from './madd.js';

interface Linear {
  x: Float32Array;
  w: Float32Array;
  bias: Float32Array | null;
  m: number;
  n: number;
  k: number;
}

export function linear({ x, w, bias, m, n, k }: Linear, madd: Madd): Float32Array {
  const y = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let acc = bias ? bias[j]! : 0;
      for (let l = 0; l < k; l++) acc = madd(x[i * k + l]!, w[j * k + l]!, acc);
      y[i * n + j] = acc;
    }
  }
  return y;
}
