import { describe, expect, it } from 'vitest';
import type { Kernels } from '#src/graph/kernels.js';
import { compileKernels } from '#src/runtime/webassembly.js';

describe('the compiled module', () => {
  it.each([1, 16, 65_536])(
    'needs nothing but a shared memory, of at most %i pages here, and leaves it as it was',
    (maximum) => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
      const kernels = new WebAssembly.Instance(compileKernels(), { env: { memory } })
        .exports as unknown as Kernels;
      expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
      expect(kernels.heap_base()).toBeLessThanOrEqual(65_536);
      expect([0, 1]).toContain(kernels.madd_is_fused());
    },
  );
});
