// softmax over rows in C++: every engine of this machine gives the bits of WebAssembly.

import { describe, expect, it } from 'vitest';
import { bindNative, nativeEngines } from '#src/runtime/native.js';
import { Arena, AWKWARD, bits, noise } from '../kernels/instance.js';

const arena = new Arena();

function rows(kernels: Pick<typeof arena.kernels, 'softmax_rows'>, x: Float32Array, d: number): number[] {
  arena.clear();
  const at = arena.place(x);
  const y = arena.space(x.length);
  kernels.softmax_rows(at, y, d === 0 ? 0 : x.length / d, d);
  kernels.softmax_rows(at, at, d === 0 ? 0 : x.length / d, d);
  expect(arena.intact()).toBe(true);
  const [apart, inPlace] = [y, at].map((address) =>
    bits(arena.read(address, x.length).map((value) => (Number.isNaN(value) ? NaN : value))),
  );
  expect(inPlace).toEqual(apart);
  return apart!;
}

describe.skipIf(nativeEngines().length === 0)('softmax of rows', () => {
  describe.each(nativeEngines())('%s', (engine) => {
    const native = bindNative(engine, arena.memory);

    it.each([...AWKWARD, 5, 7, 33, 100, 257])('has the bits of WebAssembly, %i elements in a row', (d) => {
      for (const scale of [0.01, 1, 40, 1e4]) {
        const x = noise(3 * d, d + 1).map((value) => value * scale);
        expect(rows(native, x, d), `scale ${scale}`).toEqual(rows(arena.kernels, x, d));
      }
    });

    it.each([
      ['minus infinity', [-Infinity, 0, -Infinity, 3, -1]],
      ['nothing but minus infinity', [-Infinity, -Infinity, -Infinity]],
      ['infinity', [1, Infinity, 2]],
      ['NaN', [1, NaN, 2, 3, 4, 5, 6, 7, 8]],
      ['NaN first', [NaN, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]],
      ['zeros of both signs', [0, -0, 0, -0, -0]],
      ['the largest numbers', [3.4e38, -3.4e38, 3.4e38]],
    ])('has the bits of WebAssembly: %s', (_what, values) => {
      const x = Float32Array.from(values);
      expect(rows(native, x, x.length)).toEqual(rows(arena.kernels, x, x.length));
    });
  });
});
