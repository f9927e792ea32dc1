// What a real server answers is what openapi.yaml says: every operation once as it should be, and refused in many ways.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventClient } from '../routes/event-client.js';
import { startServer, type TestServer } from '../server.js';
import { operations, validator } from './document.js';

let server: TestServer;
const seen = new Set<string>();

beforeAll(async () => {
  server = await startServer({ workers: 1, limits: { maxModules: 100, maxModels: 4 } });
});
afterAll(() => server.stop());

/** Does an operation and checks the answer against its schema for that status. */
async function perform(
  operationId: string,
  given: { path?: string; query?: string; body?: unknown; status: number },
) {
  const operation = operations.find((candidate) => candidate.operationId === operationId)!;
  const { path = '', query = '', body, status } = given;
  const url = operation.path
    .replace(/\{(model|dataset)\}/, 'net')
    .replace(/\{(path|watchpoint|job)\}/, encodeURIComponent(path));
  const answer = await server.request(operation.method, url + query, body);
  expect(answer.status, `${operationId}: ${answer.text}`).toBe(status);
  const described = operation.responses[status] ?? operation.responses.default!;
  const type = answer.headers.get('content-type')?.split(';')[0];
  if (answer.text === '') {
    expect(type).toBeUndefined();
  } else {
    const media = described.content?.[type!];
    expect(media, `${operationId} ${status} ${type}`).toBeDefined();
    if (type?.endsWith('json')) {
      const validate = validator(media!.schema);
      expect(validate(answer.body), `${operationId}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  }
  if (status >= 400) {
    const { code } = answer.body as { code: string };
    expect(described.description, `${operationId} ${status}`).toContain(code);
  } else {
    seen.add(operationId);
    if (/{model}|{dataset}/.test(operation.path) && status !== 204) {
      expect(answer.headers.get('etag')).toMatch(/^"[0-9a-f-]{36}-\d+"$/);
    }
  }
  return answer;
}

const architecture = {
  type: 'Sequential',
  children: [
    { type: 'Linear', in_features: 4, out_features: 8 },
    { type: 'ReLU' },
    { type: 'Linear', in_features: 8, out_features: 8 },
    { name: 'norm', type: 'BatchNorm1d', num_features: 8 },
    { type: 'Linear', in_features: 8, out_features: 1 },
  ],
};

describe('answers', () => {
  it('about the server', async () => {
    for (const operationId of ['getServer', 'listErrors', 'getHealth', 'getReadiness']) {
      await perform(operationId, { status: 200 });
    }
  });

  it('about a model', async () => {
    const built = await perform('buildModel', { body: { name: 'net', seed: 0, architecture }, status: 201 });
    expect(built.headers.get('location')).toBe('/v1/models/net');
    expect(built.body).toMatchObject({ name: 'net', revision: 1, seed: 0 });
    expect((await perform('getModel', { status: 200 })).body).toEqual(built.body);
    expect((await perform('printModel', { status: 200 })).text).toBe((built.body as { repr: string }).repr);
    await perform('listModels', { query: '?limit=1', status: 200 });
  });

  it('about modules', async () => {
    await perform('listModules', { status: 200 });
    await perform('getModule', { path: '', status: 200 });
    await perform('getModule', { path: '0', status: 200 });
    await perform('getModule', { path: '-1', status: 200 });
  });

  it('about parameters', async () => {
    await perform('listParameters', { query: '?kind=all', status: 200 });
    await perform('getParameter', { path: '0.weight', status: 200 });
    await perform('getParameter', { path: '0.weight', query: '?layout=nested&index=0', status: 200 });
    await perform('getParameter', { path: 'norm.num_batches_tracked', status: 200 });
    await perform('listParameters', { query: '?kind=all&include=value,grad,stats,histogram', status: 200 });
    await perform('getParameter', { path: '0.weight', query: '?bins=-1,0,1', status: 200 });
    await perform('setParameter', { path: '0.bias', query: '?index=0', body: { value: 1 }, status: 200 });
    const ops = [{ op: 'mul', value: 2 }];
    await perform('patchParameter', { path: '0.weight', body: { ops, requires_grad: false }, status: 200 });
    const parameters = { '0.weight': { ops }, '2.bias': { ops } };
    await perform('patchParameters', { body: { parameters }, status: 200 });
    await perform('initParameters', {
      body: { rules: [{ init: { name: 'default' } }], seed: 1 },
      status: 200,
    });
    await perform('initParameters', { body: { rules: [{ init: { name: 'zeros' } }] }, status: 200 });
    await perform('tieParameters', { body: { paths: ['0.bias', '2.bias'] }, status: 200 });
    await perform('untieParameters', { body: { paths: ['2.bias'] }, status: 200 });
  });

  it('about the state', async () => {
    const { body } = await perform('getStateDict', { status: 200 });
    const { state_dict } = body as { state_dict: Record<string, unknown> };
    await perform('loadStateDict', { body: { state_dict }, status: 200 });
    await perform('loadStateDict', { query: '?strict=false', body: { state_dict: {} }, status: 200 });
  });

  it('of a forward', async () => {
    await perform('forward', { body: { inputs: [[1, 2, 3, 4]] }, status: 200 });
    await perform('forward', {
      query: '?layout=nested',
      body: { inputs: [[1, 2, 3, 4]], module: '0' },
      status: 200,
    });
  });

  it('about gradients', async () => {
    const inputs = [[1, 2, 3, 4]];
    const output_grad = [Array(8).fill(1)];
    const given = { inputs, module: '0', output_grad };
    await perform('patchParameter', { path: '0.weight', body: { requires_grad: true }, status: 200 });
    await perform('backward', { body: { ...given, input_grad: true }, status: 200 });
    await perform('getParameter', { path: '0.weight', status: 200 });
    await perform('gradcheck', { body: given, status: 200 });
    await perform('zeroGrad', { body: {}, status: 200 });
  });

  it('about training', async () => {
    const data = { inputs: [[1, 2, 3, 4]], targets: [Array(8).fill(1)], module: '0', loss: 'mse_loss' };
    const optimizer = { name: 'Adam', lr: 0.01 };
    const { body } = await perform('train', { body: { ...data, optimizer, epochs: 2 }, status: 202 });
    const { id } = body as { id: string };
    const kept = await perform('getOptimizer', { status: 200 });
    const { optimizer: name, param_groups, state } = kept.body as Record<string, unknown>;
    await perform('loadOptimizer', { body: { optimizer: name ?? 'SGD', param_groups, state }, status: 200 });
    await perform('getJob', { path: id, status: 200 });
    await perform('cancelJob', { path: id, status: 200 });
    await perform('listJobs', { status: 200 });
    await perform('train', {
      query: '?wait=true',
      body: {
        ...data,
        optimizer: { name: 'SGD', lr: 1e30 },
        epochs: 9,
        validation: { inputs: data.inputs, targets: data.targets },
      },
      status: 200,
    });
  });

  it('about watchpoints', async () => {
    const body = { path: '**', when: 'nan > 0' };
    const made = await perform('addWatchpoint', { body, status: 201 });
    expect(made.headers.get('location')).toBe('/v1/models/net/watchpoints/1');
    await perform('setParameter', { path: '0.bias', body: { value: 'NaN' }, status: 200 });
    expect((await perform('getWatchpoint', { path: '1', status: 200 })).body).toMatchObject({ fired: 1 });
    await perform('listWatchpoints', { status: 200 });
    await perform('removeWatchpoint', { path: '1', status: 204 });
  });

  it('as events', async () => {
    const client = new EventClient(`${server.url}/v1/models/net/events?after=0`);
    expect(await client.next()).toMatchObject({ event: 'subscribed' });
    client.close();
    seen.add('streamEvents');
  });

  it('about changes', async () => {
    const { body } = await perform('listChanges', { status: 200 });
    const { changes } = body as { changes: { revision: number }[] };
    expect(changes.map(({ revision }) => revision)).toEqual(changes.map((_, i) => i + 1));
    await perform('listChanges', { query: '?after=2&limit=1', status: 200 });
  });
});

describe('answers about data sets', () => {
  it('put, listed, read and deleted', async () => {
    const columns = { x: [[1, 2]], y: { dtype: 'int64', shape: [1], data: [3] } };
    const put = await perform('putDataset', { body: { columns }, status: 201 });
    expect(put.headers.get('location')).toBe('/v1/datasets/net');
    await perform('putDataset', { body: { columns }, status: 200 });
    await perform('listDatasets', { query: '?limit=1', status: 200 });
    await perform('getDataset', { status: 200 });
    await perform('getDataset', { query: '?rows=0:1&columns=x,y&layout=nested', status: 200 });
    await perform('deleteDataset', { status: 204 });
  });
});

describe('refusals', () => {
  const refused: [operationId: string, given: Parameters<typeof perform>[1]][] = [
    ['buildModel', { body: { name: 'net', architecture: 'nn.ReLU()' }, status: 409 }],
    ['buildModel', { body: { name: '-', architecture: 'nn.ReLU()' }, status: 422 }],
    ['buildModel', { body: { name: 'constructor', architecture: 'nn.ReLU()' }, status: 422 }],
    ['buildModel', { body: { name: 'b', architecture: 'nn.Relu()' }, status: 422 }],
    ['buildModel', { body: { name: 'b', architecture: { type: 'Linear', in_featurs: 1 } }, status: 422 }],
    ['buildModel', { body: { name: 'b', architecture: 'nn.Linear(65536, 65536)' }, status: 413 }],
    ['buildModel', { body: { name: 'b', architecture: 7 }, status: 422 }],
    ['listModels', { query: '?limit=x', status: 422 }],
    ['listModules', { query: '?prefix=9', status: 404 }],
    ['getModule', { path: '9', status: 404 }],
    ['putModule', { path: '0', body: { architecture: 'nn.Nothing()' }, status: 422 }],
    ['putModule', { path: '', body: {}, status: 422 }],
    ['removeModule', { path: '9', status: 404 }],
    ['listParameters', { query: '?kind=x', status: 422 }],
    ['getParameter', { path: 'weight', status: 404 }],
    ['getParameter', { path: '__proto__', status: 404 }],
    ['getParameter', { path: '0.weight', query: '?index=8', status: 422 }],
    ['getParameter', { path: '0.weight', query: '?index=a', status: 422 }],
    ['setParameter', { path: '0.weight', body: { value: [1, 2, 3] }, status: 422 }],
    ['setParameter', { path: '0.weight', body: { value: [[1], [1, 2]] }, status: 422 }],
    ['setParameter', { path: '0.weight', body: { value: 'one' }, status: 422 }],
    ['setParameter', { path: '0.weight', query: '?index=9', body: { value: 1 }, status: 422 }],
    [
      'patchParameter',
      { path: '0.weight', body: { ops: [{ op: 'map', expression: 'eval(1)' }] }, status: 422 },
    ],
    ['patchParameter', { path: 'nothing', body: { ops: [{ op: 'mul', value: 2 }] }, status: 404 }],
    ['patchParameters', { body: { parameters: { '0.weight': { ops: [{ op: 'add' }] } } }, status: 422 }],
    ['initParameters', { body: { rules: [{ init: { name: 'xavier' } }] }, status: 422 }],
    ['initParameters', { body: { rules: [{ types: ['Liner'], init: { name: 'zeros' } }] }, status: 422 }],
    ['tieParameters', { body: { paths: ['0.weight', '0.bias'] }, status: 422 }],
    ['untieParameters', { body: { paths: ['nothing'] }, status: 404 }],
    ['loadStateDict', { body: { state_dict: { a: 1 } }, status: 422 }],
    ['getStateDict', { query: '?module=9', status: 404 }],
    ['forward', { body: { inputs: [[1, 2, 3, 4, 5]] }, status: 422 }],
    ['forward', { body: { inputs: 'x' }, status: 422 }],
    ['materialize', { body: { shape: [-1] }, status: 422 }],
    ['materialize', { body: { shape: [2, 4], module: '9' }, status: 404 }],
    ['forward', { body: { inputs: [[1, 2, 3, 4]], module: '9' }, status: 404 }],
    ['listChanges', { query: '?after=9999', status: 422 }],
    ['listParameters', { query: '?include=values', status: 422 }],
    ['getParameter', { path: '0.weight', query: '?bins=0', status: 422 }],
    ['addWatchpoint', { body: { path: '**', when: 'nrom > 1' }, status: 422 }],
    ['addWatchpoint', { body: { path: '', when: 'norm > 1', on: 'values' }, status: 422 }],
    ['getWatchpoint', { path: '9', status: 404 }],
    ['removeWatchpoint', { path: '__proto__', status: 404 }],
    ['backward', { body: { inputs: [[1, 2, 3, 4]] }, status: 422 }],
    ['gradcheck', { body: { inputs: [[1, 2]], output_grad: [[1]] }, status: 422 }],
    ['zeroGrad', { body: { module: '9' }, status: 404 }],
    [
      'train',
      { body: { optimizer: { name: 'SDG' }, loss: 'mse_loss', inputs: [[1]], targets: [[1]] }, status: 422 },
    ],
    ['getJob', { path: 'nobody', status: 404 }],
    ['loadOptimizer', { body: { optimizer: 'SDG', param_groups: [], state: {} }, status: 422 }],
    ['loadOptimizer', { body: { optimizer: 'SGD', param_groups: [], state: { 'a.b': 1 } }, status: 422 }],
    ['putDataset', { body: { columns: [] }, status: 422 }],
    ['putDataset', { body: { columns: {} }, status: 422 }],
    ['putDataset', { body: { columns: { x: [1], y: [1, 2] } }, status: 422 }],
    ['putDataset', { body: { columns: { x: ['a'] } }, status: 422 }],
    ['getDataset', { status: 404 }],
    ['deleteDataset', { status: 404 }],
  ];

  it.each(refused)('of %s (%j) have a code that the document names', async (operationId, given) => {
    await perform(operationId, given);
  });

  it('change nothing', async () => {
    const { body } = await perform('getModel', { status: 200 });
    await perform('patchParameters', {
      body: {
        parameters: {
          '0.bias': { ops: [{ op: 'add', value: 1 }] },
          '0.weight': {
            ops: [
              { op: 'add', value: [1] },
              { op: 'set', index: '9', value: 1 },
            ],
          },
        },
      },
      status: 422,
    });
    expect((await perform('getModel', { status: 200 })).body).toEqual(body);
  });
});

describe('at the end', () => {
  it('modules are put and removed, and the model deleted', async () => {
    await perform('putModule', { path: '5', body: { architecture: 'nn.LazyLinear(2)' }, status: 200 });
    await perform('getModule', { path: '5', status: 200 });
    await perform('getParameter', { path: '5.weight', status: 200 });
    await perform('listParameters', { status: 200 });
    await perform('getStateDict', { status: 200 });
    await perform('materialize', { body: { shape: [1, 3], module: '5' }, status: 200 });
    await perform('removeModule', { path: '5', status: 200 });
    await perform('deleteModel', { status: 204 });
    await perform('deleteModel', { status: 404 });
  });

  it('every operation was performed', () => {
    expect([...seen].sort()).toEqual(operations.map(({ operationId }) => operationId).sort());
  });
});
