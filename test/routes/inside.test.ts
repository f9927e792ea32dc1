// Captures and interventions over HTTP and the stream, on a whole server.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type TestServer } from '../server.js';
import { StreamClient } from './stream-client.js';

const NET = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))';
const X = [
  [1, 2, 3, 4],
  [0, -1, 0, 1],
];

interface Tensor {
  readonly shape: number[];
  readonly data: number[];
}
interface Answer {
  readonly revision: number;
  readonly outputs: Tensor;
  readonly captured: Record<string, Tensor>;
  readonly captured_grads: Record<string, Tensor | null>;
  readonly code: string;
  readonly detail: string;
  readonly errors: { path: string; message: string }[];
}

let server: TestServer;
const clients: StreamClient[] = [];
beforeAll(async () => {
  server = await startServer();
  await send('', { name: 'net', seed: 0, architecture: NET }, '/v1/models');
});
afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.socket.terminate();
    await client.closed;
  }
});
afterAll(() => server.stop());

async function send(action: string, body: unknown, path = `/v1/models/net/${action}`) {
  const { status, body: answer, headers } = await server.request('POST', path, body);
  return { status, headers, body: answer as Answer };
}

async function open(): Promise<StreamClient> {
  const client = await StreamClient.open(`${server.url.replace('http', 'ws')}/v1/models/net/stream`);
  clients.push(client);
  return client;
}

