// Which kernels a process has, and that native ones work wherever a memory is mapped.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { bindKernels, chooseKernels, engineName, kernelModule } from '#src/runtime/kernel-module.js';
import { bindNative, nativeEngines } from '#src/runtime/native.js';
import { bits, noise } from '../kernels/instance.js';

const PAGE = 65_536;
const [m, n, k] = [5, 40, 30];
/** In a page, past what the module itself uses of the first. */
const [X, W, PANELS, Y] = [16_384, 24_576, 32_768, 49_152];

/** Puts a product's operands at a place of a memory. */
function place(memory: WebAssembly.Memory, base: number): void {
  new Float32Array(memory.buffer, base + X, m * k).set(noise(m * k, 1));
  new Float32Array(memory.buffer, base + W, n * k).set(noise(n * k, 2));
}

type Product = Pick<ReturnType<typeof bindKernels>, 'pack' | 'linear'>;

function multiply(kernels: Product, memory: WebAssembly.Memory, base: number): number[] {
  kernels.pack(base + W, base + PANELS, n, k);
  kernels.linear(base + X, base + PANELS, 0, base + Y, m, n, n, k, 0);
  return bits(new Float32Array(memory.buffer, base + Y, m * n).slice());
}

describe('the choice of kernels', () => {
  it('off is WebAssembly', () => {
    expect(chooseKernels('off')).toBeUndefined();
    expect(engineName(kernelModule())).toBe('webassembly');
  });

  it('auto is the fastest engine of the machine, or WebAssembly and the reason', () => {
    const fault = chooseKernels('auto');
    const [fastest] = nativeEngines();
    expect(engineName(kernelModule())).toBe(fastest ? `native ${fastest}` : 'webassembly');
    if (fastest) expect(fault).toBeUndefined();
    else expect(fault).toMatch(/^the native product was not built|^this machine has no/);
  });

  it('an engine of another machine is WebAssembly, and says which ones there are', () => {
    const foreign = nativeEngines().includes('neon') ? 'avx2' : 'neon';
    expect(chooseKernels(foreign)).toMatch(/^the native product (runs here as .*, not as|was not built)/);
    expect(engineName(kernelModule())).toBe('webassembly');
  });
});

describe.skipIf(nativeEngines().length === 0)('native kernels (where they were built)', () => {
  it('work on what a memory has grown by since they were bound', () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 3, shared: true });
    const native = bindNative(nativeEngines()[0]!, memory);
    place(memory, 0);
    const before = multiply(native, memory, 0);
    memory.grow(2);
    place(memory, 2 * PAGE);
    expect(multiply(native, memory, 2 * PAGE)).toEqual(before);
    expect(before).not.toContain(0);
  });

  it('keep their memory when nothing else does', async () => {
    const { setFlagsFromString } = await import('node:v8');
    setFlagsFromString('--expose-gc');
    const { runInNewContext } = await import('node:vm');
    const collect = runInNewContext('gc') as () => void;
    const bound = (() => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
      return bindNative(nativeEngines()[0]!, memory);
    })();
    collect();
    expect(() => bound.pack(W, PANELS, n, k)).not.toThrow();
  });

  it('give the same bits in several threads at once, and go on when one of these has ended', async () => {
    const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
    chooseKernels('auto');
    const module = kernelModule();
    const workers = [1, 2, 3].map((i) => {
      place(memory, i * PAGE);
      const source = `
        const { workerData: { url, module, memory, base, sizes: [m, n, k], at: [X, W, PANELS, Y] }, parentPort } =
          require('node:worker_threads');
        import(url).then(({ bindKernels }) => {
          const kernels = bindKernels(module, memory);
          for (let i = 0; i < 200; i++) {
            kernels.pack(base + W, base + PANELS, n, k);
            kernels.linear(base + X, base + PANELS, 0, base + Y, m, n, n, k, 0);
          }
          parentPort.postMessage('done');
        });`;
      const url = import.meta.resolve('#src/runtime/kernel-module.js');
      const data = { url, module, memory, base: i * PAGE, sizes: [m, n, k], at: [X, W, PANELS, Y] };
      return new Worker(source, { eval: true, workerData: data });
    });
    // Not in the first page, where the kernels' constants stand.
    place(memory, 4 * PAGE);
    const kernels = bindKernels(module, memory);
    const expected = multiply(kernels, memory, 4 * PAGE);
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await Promise.all(workers.map((worker) => worker.terminate()));
    for (const base of [PAGE, 2 * PAGE, 3 * PAGE]) {
      expect(bits(new Float32Array(memory.buffer, base + Y, m * n).slice())).toEqual(expected);
    }
    expect(multiply(kernels, memory, 4 * PAGE)).toEqual(expected);
  });

  it('refuse an engine that the machine has not, and what is no view', () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const foreign = nativeEngines().includes('neon') ? 'avx2' : 'neon';
    expect(() => bindNative(foreign, memory)).toThrow(TypeError);
  });
});
