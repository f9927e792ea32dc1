// Recurrent layers in C++: every engine of this machine gives the bits of WebAssembly, gates in every range included.

import { describe, expect, it } from 'vitest';
import { bindNative, nativeEngines } from '#src/runtime/native.js';
import { Arena, bits, noise } from '../kernels/instance.js';

const CELLS = [
  ['RNN', 0, 1],
  ['RNN with ReLU', 1, 1],
  ['LSTM', 2, 4],
  ['GRU', 3, 3],
] as const;
const ODD = [
  NaN,
  Infinity,
  -Infinity,
  -0,
  0,
  1e-40,
  3e38,
  -3e38,
  0.625,
  -0.625,
  88.7,
  -87.4,
  -103.9,
  16,
  -16,
];

const arena = new Arena();

interface Sizes {
  readonly rows: number;
  readonly steps: number;
  readonly n: number;
  readonly gates: number;
  readonly cell: number;
  readonly batchFirst: boolean;
  readonly reverse: number;
  readonly x: Float32Array;
}

/** The states that a recurrence gives, with one pattern for NaN. */
function states(kernels: Pick<typeof arena.kernels, 'pack' | 'recurrence'>, sizes: Sizes): number[] {
  const { rows, steps, n, gates, cell, batchFirst, reverse } = sizes;
  const width = gates * n;
  arena.clear();
  const x = arena.place(sizes.x);
  const w = arena.place(noise(width * n, 2));
  const bias = cell % 2 ? arena.place(noise(width, 3)) : 0;
  const panels = arena.space(Math.ceil(width / 16) * 16 * n);
  const scratch = arena.space(rows * (2 + gates) * n);
  const y = arena.space(rows * steps * n);
  arena.kernels.pack(w, panels, width, n);
  const [stride, stepStride] = batchFirst ? [steps, 1] : [1, rows];
  kernels.recurrence(cell, x, panels, bias, scratch, y, rows, stride, stepStride, steps, n, reverse);
  expect(arena.intact()).toBe(true);
  return bits(arena.read(y, rows * steps * n).map((value) => (Number.isNaN(value) ? NaN : value)));
}

const runs = nativeEngines().length > 0 && arena.kernels.madd_is_fused() === 1;

describe.skipIf(!runs)('a native recurrence', () => {
  describe.each(nativeEngines())('%s', (engine) => {
    const native = bindNative(engine, arena.memory);

    it.each(CELLS)('has the bits of WebAssembly: %s', (_name, cell, gates) => {
      for (const n of [1, 3, 8, 16, 17, 33]) {
        for (const rows of [1, 2, 7, 13]) {
          const steps = 3;
          const x = noise(rows * steps * gates * n, n + rows).map((value) => value * 6);
          for (const [batchFirst, reverse] of [
            [true, 0],
            [false, 1],
          ] as const) {
            const sizes = { rows, steps, n, gates, cell, batchFirst, reverse, x };
            expect(states(native, sizes), `n ${n}, rows ${rows}`).toEqual(states(arena.kernels, sizes));
          }
        }
      }
    });

    it.each(CELLS)('of gates at every edge of their functions: %s', (_name, cell, gates) => {
      const n = ODD.length;
      const x = Float32Array.from({ length: 2 * gates * n }, (_, i) => ODD[(i * 7) % ODD.length]!);
      const sizes = { rows: 2, steps: 1, n, gates, cell, batchFirst: true, reverse: 0, x };
      expect(states(native, sizes)).toEqual(states(arena.kernels, sizes));
    });
  });
});
