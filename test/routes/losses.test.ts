// Losses as clients write them, for a backward, a gradcheck and a training.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LOSSES } from '#src/nn/losses/table.js';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

beforeEach(async () => {
  await server.request('DELETE', '/v1/models/net');
  await post('/v1/models', {
    name: 'net',
    seed: 0,
    architecture: 'nn.Sequential(nn.Linear(3, 4), nn.Tanh())',
  });
});

const post = (path: string, body: unknown) => server.request('POST', path, body);
const inputs = [[1, 2, 3], [-1, 0, 1]]; // prettier-ignore

/** Targets that fit an output of [2, 4] between -1 and 1. */
const numbers = [[0, 0.5, 1, 0.25], [1, 0, 0.75, 0.5]]; // prettier-ignore
const sides = [[1, -1, 1, -1], [-1, 1, -1, 1]]; // prettier-ignore
const TARGETS: Record<keyof typeof LOSSES, unknown> = {
  mse_loss: numbers,
  l1_loss: numbers,
  smooth_l1_loss: numbers,
  huber_loss: numbers,
  cross_entropy: [3, 0],
  nll_loss: [1, 2],
  binary_cross_entropy: numbers,
  binary_cross_entropy_with_logits: numbers,
  kl_div: numbers,
  cosine_embedding_loss: { input2: numbers, target: [1, -1] },
  margin_ranking_loss: { input2: numbers, target: sides },
  hinge_embedding_loss: sides,
  gaussian_nll_loss: { target: numbers, var: [1, 2] },
};

describe('each loss', () => {
  it.each(Object.entries(TARGETS))(
    '%s has gradients that are those of differences',
    async (name, targets) => {
      if (name === 'binary_cross_entropy') {
        await server.request('PUT', '/v1/models/net/modules/2', { architecture: 'nn.Sigmoid()' });
      }
      const { status, body } = await post('/v1/models/net/gradcheck', { inputs, targets, loss: { name } });
      expect(status).toBe(200);
      expect(body).toMatchObject({ passed: true });
    },
  );

  it('takes weights, and what else PyTorch has', async () => {
    const loss = {
      name: 'nn.CrossEntropyLoss',
      weight: [1, 2, 0.5, 1],
      label_smoothing: 0.1,
      ignore_index: 3,
    };
    const { body } = await post('/v1/models/net/gradcheck', { inputs, targets: [3, 0], loss });
    expect(body).toMatchObject({ passed: true });
  });
});

describe('targets', () => {
  const backward = (targets: unknown, loss: unknown) =>
    post('/v1/models/net/backward', { inputs, targets, loss });

  it.each([
    ['gaussian_nll', numbers, 'targets', 'must be an object of tensors by name: gaussian_nll_loss takes target and var'],
    ['gaussian_nll', { target: numbers }, 'targets.var', 'is missing'],
    ['gaussian_nll', { target: numbers, vra: [1, 2] }, 'targets.vra', 'gaussian_nll_loss takes no such tensor; did you mean var?'],
    ['mse', { traget: numbers }, 'targets.traget', 'mse_loss takes no such tensor; did you mean target?'],
  ])('of %s as %j are refused at %s', async (loss, targets, path, message) => {
    const { status, body } = await backward(targets, loss);
    expect(status).toBe(422);
    expect((body as { errors: unknown[] }).errors).toContainEqual({ path, message });
  }); // prettier-ignore

  it('of one tensor may have its name', async () => {
    const named = await backward({ target: numbers }, 'mse');
    const alone = await backward(numbers, 'mse');
    expect((named.body as { loss: number }).loss).toBe((alone.body as { loss: number }).loss);
  });

  it('that are no class are told, and change nothing', async () => {
    const { status, body } = await backward([0, 4], 'cross_entropy');
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'VALUE_INVALID',
      detail: expect.stringContaining('out of bounds') as string,
    });
    const { body: model } = await server.request('GET', '/v1/models/net');
    expect(model).toMatchObject({ revision: 1 });
  });

  it('of a loss that is not reduced have no backward', async () => {
    const { status, body } = await backward(numbers, { name: 'mse', reduction: 'none' });
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'NOT_DIFFERENTIABLE' });
  });
});

describe('a training', () => {
  const optimizer = { name: 'SGD', lr: 0.1 };
  const train = async (body: object) => {
    const answer = await post('/v1/models/net/train?wait=true', { optimizer, inputs, ...body });
    return answer as typeof answer & { body: { status: string; losses: number[]; error?: unknown } };
  };

  it('by a loss of several targets, batch by batch', async () => {
    const loss = { name: 'gaussian_nll' };
    const { body } = await train({
      targets: { target: numbers, var: [1, 2] },
      loss,
      batch_size: 1,
      epochs: 30,
    });
    expect(body.status).toBe('done');
    expect(body.losses.at(-1)).toBeLessThan(body.losses[1]!);
  });

  it('by weighted classes', async () => {
    const loss = { name: 'cross_entropy', weight: [1, 1, 1, 5] };
    const { body } = await train({ targets: [3, 0], loss, batch_size: 1, epochs: 20 });
    expect(body.losses.at(-1)).toBeLessThan(body.losses[1]!);
  });

  it('of a module with several inputs, by their names', async () => {
    const graph = {
      type: 'Graph',
      inputs: ['left', 'right'],
      nodes: [
        { name: 'both', op: 'cat', inputs: ['left', 'right'], dim: 1 },
        { name: 'out', module: { type: 'Linear', in_features: 3, out_features: 1 }, inputs: ['both'] },
      ],
      outputs: ['out'],
    };
    const made = await post('/v1/models', { name: 'two', seed: 0, architecture: graph });
    expect(made.status, made.text).toBe(201);
    const given = { left: [[1, 2], [3, 4]], right: [[1], [2]] }; // prettier-ignore
    const answer = await post('/v1/models/two/train?wait=true', {
      ...{ optimizer: { name: 'Adam', lr: 0.05 }, loss: 'mse', epochs: 100, batch_size: 1 },
      ...{ inputs: given, targets: [[1], [0]] },
    });
    const { losses } = answer.body as { losses: number[] };
    expect(losses.at(-1)).toBeLessThan(0.1 * losses[0]!);
    await server.request('DELETE', '/v1/models/two');
  });

  it('is refused a loss without a reduction', async () => {
    const { status, body } = await train({ targets: numbers, loss: { name: 'mse', reduction: 'none' } });
    expect(status).toBe(422);
    expect(body).toMatchObject({ errors: [{ path: 'loss.reduction' }] });
  });

  it('fails at a target that is no class, with the last commit kept', async () => {
    const { body } = await train({ targets: [0, 9], loss: 'cross_entropy', batch_size: 1, commit_every: 1 });
    expect(body).toMatchObject({ status: 'failed', error: { code: 'VALUE_INVALID' }, committed_revision: 2 });
  });
});
