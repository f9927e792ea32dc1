// LeNet on handwritten digits, as d2l has it, with ReLU in the place of sigmoids and max in that of average pools.

import { classify, type Sizes } from './classify.js';
import type { Server } from './server.js';

const ARCHITECTURE = `nn.Sequential(
  nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
  nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
  nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))`;

export function lenet(server: Server, sizes: Sizes = {}) {
  const optimizer = { name: 'Adam', lr: 0.001 };
  return classify(server, { architecture: ARCHITECTURE, optimizer, batchSize: 64, epochs: 12 }, sizes);
}
