// How fast is a forward of a recurrent layer of 128 units beside onnxruntime and PyTorch?

import { compareModules } from './module-comparison.js';

const WIDTH = 128;

function job(type: 'RNN' | 'LSTM' | 'GRU', steps: number, batch: number) {
  const architecture = { type, input_size: WIDTH, hidden_size: WIDTH };
  return { architecture, shape: [steps, batch, WIDTH], scale: 0.15 };
}

await compareModules('recurrent', {
  'LSTM, 100 steps, batch 1': job('LSTM', 100, 1),
  'LSTM, 100 steps, batch 16': job('LSTM', 100, 16),
  'LSTM, 50 steps, batch 1': job('LSTM', 50, 1),
  'GRU, 100 steps, batch 1': job('GRU', 100, 1),
  'GRU, 100 steps, batch 16': job('GRU', 100, 16),
  'RNN, 100 steps, batch 1': job('RNN', 100, 1),
});
