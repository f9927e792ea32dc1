import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { casesOf, itMatchesPyTorch } from './cases.js';
import { run, type Tensor } from './network.js';

const LIMITS = { maxModules: 10, maxDepth: 2 };

describe('RNN, LSTM and GRU, forward and backward', () => itMatchesPyTorch(casesOf('recurrent')));

describe('what is not here, or cannot be, is refused with a word', () => {
  it.each([
    ['LSTM', { proj_size: 2 }, 'only 0 is supported, got 2'],
    ['GRU', { proj_size: 2 }, 'unknown option of GRU'],
    ['RNN', { nonlinearity: 'gelu' }, "must be 'tanh' or 'relu', got \"gelu\""],
    ['GRU', { dropout: 1.5 }, 'dropout should be a number in range [0, 1]'],
    ['LSTM', { num_layers: 2 ** 31 - 1 }, 'num_layers can be at most 1000'],
    ['LSTM', { num_layers: 0 }, 'must be an integer from 1'],
  ])('%s with %j', (type, options, message) => {
    const build = (): unknown => readTree({ type, input_size: 3, hidden_size: 4, ...options }, LIMITS);
    const fault = expect.objectContaining({ message: expect.stringContaining(message) as string }) as object;
    expect(build).toThrow(expect.objectContaining({ errors: [fault] }) as Error);
  });
});

describe('inputs that do not fit are refused in the words of PyTorch', () => {
  const layer = { type: 'LSTM', input_size: 3, hidden_size: 4 };
  const float = (...shape: number[]): Tensor => ({ shape, dtype: 'float32', data: [] });
  it.each([
    [layer, float(2, 2, 2, 3), 'LSTM: Expected input to be 2D or 3D, got 4D instead'],
    [layer, float(3), 'LSTM: Expected input to be 2D or 3D, got 1D instead'],
    [layer, float(2, 2, 5), 'input.size(-1) must be equal to input_size. Expected 3, got 5'],
    [layer, float(0, 2, 3), 'Expected sequence length to be larger than 0 in RNN'],
    [{ ...layer, batch_first: true }, float(2, 0, 3), 'Expected sequence length to be larger than 0 in RNN'],
    [
      layer,
      { ...float(2, 3), dtype: 'int64' as const },
      'input must have the type torch.float32, got type torch.int64',
    ],
  ])('%j, %j', (architecture, input, message) => {
    expect(() => run({ architecture, state: {}, inputs: [input] })).toThrow(message);
  });

  it('but a batch of nothing is one', () => {
    const { root } = readTree({ ...layer, batch_first: true }, LIMITS);
    const state = Object.fromEntries(
      [...root.parameters].map(([name, parameter]) => {
        const count = parameter!.shape.reduce((a, b) => a * b, 1);
        return [
          name,
          { shape: parameter!.shape, dtype: 'float32' as const, data: Array<number>(count).fill(0.5) },
        ];
      }),
    );
    const { output, shape, grads } = run({
      architecture: { ...layer, batch_first: true },
      state,
      inputs: [float(0, 5, 3)],
    });
    expect([output.length, shape]).toEqual([0, [0, 5, 4]]);
    for (const grad of grads.values()) expect([...new Set(grad)]).toEqual([0]);
  });
});
