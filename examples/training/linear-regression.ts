// Linear regression as d2l has it: 1000 points of y = X [2, -3.4] + 4.2 with noise, three epochs of SGD find the line again.

import { Random } from './random.js';
import type { Server } from './server.js';

const W = [2, -3.4] as const;
const B = 4.2;

/** The loss of the last epoch, and how far the line is from the true one. */
export async function linearRegression(server: Server, { points = 1000, epochs = 3 } = {}) {
  const random = new Random(1);
  const x = Array.from({ length: points }, () => [random.normal(), random.normal()]);
  const y = x.map(([a, b]) => [a! * W[0] + b! * W[1] + B + random.normal(0, 0.01)]);
  return server.withDataset({ x, y }, (dataset) =>
    server.withModel('nn.Linear(2, 1)', 0, async (model) => {
      const { history } = await model.train({
        optimizer: { name: 'SGD', lr: 0.03 },
        loss: 'mse_loss',
        ...{ dataset, inputs: 'x', targets: 'y' },
        ...{ epochs, batch_size: 10, shuffle: true, seed: 0 },
      });
      const [w, b] = [await model.value('weight'), await model.value('bias')];
      const error = Math.max(...W.map((value, i) => Math.abs(value - w[i]!)), Math.abs(B - b[0]!));
      return { loss: history.at(-1)!.loss, error };
    }),
  );
}
