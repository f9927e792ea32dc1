// Gradient clipping against PyTorch's.

import { describe, expect, it } from 'vitest';
import {
  clipGradNorm,
  clipGradValue,
  NonfiniteNormError,
  totalNorm,
  type Gradient,
} from '#src/nn/optim/clip.js';
import { Arena, bits, excess, noise } from '../../kernels/instance.js';
import { fixture, unpacked } from './fixture.js';

const arena = new Arena();
const { kernels } = arena;

function placed(...values: Float32Array[]): Gradient[] {
  arena.clear();
  return values.map((value) => ({ address: arena.place(value), numel: value.length }));
}
const read = ({ address, numel }: Gradient): Float32Array => arena.read(address, numel);

describe.each(fixture.clips)(
  'clip_grad_norm_ of type $norm_type at $max_norm',
  ({ norm_type, max_norm, gradients, total_norm, clipped }) => {
    it("answers PyTorch's norm and leaves its gradients, within 2e-6", () => {
      const given = placed(...gradients.map(unpacked));
      const normType = Number(norm_type);
      const total = clipGradNorm(kernels, given, { maxNorm: max_norm, normType });
      expect(Math.abs(total - total_norm)).toBeLessThanOrEqual(2e-6 * total_norm);
      expect(arena.intact()).toBe(true);
      for (const [at, gradient] of given.entries())
        expect(excess(read(gradient), [...unpacked(clipped[at]!)], 2e-6, 1e-12)).toBeLessThanOrEqual(1);
    });
  },
);

describe('clip_grad_norm_', () => {
  it('changes no bit below the norm', () => {
    const values = noise(65);
    const given = placed(values);
    clipGradNorm(kernels, given, { maxNorm: 1e3 });
    expect(bits(read(given[0]!))).toEqual(bits(values));
  });

  it.each([NaN, Infinity, -Infinity])('refuses %d where that is asked for, and changes nothing', (bad) => {
    const given = placed(Float32Array.of(3, 4), Float32Array.of(bad));
    const clip = (): number => clipGradNorm(kernels, given, { maxNorm: 1, errorIfNonfinite: true });
    expect(clip).toThrow(NonfiniteNormError);
    expect(clip).toThrow('The total norm of order 2.0 for gradients');
    expect([...read(given[0]!)]).toEqual([3, 4]);
  });

  it.each([2, 1, 3, Infinity, -Infinity])(
    'of type %d is NaN where a gradient has one, as PyTorch has it',
    (normType) => {
      const given = placed(Float32Array.of(3, 4), Float32Array.of(1, NaN, 2, 5, 6));
      expect(clipGradNorm(kernels, given, { maxNorm: 1, normType })).toBeNaN();
      expect([...read(given[0]!)]).toEqual([NaN, NaN]);
    },
  );

  it.each([2, 1, 3, 0, Infinity])('of type %d of no gradients is 0', (normType) => {
    expect(totalNorm(kernels, [], normType)).toBe(0);
  });

  it('is summed in float64: 2^24 and ones beside it are not lost', () => {
    const given = placed(new Float32Array(1001).fill(1).fill(2 ** 24, 0, 1));
    expect(totalNorm(kernels, given, 1)).toBe(2 ** 24 + 1000);
  });
});

describe('clip_grad_value_', () => {
  it('clamps to the value, infinities too, and keeps NaN and -0', () => {
    const given = placed(Float32Array.of(-3, -0.5, -0, 0.5, 3, NaN, Infinity, -Infinity));
    clipGradValue(kernels, given, 1);
    expect([...read(given[0]!)]).toEqual([-1, -0.5, -0, 0.5, 1, NaN, 1, -1]);
  });
});
