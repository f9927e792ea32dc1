// Loads the compiled kernels and binds them to a memory. The module is compiled once and cloned to the workers.

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { Kernels } from '../graph/kernels.js';

const FILE = new URL('../../kernels.wasm', import.meta.url);

// The smallest module with a relaxed-SIMD instruction: f32x4.relaxed_madd of three zeros, dropped.
const RELAXED_PROBE = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  4,
  1,
  96,
  0,
  0,
  3,
  2,
  1,
  0,
  10,
  20,
  1,
  18,
  0,
  65,
  0,
  253,
  17,
  65,
  0,
  253,
  17,
  65,
  0,
  253,
  17,
  253,
  133,
  2,
  26,
  11,
);

let compiled: WebAssembly.Module | undefined;

/** The compiled kernels. Node 20 has relaxed SIMD behind a flag, which works until the first compile. */
export function kernelModule(): WebAssembly.Module {
  if (!compiled) {
    if (!WebAssembly.validate(RELAXED_PROBE)) setFlagsFromString('--experimental-wasm-relaxed-simd');
    compiled = new WebAssembly.Module(readFileSync(FILE));
  }
  return compiled;
}

export function bindKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  return new WebAssembly.Instance(module, { env: { memory, abort } }).exports as unknown as Kernels;
}

let unplaced: Kernels | undefined;

/** The kernels on a memory of their own that holds nothing: for what they say of themselves (sizes, rounding). */
export function unplacedKernels(): Kernels {
  const empty = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  return (unplaced ??= bindKernels(kernelModule(), empty()));
}
