// Training on named data sets.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const rows = Array.from({ length: 24 }, (_, i) => [(i % 5) / 5 - 0.4, (i % 3) / 3 - 0.3]);
const y = rows.map(([a, b]) => 2 * a! - b! + 0.5);
const kinds = rows.map(([a, b]) => Number(a! > b!));

beforeEach(async () => {
  await server.request('DELETE', '/v1/models/net');
  await build('nn.Linear(2, 1)');
  await server.request('PUT', '/v1/datasets/points', {
    columns: {
      ...{
        x: rows,
        x1: rows.map(([a]) => a),
        x2: rows.map(([, b]) => b),
        y,
        column: y.map((value) => [value]),
      },
      ...{ kind: { dtype: 'int64', shape: [24], data: kinds }, float_kind: kinds },
    },
  });
});

async function build(architecture: string): Promise<void> {
  await server.request('DELETE', '/v1/models/net');
  const { status } = await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
  expect(status).toBe(201);
}

const base = {
  optimizer: { name: 'SGD', lr: 0.1 },
  loss: 'mse',
  epochs: 3,
  batch_size: 7,
  shuffle: true,
  seed: 1,
};
async function train(body: object) {
  const answer = await server.request('POST', '/v1/models/net/train?wait=true', { ...base, ...body });
  return answer as typeof answer & { body: { status: string; losses: number[]; history: unknown[] } };
}
const weights = async () => (await server.request('GET', '/v1/models/net/state_dict')).body;

describe('a training on a data set', () => {
  it.each([
    ['one column as it is', { inputs: 'x', targets: 'column' }],
    ['columns side by side', { inputs: ['x1', 'x2'], targets: ['y'] }],
  ])('of %s is that on the same tensors, to the bit', async (_what, names) => {
    const sent = await train({ inputs: rows, targets: y.map((value) => [value]) });
    const expected = (await weights()) as { state_dict: unknown };
    await build('nn.Linear(2, 1)');
    const named = await train({ dataset: 'points', ...names });
    expect(named.body.losses).toEqual(sent.body.losses);
    expect(((await weights()) as { state_dict: unknown }).state_dict).toEqual(expected.state_dict);
  });

  it.each(['kind', 'float_kind'])('takes whole numbers as classes: %s', async (targets) => {
    await build('nn.Linear(2, 2)');
    const { body } = await train({
      ...{ dataset: 'points', inputs: 'x', targets, loss: 'cross_entropy', epochs: 40 },
      validation: { dataset: 'points', inputs: ['x1', 'x2'], targets },
    });
    expect(body.status).toBe('done');
    const { validation } = body.history.at(-1) as { validation: { accuracy: number } };
    expect(validation.accuracy).toBeGreaterThan(0.9);
  });

  it('goes on with its values when the data set is deleted, which are let go when it is over', async () => {
    await server.request('DELETE', '/v1/datasets/points');
    const { memory } = server.engine;
    const before = memory.bytesInUse;
    await server.request('PUT', '/v1/datasets/points', {
      columns: { x: rows, y: y.map((value) => [value]) },
    });
    const started = await server.request('POST', '/v1/models/net/train', {
      ...{ ...base, epochs: 1_000_000, commit_every: 100 },
      ...{ dataset: 'points', inputs: 'x', targets: 'y' },
    });
    expect(started.status).toBe(202);
    expect((await server.request('DELETE', '/v1/datasets/points')).status).toBe(204);
    expect(server.engine.datasets.bytes).toBeGreaterThan(0);
    const { id } = started.body as { id: string };
    const { body } = await server.request('DELETE', `/v1/jobs/${id}`);
    expect(body).toMatchObject({ status: 'cancelled' });
    expect(server.engine.datasets.bytes).toBe(0);
    await server.request('DELETE', '/v1/models/net');
    await build('nn.Linear(2, 1)');
    expect(memory.bytesInUse).toBeLessThanOrEqual(before + 65_536);
  });

  it('of several inputs and targets takes them by name', async () => {
    await server.request('DELETE', '/v1/models/net');
    const architecture = {
      type: 'Graph',
      inputs: ['left', 'right'],
      nodes: [
        { name: 'both', op: 'stack', inputs: ['left', 'right'], dim: 1 },
        { name: 'out', module: { type: 'Linear', in_features: 2, out_features: 1 }, inputs: ['both'] },
      ],
      outputs: ['out'],
    };
    await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
    const { body } = await train({
      ...{ dataset: 'points', inputs: { left: 'x1', right: 'x2' }, epochs: 60 },
      ...{ targets: { target: 'column', var: ['float_kind'] }, loss: { name: 'gaussian_nll', eps: 1 } },
    });
    expect(body.losses.at(-1)).toBeLessThan(body.losses[0]!);
  });
});

describe('a training on a data set is refused', () => {
  it.each([
    [{ dataset: 'point', inputs: 'x', targets: 'y' }, 404, 'DATASET_NOT_FOUND', 'did you mean "points"?'],
    [{ dataset: 'points', inputs: 'x', targets: 'z' }, 422, 'COLUMN_UNKNOWN', 'has no column "z"'],
    [{ dataset: 'points', inputs: ['x1', '__proto__'], targets: 'y' }, 422, 'COLUMN_UNKNOWN', '__proto__'],
    [{ dataset: 'points', inputs: [[1, 2]], targets: 'y' }, 422, 'INVALID_REQUEST', 'inputs: must name columns of the data set'],
    [{ dataset: 'points', inputs: 'x', targets: 'y', loss: 'cross_entropy' }, 422, 'VALUE_INVALID', 'column "y", row 1'],
    [{ dataset: 'points', inputs: { left: 'x' }, targets: 'y' }, 422, 'TENSOR_INVALID', 'inputs'],
    [{ inputs: 'x', targets: 'y' }, 422, 'TENSOR_INVALID', ''],
    [{ inputs: rows, targets: y.map((value) => [value]), validation: { dataset: 'points', inputs: 'x', targets: 7 } }, 422, 'INVALID_REQUEST', 'validation.targets: must name columns'],
  ])('%#: %j', async (body, status, code, detail) => {
    const answer = await server.request('POST', '/v1/models/net/train?wait=true', { ...base, ...body });
    expect(answer.status, answer.text).toBe(status);
    expect(answer.body).toMatchObject({ code });
    expect((answer.body as { detail: string }).detail).toContain(detail);
    expect((await server.request('DELETE', '/v1/datasets/points')).status).toBe(204);
    expect(server.engine.datasets.bytes, 'nothing is held').toBe(0);
  }); // prettier-ignore

  it('where a class is not whole', async () => {
    await build('nn.Linear(2, 2)');
    const { status, body } = await train({
      dataset: 'points',
      inputs: 'x',
      targets: 'y',
      loss: 'cross_entropy',
    });
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'VALUE_INVALID',
      detail: expect.stringContaining('is no int64') as string,
    });
    expect((await server.request('GET', '/v1/models/net')).body).toMatchObject({ revision: 1 });
  });
});
