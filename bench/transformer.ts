// How fast is a forward of a transformer's encoder, 4 layers of 256, beside onnxruntime and PyTorch?

import { compareModules } from './module-comparison.js';

const D = 256;

function job(batch: number, steps: number) {
  const layer = { type: 'TransformerEncoderLayer', d_model: D, nhead: 8, dim_feedforward: 4 * D };
  const encoder_layer = { ...layer, batch_first: true };
  const architecture = { type: 'TransformerEncoder', encoder_layer, num_layers: 4 };
  return { architecture, shape: [batch, steps, D], scale: 0.15 };
}

await compareModules('transformer', {
  '64 steps, batch 1': job(1, 64),
  '128 steps, batch 1': job(1, 128),
  '128 steps, batch 8': job(8, 128),
});
