// XOR, which no single line divides: two layers learn it.

import type { Server } from './server.js';

const inputs = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];
const targets = [[0], [1], [1], [0]];

/** The last loss, and the four outputs as probabilities. */
export async function xor(server: Server, { epochs = 200 } = {}) {
  const architecture = 'nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))';
  return server.withModel(architecture, 0, async (model) => {
    const { losses } = await model.train({
      optimizer: { name: 'Adam', lr: 0.1 },
      loss: 'binary_cross_entropy_with_logits',
      ...{ inputs, targets, epochs, commit_every: epochs },
    });
    const { data } = await model.forward(inputs);
    return { loss: losses.at(-1)!, probabilities: data.map((logit) => 1 / (1 + Math.exp(-logit))) };
  });
}
