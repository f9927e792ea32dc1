import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, Allocator } from '#src/runtime/allocator.js';

const START = 65536;
const END = START + 1024 * ALIGNMENT;

describe('the allocator', () => {
  it('gives ranges that never overlap, and has all of its space again once they are given back', () => {
    const request = fc.record({ bytes: fc.integer({ min: 0, max: 40 * ALIGNMENT }), drop: fc.nat() });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 120 }), (requests) => {
        const allocator = new Allocator(START, END);
        const held: { at: number; bytes: number }[] = [];
        for (const { bytes, drop } of requests) {
          const at = allocator.take(bytes);
          if (at !== undefined) {
            expect(at % ALIGNMENT).toBe(0);
            expect(at).toBeGreaterThanOrEqual(START);
            expect(at + bytes).toBeLessThanOrEqual(END);
            for (const other of held) {
              expect(at >= other.at + other.bytes || at + Allocator.size(bytes) <= other.at).toBe(true);
            }
            held.push({ at, bytes: Allocator.size(bytes) });
          }
          if (drop % 3 === 0 && held.length > 0) {
            const [gone] = held.splice(drop % held.length, 1);
            allocator.give(gone!.at, gone!.bytes);
          }
        }
        for (const { at, bytes } of held) allocator.give(at, bytes);
        expect(allocator.highWater).toBe(START);
        expect(allocator.take(END - START)).toBe(START);
      }),
      { numRuns: 200 },
    );
  });

  it('prefers the hole that fits best in its size class', () => {
    const allocator = new Allocator(START, END);
    const units = (n: number): number => n * ALIGNMENT;
    const large = allocator.take(units(7))!;
    allocator.take(units(1));
    const fitting = allocator.take(units(5))!;
    allocator.take(units(1));
    allocator.give(large, units(7));
    allocator.give(fitting, units(5));
    expect(allocator.take(units(5))).toBe(fitting);
    expect(allocator.take(units(6))).toBe(large);
  });

  it('answers undefined, and takes nothing, where no range is long enough', () => {
    const allocator = new Allocator(START, START + 4 * ALIGNMENT);
    expect(allocator.take(5 * ALIGNMENT)).toBeUndefined();
    expect(allocator.highWater).toBe(START);
  });
});
