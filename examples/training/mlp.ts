// A multilayer perceptron on handwritten digits: 784 - 256 - 10.

import { classify, type Sizes } from './classify.js';
import type { Server } from './server.js';

export function mlp(server: Server, sizes: Sizes = {}) {
  const architecture = 'nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))';
  const optimizer = { name: 'SGD', lr: 0.1, momentum: 0.9 };
  return classify(server, { architecture, optimizer, batchSize: 64, epochs: 10 }, sizes);
}
