// The matrix product in C++ (native/), where it was built and the machine can run it: the functions of the kernels that
// it replaces, bound to a memory. Their bits are those of the WebAssembly kernels with fused multiply-add.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Kernels } from '../graph/kernels.js';

const FILE = new URL(`../../../native/build/${process.platform}-${process.arch}.node`, import.meta.url);

export type NativeKernels = Pick<
  Kernels,
  'pack' | 'linear' | 'conv' | 'conv_scratch' | 'recurrence' | 'softmax_rows'
>;

/** The instruction sets that native/ has tiles for. */
export const ENGINES = ['avx512', 'avx2', 'neon'] as const;
export type Engine = (typeof ENGINES)[number];

interface Addon {
  /** Those that run on this machine, the fastest first. */
  readonly engines: readonly Engine[];
  bind(engine: Engine, memory: Uint8Array): NativeKernels;
}

let loaded: Addon | Error | undefined;

/** The addon, or why there is none. Each thread loads it for itself. */
function addon(): Addon | Error {
  if (!loaded) {
    try {
      loaded = createRequire(import.meta.url)(fileURLToPath(FILE)) as Addon;
    } catch (error) {
      loaded = error instanceof Error ? error : new Error(String(error));
    }
  }
  return loaded;
}

/** The engines of this machine, the fastest first; none without the addon. */
export function nativeEngines(): readonly Engine[] {
  const found = addon();
  return found instanceof Error ? [] : found.engines;
}

/** Why a wanted engine is not among `nativeEngines()`. */
export function nativeFault(wanted: string): string {
  const found = addon();
  if (!existsSync(FILE)) return 'the native product was not built (npm run build says why)';
  if (found instanceof Error) return `the native product cannot be loaded: ${found.message}`;
  if (found.engines.length === 0)
    return 'this machine has no fused multiply-add that the native product knows';
  return `the native product runs here as ${found.engines.join(' and ')}, not as ${wanted}`;
}

/** The functions of one of `nativeEngines()`, on a memory: addresses are bytes from its start. */
export function bindNative(engine: Engine, memory: WebAssembly.Memory): NativeKernels {
  const found = addon();
  if (found instanceof Error) throw found;
  return found.bind(engine, new Uint8Array(memory.buffer));
}
