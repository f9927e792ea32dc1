// What the tests of text share: numbers that look random and are always the same, and a memory to read and write in.

import type { Kernels } from '#src/graph/kernels.js';
import { bindKernels, kernelModule } from '#src/runtime/kernel-module.js';

/** xorshift32: whole numbers from 1 to 2^32 - 1. */
export function randomBits(seed: number): () => number {
  return () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
}

export const memory = new WebAssembly.Memory({ initial: 512, maximum: 1024, shared: true });
export const kernels: Kernels = bindKernels(kernelModule(), memory);
/** The first byte to be used. */
export const FIRST = 65_536;

const LISTS = FIRST;
const X = FIRST + 64;

/** The text of float32 numbers in one list. */
export function textOf(values: Float32Array): string {
  const out = X + values.byteLength;
  new Uint32Array(memory.buffer, LISTS, 1)[0] = values.length;
  new Float32Array(memory.buffer, X, values.length).set(values);
  const bytes = kernels.write_float32(X, LISTS, 1, 0, values.length, out);
  return Buffer.from(memory.buffer, out, bytes).toString('latin1');
}
