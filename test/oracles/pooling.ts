// PyTorch's pools over one plane, in float64; windows as in ATen's cpu_max_pool, cpu_avg_pool2d, adaptive pools.

/** Pairs are [vertical, horizontal]. */
export interface PoolSizes {
  input: [number, number];
  output: [number, number];
  kernel: [number, number];
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);

/** torch.nn's rule: a window of ceil_mode must start inside the input or the padding above and left of it. */
export function poolOutput(sizes: Omit<PoolSizes, 'output'>, ceilMode: boolean): [number, number] {
  const extent = (d: 0 | 1): number => {
    const span = sizes.input[d] + 2 * sizes.padding[d] - sizes.dilation[d] * (sizes.kernel[d] - 1) - 1;
    if (!ceilMode) return Math.floor(span / sizes.stride[d]) + 1;
    const n = Math.ceil(span / sizes.stride[d]) + 1;
    return (n - 1) * sizes.stride[d] >= sizes.input[d] + sizes.padding[d] ? n - 1 : n;
  };
  return [extent(0), extent(1)];
}

export function maxPool(x: Float32Array, sizes: PoolSizes): number[] {
  const { input, output, kernel, stride, padding, dilation } = sizes;
  return range(0, output[0]).flatMap((i) =>
    range(0, output[1]).map((j) => {
      let largest = -Infinity;
      for (const ky of range(0, kernel[0])) {
        for (const kx of range(0, kernel[1])) {
          const row = i * stride[0] - padding[0] + ky * dilation[0];
          const column = j * stride[1] - padding[1] + kx * dilation[1];
          if (row < 0 || row >= input[0] || column < 0 || column >= input[1]) continue;
          const value = x[row * input[1] + column]!;
          if (value > largest || Number.isNaN(value)) largest = value;
        }
      }
      return largest;
    }),
  );
}

function sum(x: Float32Array, width: number, rows: number[], columns: number[]): number {
  return rows.flatMap((row) => columns.map((column) => x[row * width + column]!)).reduce((a, b) => a + b, 0);
}

interface AvgOptions {
  countIncludePad: boolean;
  divisor: number | null;
}

export function avgPool(
  x: Float32Array,
  sizes: PoolSizes,
  { countIncludePad, divisor }: AvgOptions,
): number[] {
  const window = (d: 0 | 1, i: number): { padded: number; inside: number[] } => {
    const start = i * sizes.stride[d] - sizes.padding[d];
    const end = Math.min(start + sizes.kernel[d], sizes.input[d] + sizes.padding[d]);
    return { padded: end - start, inside: range(Math.max(start, 0), Math.min(end, sizes.input[d])) };
  };
  return range(0, sizes.output[0]).flatMap((i) =>
    range(0, sizes.output[1]).map((j) => {
      const rows = window(0, i);
      const columns = window(1, j);
      const counted = rows.inside.length * columns.inside.length;
      if (counted === 0) return 0;
      const size = divisor ?? (countIncludePad ? rows.padded * columns.padded : counted);
      return sum(x, sizes.input[1], rows.inside, columns.inside) / size;
    }),
  );
}

export function adaptiveAvgPool(
  x: Float32Array,
  [h, w]: [number, number],
  [oh, ow]: [number, number],
): number[] {
  const window = (i: number, extent: number, n: number): number[] =>
    range(Math.floor((i * extent) / n), Math.ceil(((i + 1) * extent) / n));
  return range(0, oh).flatMap((i) =>
    range(0, ow).map((j) => {
      const rows = window(i, h, oh);
      const columns = window(j, w, ow);
      return sum(x, w, rows, columns) / (rows.length * columns.length);
    }),
  );
}
