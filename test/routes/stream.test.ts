import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { streamRoutes, type StreamOptions } from '#routes/stream.js';
import { readConfig } from '#src/config.js';
import { answerProblems } from '#src/plugins/problems.js';
import { typed } from '#src/plugins/schema.js';
import { acceptWebSockets } from '#src/plugins/websocket.js';
import { changed, ModelDirectory, WatchedModel } from '../models/watched-models.js';
import { refusal, StreamClient } from './stream-client.js';

const apps: FastifyInstance[] = [];

async function serve(directory: ModelDirectory, limits: StreamOptions['limits'] = {}) {
  const app = Fastify();
  apps.push(app);
  const config = readConfig({
    WEIGHTROOM_ALLOWED_ORIGINS: 'https://dashboard.example',
    WEIGHTROOM_WS_MESSAGE_LIMIT_BYTES: '4096',
  });
  answerProblems(app);
  await acceptWebSockets(app, config);
  streamRoutes(typed(app), { directory, models: { find: () => undefined }, config, limits });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const url = `ws://127.0.0.1:${port}/v1/stream`;
  return {
    app,
    port,
    url,
    modelUrl: (name: string) => `ws://127.0.0.1:${port}/v1/models/${name}/stream`,
    open: (options?: ClientOptions) => StreamClient.open(url, options),
  };
}

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a socket', () => {
  it('is greeted first, with the server and its limits', async () => {
    const { url } = await serve(new ModelDirectory());
    expect(await new StreamClient(url).next()).toEqual({
      type: 'hello',
      server: { name: 'weightroom', version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string },
      limits: {
        max_message_bytes: 4096,
        max_subscriptions: 64,
        max_models_per_subscription: 64,
        max_forwards: 1024,
        high_water_bytes: 1048576,
        hard_limit_bytes: 8388608,
      },
    });
  });

  it('sends changes in order with what was asked for, through every alias', async () => {
    const net = new WatchedModel('net');
    const { open } = await serve(new ModelDirectory(net));
    const client = await open();
    client.send({ type: 'subscribe', id: 'a', models: ['net'], prefix: '2.', detail: 'values' });
    expect(await client.next()).toMatchObject({ type: 'subscribed', id: 'a', revision: 0 });
    net.change([changed({ path: '0.weight', aliases: ['2.weight'], index: '1', values: [1, 42] })]);
    net.change([changed({ path: '0.bias' })]);
    net.change([changed({ path: '2.bias', values: [0.1, -0, NaN, -Infinity] })], 'init');
    expect(await client.take(2)).toMatchObject([
      {
        revision: 1,
        kind: 'patch',
        parameters: [
          { path: '0.weight', aliases: ['2.weight'], index: '1', value: { shape: [], data: [42] } },
        ],
      },
      {
        revision: 3,
        kind: 'init',
        parameters: [
          { path: '2.bias', index: null, value: { shape: [4], data: [0.1, -0, 'NaN', '-Infinity'] } },
        ],
      },
    ]);
    client.send({ type: 'unsubscribe', id: 'a' });
    expect(await client.next()).toEqual({ type: 'unsubscribed', id: 'a' });
    net.change([changed({ path: '2.bias' })]);
    expect(await client.settled()).toEqual([]);
  });

  it('of one model is about that model alone', async () => {
    const net = new WatchedModel('net');
    const directory = new ModelDirectory(net, new WatchedModel('other'));
    const { modelUrl } = await serve(directory);
    const client = await StreamClient.open(modelUrl('net'));
    client.send({ type: 'subscribe', id: 1, models: ['other'] });
    expect(await client.next()).toMatchObject({
      type: 'error',
      id: 1,
      code: 'INVALID_REQUEST',
      errors: [{ path: 'models' }],
    });
    client.send({ type: 'subscribe', id: 1, after: 0 });
    expect(await client.next()).toMatchObject({ type: 'subscribed', models: { net: {} }, revision: 0 });
    net.change();
    directory.remove('net');
    expect(await client.take(2)).toMatchObject([
      { type: 'change', revision: 1 },
      { type: 'deleted', model: 'net', revision: 1 },
    ]);
    client.send({ type: 'subscribe', id: 2 });
    expect(await client.next()).toMatchObject({ type: 'error', code: 'MODEL_NOT_FOUND' });
  });

  it('answers ping, with its id if it has one', async () => {
    const { open } = await serve(new ModelDirectory());
    const client = await open();
    client.send({ type: 'ping' });
    client.send({ type: 'ping', id: 3 });
    expect(await client.take(2)).toEqual([{ type: 'pong' }, { type: 'pong', id: 3 }]);
  });

  it('that its client leaves lets go of the directory', async () => {
    const directory = new ModelDirectory(new WatchedModel('net'));
    const { open, app } = await serve(directory);
    const client = await open();
    client.send({ type: 'subscribe', id: 'a' });
    await client.next();
    const [server] = app.websocketServer.clients;
    const left = new Promise((resolve) => server!.on('close', resolve));
    client.socket.terminate();
    await left;
    expect(directory.listeners).toBe(0);
  });

  it('is closed with 1001 when the server closes, and the server does not wait for a client that does not answer', async () => {
    const { open, app } = await serve(new ModelDirectory());
    const [client, deaf] = [await open(), await open()];
    deaf.socket.pause();
    await app.close();
    expect((await client.closed).code).toBe(1001);
    deaf.socket.terminate();
  });

  it('whose client is gone without a word is ended after some heartbeats, others are not', async () => {
    const { open } = await serve(new ModelDirectory(), { heartbeatMs: 20 });
    const [client, silent] = [await open(), await open({ autoPong: false })];
    expect((await silent.closed).code).toBe(1006);
    expect(await client.settled()).toEqual([]);
  });
});

