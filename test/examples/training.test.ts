// The examples of training at a small size: each comes to what it is for.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copying } from '../../examples/training/copying.js';
import { lenet } from '../../examples/training/lenet.js';
import { linearRegression } from '../../examples/training/linear-regression.js';
import { mlp } from '../../examples/training/mlp.js';
import { Server } from '../../examples/training/server.js';
import { sine } from '../../examples/training/sine.js';
import { softmaxRegression } from '../../examples/training/softmax-regression.js';
import { xor } from '../../examples/training/xor.js';
import { startServer, type TestServer } from '../server.js';

let host: TestServer;
let server: Server;
beforeAll(async () => {
  host = await startServer();
  server = new Server(host.url);
});
afterAll(async () => {
  expect(host.engine.registry.size).toBe(0);
  expect(host.engine.datasets.size).toBe(0);
  await host.stop();
});

const few = { train: 100, test: 30 };

describe('the example of', () => {
  it('XOR tells all four right', async () => {
    const { loss, probabilities } = await xor(server);
    expect(loss).toBeLessThan(0.01);
    expect(probabilities.map(Math.round)).toEqual([0, 1, 1, 0]);
  });

  it('linear regression finds the line', async () => {
    const { loss, error } = await linearRegression(server);
    expect(loss).toBeLessThan(0.001);
    expect(error).toBeLessThan(0.01);
  });

  it('softmax regression tells four digits of five right', async () => {
    expect((await softmaxRegression(server, few)).accuracy).toBeGreaterThan(0.8);
  });

  it('a multilayer perceptron is better', async () => {
    expect((await mlp(server, few)).accuracy).toBeGreaterThan(0.85);
  });

  it('LeNet is, too', async () => {
    expect((await lenet(server, few)).accuracy).toBeGreaterThan(0.85);
  });

  it('an LSTM on a sine tells the next value', async () => {
    expect((await sine(server, { waves: 128, epochs: 30 })).rmse).toBeLessThan(0.05);
  });

  it('a transformer copies what it is shown', async () => {
    expect((await copying(server, { length: 4, sequences: 1000, epochs: 15 })).accuracy).toBeGreaterThan(
      0.95,
    );
  });
});
