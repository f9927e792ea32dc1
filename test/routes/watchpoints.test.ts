import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ServerMessage } from '#src/models/stream-messages.js';
import { startServer, type TestServer } from '../server.js';
import { StreamClient } from './stream-client.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const NET = '/v1/models/net';
const architecture = 'nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))';

beforeEach(async () => {
  await server.request('DELETE', NET);
  expect((await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture })).status).toBe(
    201,
  );
});

async function watch(path: string, when: string): Promise<string> {
  const { status, headers, body } = await server.request('POST', `${NET}/watchpoints`, { path, when });
  expect(status).toBe(201);
  const location = headers.get('location')!;
  expect(location).toBe(`${NET}/watchpoints/${(body as { id: string }).id}`);
  return location;
}

const set = async (path: string, value: unknown): Promise<void> => {
  expect((await server.request('PUT', `${NET}/parameters/${path}`, { value })).status).toBe(200);
};

async function subscribe(fields: object = {}, path = NET): Promise<StreamClient> {
  const client = await StreamClient.open(`${server.url.replace('http', 'ws')}${path}/stream`);
  client.send({ type: 'subscribe', id: 'a', ...fields });
  expect((await client.next()).type).toBe('subscribed');
  return client;
}

async function nextAlert(client: StreamClient): Promise<ServerMessage & { type: 'alert' }> {
  for (;;) {
    const message = await client.next();
    if (message.type === 'alert') return message;
  }
}

describe('a watchpoint on a server', () => {
  it('tells the stream after the change that made its condition true, once', async () => {
    const location = await watch('*.weight', 'norm > 100 or nan > 0');
    const [one, all] = [await subscribe(), await subscribe({}, '/v1')];
    await set('0.weight', 3);
    await set('0.weight', 4);
    await set('0.weight', 0);
    await set('0.weight', 'NaN');
    await set('2.bias', 1000);
    for (const client of [one, all]) {
      const messages: ServerMessage[] = [];
      while (messages.filter(({ type }) => type === 'alert').length < 2) messages.push(await client.next());
      for (const revision of [2, 5]) {
        const at = (type: string) =>
          messages.findIndex((m) => m.type === type && 'revision' in m && m.revision === revision);
        expect(at('alert')).toBeGreaterThan(at('change'));
      }
      expect(messages.filter(({ type }) => type === 'alert')).toMatchObject([
        { revision: 2, path: '0.weight', stats: { norm: 271.529, shape: [64, 128] } },
        { revision: 5, path: '0.weight', stats: { norm: 'NaN', nan: 8192 } },
      ]);
      await client.close();
    }
    expect((await server.request('GET', location)).body).toMatchObject({
      revision: 6,
      evaluated: 6,
      fired: 2,
      state: { '0.weight': true, '2.weight': false },
      last_alert: { revision: 5, stats: { nan: 8192 } },
    });
  });

  it('tells who resumes of what fired while it was away', async () => {
    await watch('**', 'max > 100');
    await set('0.bias', 500);
    await server.request('GET', `${NET}/watchpoints`);
    const client = await subscribe({ after: 1 });
    expect(await nextAlert(client)).toMatchObject({ revision: 2, path: '0.bias', watchpoint: '1' });
    await client.close();
  });

  it('refuses everything wrong at once, with the nearest name', async () => {
    const body = { path: '', when: 3, on: 'gard' };
    const { status, body: problem } = await server.request('POST', `${NET}/watchpoints`, body);
    expect(status).toBe(422);
    expect(problem).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [
        { path: 'path', message: 'must not be empty' },
        { path: 'when', message: 'must be a condition, e.g. "norm > 100 or nan > 0"' },
        { path: 'on', message: 'must be one of value, grad' },
      ],
    });
    const unknown = await server.request('POST', `${NET}/watchpoints`, { path: '**', when: 'means > 1' });
    expect(unknown.body).toMatchObject({
      code: 'EXPRESSION_INVALID',
      errors: [{ path: 'when', message: 'unknown name means; did you mean mean?, at character 1' }],
    });
    expect((await server.request('GET', `${NET}/watchpoints`)).body).toMatchObject({ watchpoints: [] });
  });

  it('ends with its model', async () => {
    const location = await watch('**', 'max > 100');
    await server.request('DELETE', NET);
    expect((await server.request('GET', location)).body).toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await server.request('POST', '/v1/models', { name: 'net', architecture });
    expect((await server.request('GET', location)).body).toMatchObject({ code: 'WATCHPOINT_NOT_FOUND' });
  });
});

describe('statistics on a server', () => {
  it('are of the revision that they are answered with, though the parameter changes meanwhile', async () => {
    await set('0.weight', 0);
    const reads = Array.from({ length: 20 }, async (_, i) => {
      const changing = set('0.weight', i + 1);
      const { body } = await server.request('GET', `${NET}/parameters/0.weight?include=stats,value&index=0`);
      await changing;
      return body as { last_changed: number; value: { data: number[] }; stats: { max: number; min: number } };
    });
    for (const { value, stats } of await Promise.all(reads)) {
      expect(stats).toMatchObject({ max: value.data[0], min: value.data[0], numel: 128 });
    }
  });

  it('come in a list with values, large ones too, and leave nothing held', async () => {
    const { memory } = server.engine;
    const before = memory.bytesInUse;
    const { body } = await server.request('GET', `${NET}/parameters?include=value,stats,grad`);
    const { parameters } = body as { parameters: { path: string; value: { data: number[] } }[] };
    expect(parameters).toMatchObject([
      { path: '0.weight', grad: null, stats: { shape: [64, 128], nan: 0 } },
      { path: '0.bias', grad: null, stats: { shape: [64] } },
      { path: '2.weight', grad: null, stats: { shape: [1, 64] } },
      { path: '2.bias', grad: null, stats: { std: null } },
    ]);
    expect(parameters.map(({ value }) => value.data.length)).toEqual([8192, 64, 64, 1]);
    await expect.poll(() => memory.bytesInUse).toBe(before);
  });

  it('are told on the stream with a histogram of the bins asked for', async () => {
    const client = await subscribe({ detail: 'histogram', bins: [-1, 0, 1] });
    await set('2.bias', 0.5);
    expect(await client.next()).toMatchObject({
      type: 'change',
      parameters: [
        { path: '2.bias', stats: { mean: 0.5, histogram: { edges: [-1, 0, 1], counts: [0, 1] } } },
      ],
    });
    await client.close();
  });
});
