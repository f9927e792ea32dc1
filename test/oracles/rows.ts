// What is done to one row, in float64: softmax, log_softmax, layer and batch normalisation.

/** Per feature; absent ones are null. */
interface Affine {
  weight: Float32Array | null;
  bias: Float32Array | null;
}

export function softmax(row: readonly number[]): number[] {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = row.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** log(sum) by log1p of all but one maximum, which keeps what is small. */
export function logSoftmax(row: readonly number[]): number[] {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const at = row.indexOf(largest);
  const rest = row.reduce((sum, value, i) => (i === at ? sum : sum + Math.exp(value - largest)), 0);
  return row.map((value) => value - largest - Math.log1p(rest));
}

export function layerNorm(row: readonly number[], { weight, bias }: Affine, eps: number): number[] {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  return row.map(
    (value, i) => ((value - mean) / Math.sqrt(variance + eps)) * (weight?.[i] ?? 1) + (bias?.[i] ?? 0),
  );
}

/** x[n,c,inner] → the same shape. */
export function batchNorm(
  x: Float32Array,
  [n, c, inner]: readonly [number, number, number],
  { mean, variance, weight, bias }: Affine & { mean: Float32Array; variance: Float32Array },
  eps: number,
): number[] {
  return Array.from({ length: n * c * inner }, (_, i) => {
    const channel = Math.floor(i / inner) % c;
    const normal = (x[i]! - mean[channel]!) / Math.sqrt(variance[channel]! + eps);
    return normal * (weight?.[channel] ?? 1) + (bias?.[channel] ?? 0);
  });
}
