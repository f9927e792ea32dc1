// Softmax regression as d2l has it: one linear layer tells ten classes of images from each other.

import { classify, type Sizes } from './classify.js';
import type { Server } from './server.js';

export function softmaxRegression(server: Server, sizes: Sizes = {}) {
  const architecture = 'nn.Sequential(nn.Flatten(), nn.Linear(784, 10))';
  const optimizer = { name: 'SGD', lr: 0.1 };
  return classify(server, { architecture, optimizer, batchSize: 64, epochs: 10 }, sizes);
}
