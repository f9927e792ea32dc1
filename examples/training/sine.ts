// An LSTM on a sine: of the last 20 values it learns to tell the next one, at any phase.

import { Random } from './random.js';
import type { Server } from './server.js';

const WINDOW = 20;
const STEP = 0.3;

/** The LSTM's output at the last step, through a linear layer. */
const ARCHITECTURE = {
  type: 'Graph',
  inputs: ['window'],
  nodes: [
    {
      name: 'lstm',
      module: { type: 'LSTM', input_size: 1, hidden_size: 32, batch_first: true },
      inputs: ['window'],
    },
    { name: 'last', op: 'select', index: ':, -1', inputs: ['lstm'] },
    { name: 'next', module: { type: 'Linear', in_features: 32, out_features: 1 }, inputs: ['last'] },
  ],
  outputs: ['next'],
};

/** The loss of the last epoch, and the root mean square error at phases that it has not seen. */
export async function sine(server: Server, { waves = 256, epochs = 60 } = {}) {
  const random = new Random(2);
  const wave = () => {
    const phase = 2 * Math.PI * random.next();
    return Array.from({ length: WINDOW + 1 }, (_, i) => Math.sin(phase + STEP * i));
  };
  const split = (values: number[][]) => ({
    inputs: values.map((one) => one.slice(0, WINDOW).map((value) => [value])),
    targets: values.map((one) => [one[WINDOW]!]),
  });
  const seen = split(Array.from({ length: waves }, wave));
  const unseen = split(Array.from({ length: 64 }, wave));
  return server.withModel(ARCHITECTURE, 0, async (model) => {
    const { history } = await model.train({
      optimizer: { name: 'Adam', lr: 0.01 },
      loss: 'mse_loss',
      ...{ ...seen, epochs, batch_size: 32, shuffle: true, seed: 0, clip_grad_norm: 1 },
    });
    const { data } = await model.forward(unseen.inputs);
    const squares = data.map((value, i) => (value - unseen.targets[i]![0]!) ** 2);
    const rmse = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
    return { loss: history.at(-1)!.loss, rmse };
  });
}
