import { describe, expect, it } from 'vitest';
import { Arena, AWKWARD, bits, noise } from './instance.js';

const arena = new Arena();
const { kernels } = arena;

function run(
  indices: readonly bigint[],
  rows: number,
  d: number,
): { answer: number; y: Float32Array; w: Float32Array } {
  arena.clear();
  const w = noise(rows * d, 1);
  const [index, weight, y] = [arena.placeIndices(indices), arena.place(w), arena.space(indices.length * d)];
  const answer = kernels.embedding(index, weight, y, indices.length, rows, d);
  expect(arena.intact()).toBe(true);
  return { answer, y: arena.read(y, indices.length * d), w };
}

describe('embedding', () => {
  it.each(AWKWARD)('copies rows of %i elements to the bit and answers -1', (d) => {
    const indices = [4n, 0n, 4n, 2n];
    const { answer, y, w } = run(indices, 5, d);
    expect(answer).toBe(-1);
    expect(bits(y)).toEqual(indices.flatMap((i) => bits(w.slice(Number(i) * d, (Number(i) + 1) * d))));
  });

  it('takes no index at all', () => {
    expect(run([], 5, 3).answer).toBe(-1);
  });

  it.each([[5n], [-1n], [2n ** 32n], [2n ** 62n], [-(2n ** 63n)]])(
    'answers where the first bad index, %d, stands',
    (bad) => {
      expect(run([1n, 4n, bad, bad], 5, 3).answer).toBe(2);
    },
  );
});
