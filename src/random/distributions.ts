// PyTorch's CPU distributions, drawn in PyTorch's order from its generator, so that mixed sequences go on as there.
// Each fills the whole of `out`, which may lie in shared memory. Wrong arguments are RangeErrors in PyTorch's words;
// the `...Fault` functions tell the same without drawing.

import type { Generator } from './generator.js';
import { normalFill16 } from './normal-fill.js';

export const MAX_FLOAT32 = 2 ** 128 - 2 ** 104;

/** Below this length PyTorch draws normals one by one, in double precision. */
const FILL = 16;

/** What PyTorch's uniform_ says of its bounds, or undefined. */
export function uniformFault({ a, b }: { a: number; b: number }): string | undefined {
  if (!(Math.abs(a) <= MAX_FLOAT32)) return 'from is out of bounds for float';
  if (!(Math.abs(b) <= MAX_FLOAT32)) return 'to is out of bounds for float';
  if (!(a <= b)) return `uniform_ expects to return a [from, to) range, but found from=${a} > to=${b}`;
  if (!(b - a <= MAX_FLOAT32)) {
    return (
      `uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=${b} and from=${a} ` +
      'which result in to-from to exceed the limit'
    );
  }
  return undefined;
}

/** What PyTorch's normal_ says of its spread, or undefined. */
export function normalFault({ std }: { std: number }): string | undefined {
  return std >= 0 ? undefined : `normal expects std >= 0.0, but found std ${std}`;
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new RangeError(fault);
}

/** Tensor.uniform_(a, b), and torch.rand with the defaults: [a, b). */
export function uniform(generator: Generator, out: Float32Array, { a = 0, b = 1 } = {}): void {
  refuse(uniformFault({ a, b }));
  const from = Math.fround(a);
  const to = Math.fround(b);
  const width = Math.fround(to - from);
  for (let i = 0; i < out.length; i++) {
    const value = Math.fround(generator.random24() * width + from);
    out[i] = value === to ? from : value;
  }
}

/** Tensor.normal_(mean, std), and torch.randn with the defaults. */
export function normal(generator: Generator, out: Float32Array, { mean = 0, std = 1 } = {}): void {
  refuse(normalFault({ std }));
  const n = out.length;
  if (n < FILL) {
    for (let i = 0; i < n; i++) out[i] = generator.standardNormal() * std + mean;
    return;
  }
  const floatMean = Math.fround(mean);
  const floatStd = Math.fround(std);
  for (let i = 0; i < n; i++) out[i] = generator.random24();
  for (let i = 0; i + FILL <= n; i += FILL) normalFill16(out, i, floatMean, floatStd);
  if (n % FILL === 0) return;
  // The last sixteen are drawn again, those that were filled already included.
  for (let i = n - FILL; i < n; i++) out[i] = generator.random24();
  normalFill16(out, n - FILL, floatMean, floatStd);
}

/** Tensor.bernoulli_(p): 1 with probability p, else 0. */
export function bernoulli(generator: Generator, out: Float32Array, { p = 0.5 } = {}): void {
  if (!(p >= 0 && p <= 1)) refuse(`bernoulli_ expects p to be in [0, 1], but got p=${p}`);
  for (let i = 0; i < out.length; i++) out[i] = generator.random53() < p ? 1 : 0;
}

/** torch.randperm(n). PyTorch goes another way from 2^32 / 20 elements on, and those are refused. */
export function randperm(generator: Generator, n: number): Uint32Array {
  if (!(n < (2 ** 32 - 1) / 20)) throw new RangeError(`randperm of ${n} elements is too long`);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (generator.random() % (n - i));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** torch.randint(low, high, ...): integers from low to high - 1, for safe integers. */
export function randint(
  generator: Generator,
  out: BigInt64Array,
  range: { low?: number; high: number },
): void {
  const { low = 0, high } = range;
  if (!(low < high)) {
    throw new RangeError(`random_ expects 'from' to be less than 'to', but got from=${low} >= to=${high}`);
  }
  const base = BigInt(low);
  const width = BigInt(high) - base;
  // From 2^28 on one 32-bit word would favour the low values too much.
  const wide = width >= 2n ** 28n;
  for (let i = 0; i < out.length; i++) {
    const word = wide ? generator.random64() : BigInt(generator.random());
    out[i] = (word % width) + base;
  }
}