describe('a forward over HTTP', () => {
  it('answers what it captures beside its outputs, in the layout that is wanted, and changes nothing', async () => {
    const capture = ['0', { path: '1', index: ':,0' }, { path: '2', stats: true }];
    const { status, body, headers } = await send('forward?layout=nested', { inputs: X, capture });
    expect(status).toBe(200);
    expect(Object.keys(body.captured)).toEqual(['0', '1', '2']);
    expect(body.captured['0']!.data).toHaveLength(2);
    expect(body.captured['1']!.shape).toEqual([2]);
    expect(body.captured['2']).toMatchObject({ shape: [2, 2], numel: 4 });
    expect(body.revision).toBe(1);
    expect(headers.get('etag')).toMatch(/-1"$/);
    expect((await send('forward', { inputs: X })).body.captured).toBeUndefined();
  });

  it('writes large captured tensors as small ones, and lets go of them', async () => {
    await send(
      '',
      { name: 'wide', seed: 0, architecture: 'nn.Sequential(nn.Linear(4, 3000), nn.ReLU())' },
      '/v1/models',
    );
    const inputs = Array.from({ length: 20 }, () => X[0]);
    const path = '/v1/models/wide/forward';
    const row = (await send('', { inputs: X, capture: ['0'] }, path)).body.captured['0']!.data.slice(0, 3000);
    const bytes = server.engine.memory.bytesInUse;
    const { body } = await send('', { inputs, capture: ['*'] }, path);
    expect(body.captured['0']!.shape).toEqual([20, 3000]);
    expect(body.captured['0']!.data.slice(-3000)).toEqual(row);
    expect(body.captured['1']!.data).toEqual(body.outputs.data);
    await vi.waitFor(() => expect(server.engine.memory.bytesInUse).toBe(bytes));
  });

  it('takes a raw body by itself, and answers no raw bytes where something is captured', async () => {
    const url = `${server.url}/v1/models/net/forward`;
    const headers = { 'content-type': 'application/json', accept: 'application/octet-stream' };
    const post = (body: unknown) => fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const bytes = server.engine.memory.bytesInUse;
    const refused = await post({ inputs: X, capture: ['0'] });
    expect(refused.status).toBe(406);
    expect(await refused.json()).toMatchObject({ code: 'NOT_ACCEPTABLE' });
    const raw = await post({
      inputs: X,
      interventions: { outputs: { 1: 0 }, parameters: { '2.bias': [5, 6] } },
    });
    expect([...new Float32Array(await raw.arrayBuffer())]).toEqual([5, 6, 5, 6]);
    await vi.waitFor(() => expect(server.engine.memory.bytesInUse).toBe(bytes));
  });

  it('in train mode is a change, with what it captures', async () => {
    const architecture = 'nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5))';
    await send('', { name: 'trained', seed: 0, architecture }, '/v1/models');
    const asked = {
      inputs: X,
      mode: 'train',
      capture: ['*'],
      interventions: { parameters: { '0.bias': 1 } },
    };
    const { body } = await send('', asked, '/v1/models/trained/forward');
    expect(body.revision).toBe(2);
    expect(body.captured['1']).toEqual(body.outputs);
    const bias = await server.request('GET', '/v1/models/trained/parameters/0.bias');
    expect((bias.body as { value: Tensor }).value.data).toEqual([0, 0, 0, 0]);
  });

  it('is told all that is wrong with what it asks, with the way to each', async () => {
    const { status, body } = await send('forward', {
      inputs: X,
      capture: [
        { index: '0' },
        3,
        { path: '0', bins: 3 },
        { path: '0', stats: true, bins: [3, 1] },
        { pth: '0', path: '0' },
      ],
      interventions: {
        outputs: {
          0: { value: 1 },
          1: [{ op: 'st', value: 1 }],
          2: {},
          a: { op: 'set', value: 1, index: 4 },
        },
        parameter: {},
      },
    });
    expect(status).toBe(422);
    expect(body.code).toBe('INVALID_REQUEST');
    expect(Object.fromEntries(body.errors.map(({ path, message }) => [path, message]))).toMatchObject({
      'capture[0]': 'needs a path or a type',
      'capture[1]': 'must be a path, or an object with a path or a type',
      'capture[2].bins': 'are those of a histogram: stats must be true',
      'capture[3].bins': 'edges must ascend: 1 comes after 3',
      'capture[4].pth': 'unknown field; did you mean path?',
      'interventions.outputs["0"].op': 'is required',
      'interventions.outputs["1"][0].op': expect.stringContaining('did you mean set?') as string,
      'interventions.outputs["2"].value': 'is required',
      'interventions.outputs.a.index': 'must be an index, e.g. ":,0"',
      'interventions.parameter': expect.stringContaining('did you mean parameters?') as string,
    });
  });

  it('takes no more entries than it is bounded to', async () => {
    const many = Array<string>(33).fill('0');
    const { body } = await send('forward', { inputs: X, capture: many });
    expect(body.errors).toEqual([{ path: 'capture', message: 'must have at most 32 entries' }]);
    const outputs = Object.fromEntries(many.map((_, i) => [`m${i}`, 0]));
    const { body: other } = await send('forward', { inputs: X, interventions: { outputs } });
    expect(other.errors).toEqual([
      { path: 'interventions.outputs', message: 'must have at most 32 entries' },
    ]);
    const long = 'x'.repeat(257);
    const { body: third } = await send('forward', {
      inputs: X,
      capture: [long],
      interventions: { parameters: { [long]: 0 } },
    });
    expect(third.errors.map(({ message }) => message)).toEqual(
      Array(2).fill('must have at most 256 characters'),
    );
  });

  it('reads large interventions with workers, in the words of small ones', async () => {
    const value = Array.from({ length: 2 }, (_, i) => Array.from({ length: 3000 }, (_, j) => i + j));
    const path = '/v1/models/wide/forward';
    const { body } = await send('', { inputs: X, interventions: { outputs: { 0: value } } }, path);
    expect(body.outputs.data).toEqual(value.flat());
    const wrong = value.map((row) => row.map((x, j) => (j === 2999 ? 'x' : x)));
    const { body: refused } = await send('', { inputs: X, interventions: { outputs: { 0: wrong } } }, path);
    expect(refused).toMatchObject({ code: 'TENSOR_INVALID' });
    expect(refused.errors[0]!.path).toBe('interventions.outputs.0[0][2999]');
  });
});

describe('a backward over HTTP', () => {
  it('answers the gradients of what it captures', async () => {
    const output_grad = [
      [1, 0],
      [0, 1],
    ];
    const { body } = await send('backward', {
      inputs: X,
      output_grad,
      capture: ['2', '0'],
      capture_grad: true,
    });
    expect(body.captured_grads['2']!.data).toEqual(output_grad.flat());
    expect(body.captured_grads['0']!.shape).toEqual([2, 8]);
    const { body: refused } = await send('backward', { inputs: X, output_grad, capture_grad: true });
    expect(refused.errors).toEqual([{ path: 'capture_grad', message: 'of what? there is no capture' }]);
  });
});

describe('a forward over the stream', () => {
  it('captures and intervenes as over HTTP', async () => {
    const asked = {
      inputs: X,
      capture: ['0', { path: '1', stats: true }],
      interventions: { outputs: { 0: { op: 'add', value: 1, index: ':,0' } } },
    };
    const { outputs, captured, revision } = (await send('forward', asked)).body;
    const client = await open();
    client.send({ type: 'forward', id: 1, ...asked });
    expect(await client.next()).toMatchObject({ type: 'outputs', id: 1, revision, outputs, captured });
    client.send({ type: 'forward', id: 2, inputs: X });
    expect(await client.next()).not.toHaveProperty('captured');
    client.send({ type: 'forward', id: 3, ...asked, capture: ['nowhere'] });
    expect(await client.next()).toMatchObject({ type: 'error', id: 3, code: 'MODULE_NOT_FOUND' });
    client.send({ type: 'forward', id: 4, ...asked, capture: [{ path: 0 }] });
    expect(await client.next()).toMatchObject({
      type: 'error',
      id: 4,
      errors: [{ path: 'capture[0].path' }],
    });
  });

  it('intervenes by the header of a binary frame, which captures nothing', async () => {
    const interventions = { parameters: { '2.bias': [5, 6] }, outputs: { 1: 0 } };
    const frame = (fields: object): Buffer => {
      const header = { type: 'forward', id: 5, shape: [2, 4], ...fields };
      const text = Buffer.from(JSON.stringify(header));
      const begin = Math.ceil((4 + text.length) / 8) * 8;
      const bytes = Buffer.alloc(begin + 4 * X.flat().length);
      bytes.writeUInt32LE(text.length, 0);
      bytes.set(text, 4);
      bytes.set(new Uint8Array(Float32Array.from(X.flat()).buffer), begin);
      return bytes;
    };
    const client = await open();
    client.send(frame({ interventions }));
    const answer = await client.nextFrame();
    expect([...new Float32Array(Uint8Array.from(answer.subarray(-16)).buffer)]).toEqual([5, 6, 5, 6]);
    client.send(frame({ capture: ['0'] }));
    expect(await client.next()).toMatchObject({ type: 'error', id: 5, errors: [{ path: 'capture' }] });
  });
});