describe('a message that is wrong', () => {
  it.each<[text: string, expected: object]>([
    ['{', { code: 'INVALID_JSON' }],
    ['[]', { code: 'INVALID_REQUEST', errors: [{ path: '' }] }],
    ['null', { code: 'INVALID_REQUEST', errors: [{ path: '' }] }],
    ['{}', { code: 'INVALID_REQUEST', errors: [{ path: 'type', message: 'is required' }] }],
    [
      '{"type":"subscribed","id":"a"}',
      {
        id: 'a',
        code: 'INVALID_REQUEST',
        errors: [
          {
            path: 'type',
            message: 'must be one of subscribe, unsubscribe, forward, ping; did you mean subscribe?',
          },
        ],
      },
    ],
    ['{"type":"constructor"}', { code: 'INVALID_REQUEST', errors: [{ path: 'type' }] }],
    ['{"type":"unsubscribe"}', { code: 'INVALID_REQUEST', errors: [{ path: 'id' }] }],
    [
      '{"type":"subscribe","id":2,"prefx":"0.","details":"values","kinds":["patched"],"after":"1"}',
      {
        id: 2,
        errors: [
          { path: 'kinds[0]' },
          { path: 'after', message: 'must be a revision, or an object of revisions by model' },
          { path: 'prefx', message: 'unknown field; did you mean prefix?' },
          { path: 'details', message: 'unknown field; did you mean detail?' },
        ],
      },
    ],
    [
      '{"type":"subscribe","models":["nowhere"]}',
      { code: 'MODEL_NOT_FOUND', errors: [{ path: 'models[0]' }] },
    ],
    [
      '{"type":"subscribe","models":["net"],"after":1}',
      { code: 'REVISION_UNKNOWN', errors: [{ path: 'after.net' }] },
    ],
    ['{"type":"subscribe","id":{"a":1}}', { code: 'INVALID_REQUEST', errors: [{ path: 'id' }] }],
    ['{"type":"unsubscribe","id":"b"}', { id: 'b', code: 'INVALID_REQUEST', errors: [{ path: 'id' }] }],
  ])('%s is answered with what is wrong, and the socket lives on', async (text, expected) => {
    const { open } = await serve(new ModelDirectory(new WatchedModel('net')));
    const client = await open();
    client.send(text);
    expect(await client.settled()).toMatchObject([{ type: 'error', ...expected }]);
  });

  it('as a binary frame that is none too', async () => {
    const { open } = await serve(new ModelDirectory());
    const client = await open();
    client.socket.send(Buffer.from('{"type":"ping"}'));
    expect(await client.settled()).toMatchObject([
      {
        type: 'error',
        code: 'INVALID_REQUEST',
        errors: [{ message: 'the header should have 2037654139 bytes, and 11 follow' }],
      },
    ]);
  });

  it('longer than the limit ends the socket, with 1009 where the client can still hear it', async () => {
    const { open } = await serve(new ModelDirectory());
    const client = await open();
    client.send({ type: 'ping', id: 'x'.repeat(5000) });
    expect([1009, 1006]).toContain((await client.closed).code);
  });
});

