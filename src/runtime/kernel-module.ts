// The kernels of this process: WebAssembly, with the matrix product in C++ where that was built and is wanted.
// Decided once, on the main thread, and cloned to the workers: sizes of scratch and the code that uses it belong together.

import type { Kernels } from '../graph/kernels.js';
import { bindNative, ENGINES, nativeEngines, nativeFault, type Engine } from './native.js';
import { compileKernels, instantiateKernels } from './webassembly.js';

/** What every thread binds: it can be sent to one. */
export interface KernelModule {
  readonly code: WebAssembly.Module;
  readonly native: Engine | null;
}

/** auto: the fastest engine that runs here; off: WebAssembly alone. */
export const NATIVE_CHOICES = ['auto', 'off', ...ENGINES] as const;
export type NativeChoice = (typeof NATIVE_CHOICES)[number];

let chosen: KernelModule | undefined;

/**
 * Decides what `kernelModule` is, before its first use. Answers why WebAssembly serves where another engine was wanted.
 */
export function chooseKernels(choice: NativeChoice): string | undefined {
  const code = compileKernels();
  const engine = choice === 'auto' ? nativeEngines()[0] : nativeEngines().find((name) => name === choice);
  const fault = engine ? difference(code, engine) : choice === 'off' ? undefined : nativeFault(choice);
  chosen = { code, native: engine && !fault ? engine : null };
  return fault;
}

export function kernelModule(): KernelModule {
  if (!chosen) chooseKernels('auto');
  return chosen!;
}

/** Which engine multiplies, in the words of `GET /v1`. */
export function engineName({ native }: KernelModule): string {
  return native ? `native ${native}` : 'webassembly';
}

/** The kernels on a memory. */
export function bindKernels({ code, native }: KernelModule, memory: WebAssembly.Memory): Kernels {
  const kernels = instantiateKernels(code, memory);
  return native ? { ...kernels, ...bindNative(native, memory) } : kernels;
}

let unplaced: Kernels | undefined;

/** The kernels on a memory of their own that holds nothing: for what they say of themselves (sizes, rounding). */
export function unplacedKernels(): Kernels {
  return (unplaced ??= bindKernels(kernelModule(), smallMemory()));
}

function smallMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
}

/** Numbers enough for a tile, a remainder of each kind, and a rounding in every step of the chain. */
const CHECK = { m: 13, n: 36, k: 21 };
const LSTM = { cell: 2, gates: 4 };

/** What both engines have, on small numbers: undefined where they agree to the bit. */
function difference(code: WebAssembly.Module, engine: Engine): string | undefined {
  const memory = smallMemory();
  const webAssembly = instantiateKernels(code, memory);
  // Where WebAssembly rounds twice its bits are its own.
  if (!webAssembly.madd_is_fused()) return undefined;
  const { m, n, k } = CHECK;
  let next = webAssembly.heap_base();
  const take = (count: number): Float32Array => {
    const floats = new Float32Array(memory.buffer, next, count);
    next += floats.byteLength;
    return floats;
  };
  const [x, w, bias] = [take(m * k), take(n * k), take(n)];
  for (const array of [x, w, bias]) array.forEach((_, i) => (array[i] = Math.sin(i + array.byteOffset)));
  const units = n / LSTM.gates;
  const [panels, scratch] = [take(Math.ceil(n / 16) * 16 * k), take(n + 2 * units)];
  const [y, weights, states] = [take(m * n), take(m * n), take(m * units)];
  const results = [webAssembly, { ...webAssembly, ...bindNative(engine, memory) }].map((kernels) => {
    const given = [y, weights, states];
    for (const array of given) array.fill(NaN);
    kernels.pack(w.byteOffset, panels.byteOffset, n, k);
    kernels.linear(x.byteOffset, panels.byteOffset, bias.byteOffset, y.byteOffset, m, n, n, k, 0);
    kernels.softmax_rows(y.byteOffset, weights.byteOffset, m, n);
    kernels.pack(w.byteOffset, panels.byteOffset, n, units);
    // prettier-ignore
    kernels.recurrence(
      LSTM.cell, y.byteOffset, panels.byteOffset, bias.byteOffset, scratch.byteOffset, states.byteOffset,
      1, m, 1, m, units, 0,
    );
    return { product: y.slice(), softmax: weights.slice(), recurrence: states.slice() };
  });
  const [first, second] = results as [(typeof results)[0], (typeof results)[0]];
  for (const name of ['product', 'softmax', 'recurrence'] as const) {
    const wrong = first[name].findIndex((value, i) => !Object.is(value, second[name][i]));
    if (wrong < 0) continue;
    return `the native ${name} (${engine}) differs from WebAssembly's: ${second[name][wrong]} is not ${first[name][wrong]}`;
  }
  return undefined;
}
