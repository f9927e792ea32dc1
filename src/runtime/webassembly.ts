// The kernels as WebAssembly: compiled once, cloned to the workers, instantiated on a memory.

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

/** Node 20 has relaxed SIMD behind a flag, which works until the first compile. */
export function compileKernels(): WebAssembly.Module {
  if (!compiled) {
    if (!WebAssembly.validate(RELAXED_PROBE)) setFlagsFromString('--experimental-wasm-relaxed-simd');
    compiled = new WebAssembly.Module(readFileSync(FILE));
  }
  return compiled;
}

export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  return new WebAssembly.Instance(module, { env: { memory, abort } }).exports as unknown as Kernels;
}
