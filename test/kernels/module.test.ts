import { describe, expect, it } from 'vitest';
import type { Kernels } from '#src/graph/kernels.js';
import { compileKernels } from '#src/runtime/webassembly.js';

function start(memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(compileKernels(), { env: { memory } }).exports as unknown as Kernels;
}

describe('the compiled module', () => {
  it.each([1, 16, 65_536])(
    'needs nothing but a shared memory, of at most %i pages here, and leaves it as it was past its constants',
    (maximum) => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
      const kernels = start(memory);
      const base = kernels.heap_base();
      expect(base).toBeLessThanOrEqual(65_536);
      expect(new Uint8Array(memory.buffer).subarray(base).every((byte) => byte === 0)).toBe(true);
      expect([0, 1]).toContain(kernels.madd_is_fused());
    },
  );

  it('has the same constants from every instance: a second one in a memory changes no byte of it', () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    start(memory);
    const before = new Uint8Array(memory.buffer).slice();
    start(memory);
    expect(new Uint8Array(memory.buffer)).toEqual(before);
  });
});
