// Convolutions with few output positions: what each position meets is a row, and the product with the weight's panels
// reads the weight once, as fast as memory is. Each output is the same chain of sums as in the kernel `conv`.

import type { Kernels } from './kernels.js';

/**
 * As many positions, those of all images. Measured, in ms, by `conv` and so: 512 channels, 2 × 2, kernels of 3 × 3, one image
 * 0.98 and 0.22, eight 1.25 and 0.67; 128 channels, 8 × 8, one image 0.14 and 0.11. With 256 positions they are alike.
 */
const MAX_POSITIONS = 128;
/** With fewer outputs, copying what each position meets takes longer than the products. */
const MIN_OUTPUTS = 128;

const BYTES = 4;

export interface NarrowSizes {
  readonly batch: number;
  readonly ci: number;
  readonly h: number;
  readonly w: number;
  readonly co: number;
  readonly oh: number;
  readonly ow: number;
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  readonly pt: number;
  readonly pl: number;
  readonly dh: number;
  readonly dw: number;
  readonly groups: number;
}

export function isNarrow({ batch, co, oh, ow, groups }: NarrowSizes): boolean {
  return groups === 1 && co >= MIN_OUTPUTS && batch * oh * ow <= MAX_POSITIONS;
}

/** What each position meets, then the products, then where the kernel's elements find it. */
function room({ batch, ci, co, oh, ow, kh, kw }: NarrowSizes) {
  const [m, k] = [batch * oh * ow, ci * kh * kw];
  const made = BYTES * m * k;
  const taps = made + BYTES * m * co;
  return { m, k, made, taps, bytes: taps + BYTES * kh * kw };
}

export function narrowScratch(sizes: NarrowSizes): number {
  return room(sizes).bytes;
}

export interface NarrowCall {
  readonly x: number;
  readonly panels: number;
  readonly bias: number;
  readonly y: number;
  readonly scratch: number;
  readonly relu: number;
}

export function runNarrow(
  kernels: Kernels,
  sizes: NarrowSizes,
  { x, panels, bias, y, scratch, relu }: NarrowCall,
): void {
  const { batch, ci, h, w, co, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw } = sizes;
  const { m, k, made, taps } = room(sizes);
  const plane = oh * ow;
  // prettier-ignore
  kernels.windows(
    x, scratch, batch, ci * h * w, ci, h, w, oh, ow, kh, kw, sh, sw, pt, pl, dh, dw, scratch + taps,
  );
  kernels.linear(scratch, panels, bias, scratch + made, m, co, co, k, relu);
  kernels.scatter(scratch + made, y, batch, plane, co, co * plane, 1, plane);
}
