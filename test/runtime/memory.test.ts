import { describe, expect, it } from 'vitest';
import { QuotaError, SharedMemory } from '#src/runtime/memory.js';

const MIB = 2 ** 20;

describe('shared memory', () => {
  it('counts the bytes in use back to zero when every holder has let go', () => {
    const memory = new SharedMemory({ limitBytes: 8 * MIB });
    const regions = Array.from({ length: 100 }, (_, i) => memory.allocate(i * 100));
    for (const region of regions) memory.retain(region);
    for (const region of regions) memory.release(region);
    expect(memory.bytesInUse).toBeGreaterThan(0);
    for (const region of regions) memory.release(region);
    expect(memory.bytesInUse).toBe(0);
  });

  it('refuses more than its limit and takes nothing for it', () => {
    const memory = new SharedMemory({ limitBytes: MIB });
    const held = memory.allocate(MIB / 2);
    for (const bytes of [MIB, 2 ** 40, 2 ** 53, Number.NaN, -1, Infinity]) {
      expect(() => memory.allocate(bytes)).toThrow(QuotaError);
    }
    expect(memory.bytesInUse).toBe(MIB / 2);
    memory.release(held);
  });

  it('asks for room to be made before it refuses', () => {
    const memory = new SharedMemory({ limitBytes: MIB });
    const past = memory.allocate(MIB);
    memory.reclaim = () => {
      if (memory.bytesInUse === 0) return false;
      memory.release(past);
      return true;
    };
    expect(memory.allocate(MIB).bytes).toBe(MIB);
    memory.reclaim = () => false;
  });

  it('asks for nothing to be given up for what never fits', () => {
    const memory = new SharedMemory({ limitBytes: 16 * 2 ** 30 });
    let asked = 0;
    memory.reclaim = () => {
      asked++;
      return false;
    };
    expect(() => memory.allocate(16 * 2 ** 30 + 1)).toThrow(QuotaError);
    // All of a region stands in one segment, which ends where 32 bits do.
    expect(() => memory.allocate(4 * 2 ** 30)).toThrow(QuotaError);
    expect(asked).toBe(0);
    expect(memory.memories).toHaveLength(0);
  });

  it('grows under views that are in use: they keep showing the same bytes', () => {
    const memory = new SharedMemory({ limitBytes: 256 * MIB });
    const first = memory.allocate(16);
    const view = memory.tensor(first, [4], 'float32').data as Float32Array;
    view.set([1, 2, 3, 4]);
    const large = memory.allocate(64 * MIB);
    expect([...(memory.tensor(first, [4], 'float32').data as Float32Array)]).toEqual([1, 2, 3, 4]);
    view[0] = 42;
    expect((memory.tensor(first, [4], 'float32').data as Float32Array)[0]).toBe(42);
    memory.release(large);
    memory.release(first);
  });

  it('reports a region that is released twice', () => {
    const memory = new SharedMemory({ limitBytes: MIB });
    const region = memory.allocate(8);
    memory.release(region);
    expect(() => memory.release(region)).toThrow('released twice');
  });
});