describe('an upgrade', () => {
  it('for a model that is not there is a 404 problem', async () => {
    const { modelUrl } = await serve(new ModelDirectory(new WatchedModel('net')));
    for (const name of ['nowhere', '__proto__', 'constructor', '%20']) {
      expect(await refusal(modelUrl(name))).toMatchObject({
        status: 404,
        type: expect.stringMatching(/^application\/problem\+json/) as string,
        body: { code: 'MODEL_NOT_FOUND' },
      });
    }
  });

  it.each([
    'https://evil.example',
    'null',
    'http://127.0.0.1',
    'http://127.0.0.1.evil.example',
    'http://evil@127.0.0.1:1',
  ])('from a page of %s is a 403 problem, on both paths', async (origin) => {
    const { url, modelUrl } = await serve(new ModelDirectory(new WatchedModel('net')));
    for (const place of [url, modelUrl('net'), modelUrl('nowhere')]) {
      expect(await refusal(place, { headers: { origin } })).toMatchObject({
        status: 403,
        type: expect.stringMatching(/^application\/problem\+json/) as string,
        body: { code: 'ORIGIN_NOT_ALLOWED' },
      });
    }
  });

  it('from a page of the server itself, of an allowed origin, or from a program is let in', async () => {
    const { open, port } = await serve(new ModelDirectory());
    for (const origin of [
      `http://127.0.0.1:${port}`,
      `https://127.0.0.1:${port}`,
      'https://dashboard.example',
    ]) {
      await open({ headers: { origin } });
    }
    await open();
  });
});

describe('a client that does not read', () => {
  it('is closed with 4008, while one that does is told every revision', async () => {
    const net = new WatchedModel('net');
    const { open, app } = await serve(new ModelDirectory(net), {
      highWaterBytes: 2 ** 16,
      hardLimitBytes: 2 ** 20,
      graceMs: 50,
    });
    const quick = await open();
    const [ours] = app.websocketServer.clients;
    const slow = await open();
    const theirs = [...app.websocketServer.clients].find((socket) => socket !== ours)!;
    for (const client of [quick, slow]) {
      client.send({ type: 'subscribe', id: 'a', detail: 'values' });
      await client.next();
    }
    slow.socket.pause();
    const values = Array.from({ length: 20_000 }, (_, i) => i / 7);
    while (theirs.readyState === WebSocket.OPEN) {
      net.change([changed({ values })]);
      expect(theirs.bufferedAmount).toBeLessThan(2 ** 21);
      await turn();
    }
    net.change([]);
    const told = await quick.take(net.revision);
    expect(told.map((message) => message.type === 'change' && message.revision)).toEqual(
      Array.from({ length: net.revision }, (_, i) => i + 1),
    );
    slow.socket.resume();
    expect(await slow.closed).toEqual({ code: 4008, reason: 'too slow' });
  });
});

describe('any interleaving', () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.constant('change' as const) },
    fc.constant('drop' as const),
    fc.constant('connect' as const),
    fc.constant('wait' as const),
  );

  it('of changes, broken connections and resumes with `after` tells each revision exactly once, in order', async () => {
    const models = new ModelDirectory();
    const { open } = await serve(models);
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 30 }),
        fc.constantFrom('none', 'stats', 'values'),
        async (actions, detail) => {
          const model = new WatchedModel(`net${number++}`);
          models.add(model);
          const seen: number[] = [];
          let client: StreamClient | undefined;
          const hear = (messages: Awaited<ReturnType<StreamClient['settled']>>): void => {
            for (const message of messages) if (message.type === 'change') seen.push(message.revision);
          };
          const steps = {
            change: () => void model.change([changed({ values: [model.revision] })]),
            drop: () => {
              client?.socket.terminate();
              client = undefined;
            },
            connect: async () => {
              client?.socket.terminate();
              client = await open();
              const after = seen.at(-1) ?? 0;
              client.send({
                type: 'subscribe',
                id: 'a',
                models: [model.name],
                after,
                epoch: model.epoch,
                detail,
              });
            },
            wait: async () => client && hear(await client.settled()),
          };
          for (const name of actions) await steps[name]();
          await steps.connect();
          while ((seen.at(-1) ?? 0) < model.revision) hear([await client!.next()]);
          hear(await client!.settled());
          client!.socket.terminate();
          expect(seen).toEqual(Array.from({ length: model.revision }, (_, i) => i + 1));
        },
      ),
      { numRuns: 25 },
    );
  });
});
