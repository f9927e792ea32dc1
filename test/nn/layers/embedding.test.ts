import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { casesOf, itMatchesPyTorch } from './cases.js';
import { run, type Tensor } from './network.js';

const LIMITS = { maxModules: 10, maxDepth: 2 };

describe('Embedding, EmbeddingBag and Bilinear, forward and backward', () =>
  itMatchesPyTorch(casesOf('embedding')));

describe('an EmbeddingBag with scale_grad_by_freq', () => {
  const state = { weight: { shape: [4, 2], dtype: 'float32', data: [1, 2, 3, 4, 5, 6, 7, 8] } } as const;
  const indices: Tensor = { shape: [2, 3], dtype: 'int64', data: [0, 0, 1, 0, 2, 2] };
  const outputGrad: Tensor = { shape: [2, 2], dtype: 'float32', data: [1, 10, 2, 20] };

  // Row 0: twice of the first bag, once of the second, by 3; row 1: once of the first; row 2: twice of the second, by 2.
  it.each([
    ['sum', [4 / 3, 40 / 3, 1, 10, 2, 20, 0, 0]],
    ['mean', [4 / 9, 40 / 9, 1 / 3, 10 / 3, 2 / 3, 20 / 3, 0, 0]],
  ])('divides the gradient of each row by how often it is asked for (%s)', (mode, expected) => {
    const bag = { type: 'EmbeddingBag', num_embeddings: 4, embedding_dim: 2, scale_grad_by_freq: true };
    const { grads } = run({ architecture: { ...bag, mode }, state, inputs: [indices], outputGrad });
    grads.get('weight')!.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });
});

describe('what is not here is refused with a word', () => {
  const table = { num_embeddings: 4, embedding_dim: 2 };
  it.each([
    ['Embedding', { max_norm: 1.5 }, 'only None is supported, got 1.5'],
    ['Embedding', { sparse: true }, 'only False is supported, got true'],
    ['EmbeddingBag', { max_norm: 2 }, 'only None is supported, got 2'],
    ['EmbeddingBag', { sparse: true }, 'only False is supported, got true'],
    ['EmbeddingBag', { padding_idx: 4 }, 'padding_idx must be within num_embeddings'],
    [
      'EmbeddingBag',
      { mode: 'max', scale_grad_by_freq: true },
      'max mode does not support scaling the gradient by the frequency',
    ],
  ])('%s with %j', (type, options, message) => {
    const build = (): unknown => readTree({ type, ...table, ...options }, LIMITS);
    expect(build).toThrow(
      expect.objectContaining({ errors: [expect.objectContaining({ message })] }) as Error,
    );
  });
});

describe('values and shapes that do not fit are refused', () => {
  const bag = { type: 'EmbeddingBag', num_embeddings: 4, embedding_dim: 2 };
  const state = { weight: { shape: [4, 2], dtype: 'float32', data: Array<number>(8).fill(1) } } as const;
  const int64 = (...data: number[]): Tensor => ({ shape: [data.length], dtype: 'int64', data });
  const matrix: Tensor = { shape: [2, 2], dtype: 'int64', data: [0, 1, 2, 3] };
  it.each([
    ['an index past the table', [int64(0, 4), int64(0)], 'index out of range in self (index number 1'],
    ['a negative index', [int64(-1), int64(0)], 'index out of range in self (index number 0'],
    ['offsets that do not begin with 0', [int64(0, 1), int64(1)], 'number 0 does not'],
    ['offsets that fall', [int64(0, 1, 2), int64(0, 2, 1)], 'number 2 does not'],
    ['an offset past the input', [int64(0, 1), int64(0, 3)], 'number 1 does not'],
    ['no offsets for one dimension', [int64(0, 1)], 'offsets has to be a 1D Tensor but got None'],
    ['offsets for two', [matrix, int64(0)], 'if input is 2D, then offsets has to be None'],
  ])('%s', (_what, inputs, message) => {
    expect(() => run({ architecture: bag, state, inputs })).toThrow(message);
  });
});
