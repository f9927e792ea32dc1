// Forwards over the stream, by real sockets and real models.

import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { outputsHeader, type ServerMessage } from '#src/models/stream-messages.js';
import { startServer, type TestServer } from '../server.js';
import { StreamClient } from './stream-client.js';

const NET = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))';
let server: TestServer;
const clients: StreamClient[] = [];

beforeAll(async () => {
  server = await startServer();
  const models = {
    net: NET,
    wide: 'nn.Linear(1, 100_000)',
    table: 'nn.Embedding(3, 2)',
    flat: 'nn.Flatten(0)',
  };
  for (const [name, architecture] of Object.entries(models)) {
    const { status } = await server.request('POST', '/v1/models', { name, seed: 0, architecture });
    expect(status).toBe(201);
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) {
    client.socket.terminate();
    await client.closed;
  }
});
afterAll(() => server.stop());

async function open(path = '/v1/stream'): Promise<StreamClient> {
  const client = await StreamClient.open(server.url.replace('http', 'ws') + path);
  clients.push(client);
  return client;
}

/** What HTTP answers to the same. */
async function overHttp(model: string, body: unknown): Promise<Record<string, unknown>> {
  return (await server.request('POST', `/v1/models/${model}/forward`, body)).body as Record<string, unknown>;
}

function frame(header: unknown, data: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const begin = Math.ceil((4 + text.length) / 8) * 8;
  const bytes = Buffer.alloc(begin + data.length);
  bytes.writeUInt32LE(text.length, 0);
  bytes.set(text, 4);
  bytes.set(data, begin);
  return bytes;
}

function bytesOf(numbers: Float32Array | BigInt64Array | Int32Array | Uint8Array): Buffer {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function parse(answer: Buffer) {
  const length = answer.readUInt32LE(0);
  const header = outputsHeader.parse(JSON.parse(answer.toString('utf8', 4, 4 + length)));
  return { header, data: answer.subarray(Math.ceil((4 + length) / 8) * 8) };
}

const inputs = [
  [0.1, 0.2, 0.3, 0.4],
  [0.5, 0.6, 0.7, 0.8],
];

describe('a forward over the stream', () => {
  it('is answered what HTTP answers, with its id', async () => {
    const client = await open();
    const { name, ...answer } = await overHttp('net', { inputs });
    client.send({ type: 'forward', id: 'a', model: 'net', inputs });
    expect(await client.next()).toEqual({ type: 'outputs', id: 'a', model: name, ...answer });
    client.send({ inputs, module: '0', id: -1, model: 'net', type: 'forward' });
    const { outputs } = await overHttp('net', { inputs, module: '0' });
    expect(await client.next()).toMatchObject({ id: -1, outputs });
  });

  it('needs no model where the stream is about one, and can be about no other', async () => {
    const client = await open('/v1/models/net/stream');
    client.send({ type: 'forward', id: 1, inputs });
    client.send({ type: 'forward', id: 2, model: 'net', inputs });
    client.send({ type: 'forward', id: 3, model: 'table', inputs });
    const answers = await client.take(3);
    expect(answers).toContainEqual(expect.objectContaining({ type: 'outputs', id: 1, model: 'net' }));
    expect(answers).toContainEqual(expect.objectContaining({ type: 'outputs', id: 2 }));
    expect(answers).toContainEqual(
      expect.objectContaining({
        type: 'error',
        id: 3,
        errors: [{ path: 'model', message: 'this stream is about net alone; leave model out' }],
      }),
    );
  });

  it('is one of 500 at once: each id comes back once, with the outputs of its inputs', async () => {
    const client = await open();
    const rows = Array.from({ length: 500 }, (_, i) => [[i, -i, i / 3, 1]]);
    for (const [id, row] of rows.entries()) client.send({ type: 'forward', id, model: 'net', inputs: row });
    const answers = (await client.take(500)) as Extract<ServerMessage, { type: 'outputs' }>[];
    expect(new Set(answers.map(({ id }) => id)).size).toBe(500);
    const { outputs } = await overHttp('net', { inputs: rows.flat() });
    const { data } = outputs as { data: number[] };
    for (const { id, outputs: own } of answers) expect(own.data).toEqual([data[Number(id)]]);
  });

  it('goes together with changes: an answer has the revision that it says', async () => {
    const client = await open('/v1/models/table/stream');
    for (let i = 0; i < 5; i++) {
      client.send({ type: 'forward', id: i, inputs: [0] });
      const { body } = await server.request('PUT', '/v1/models/table/parameters/weight', {
        value: [
          [i, i],
          [0, 0],
          [0, 0],
        ],
      });
      const { revision } = body as { revision: number };
      client.send({ type: 'forward', id: 'then', inputs: [0] });
      const answers = await client.take(2);
      expect(answers.find((message) => 'id' in message && message.id === 'then')).toMatchObject({
        revision,
        outputs: { data: [i, i] },
      });
    }
  });

  it('that cannot be done is an error with its id, as HTTP would answer; the others are not touched', async () => {
    const client = await open();
    const wrong: [model: string, body: Record<string, unknown>][] = [
      ['net', { inputs: [[1, 2]] }],
      ['net', { inputs: [[1, 2, 3, 4], [1]] }],
      ['net', { inputs: [['a', null, 3, 4]] }],
      ['net', { inputs, module: '7' }],
      ['none', { inputs }],
      ['table', { inputs: [3] }],
    ];
    for (const [id, [model, body]] of wrong.entries()) {
      client.send({ type: 'forward', id, model, ...body });
      client.send({ type: 'forward', id: 'right', model: 'net', inputs });
      const answers = await client.take(2);
      const { code, title, status, detail, errors = [] } = await overHttp(model, body);
      expect(answers).toContainEqual({ type: 'error', id, code, title, status, detail, errors });
      expect(answers).toContainEqual(expect.objectContaining({ type: 'outputs', id: 'right' }));
    }
  });

  it.each<[message: Record<string, unknown>, faults: string[]]>([
    [{ model: 'net', inputs }, ['id: must be a string of at most 128 characters, or a whole number']],
    [{ id: 1, inputs }, ['model: is required']],
    [{ id: 1, model: 'net' }, ['inputs: is required']],
    [
      { id: 1, model: 'net', input: inputs },
      ['inputs: is required', 'input: unknown field; did you mean inputs?'],
    ],
    [
      { id: 1.5, model: 'net', inputs },
      ['id: must be a string of at most 128 characters, or a whole number'],
    ],
    [
      { id: 1, model: 7, inputs, module: [] },
      ['model: expected string, received number', 'module: must be a path, e.g. "0.block 1.0"'],
    ],
    [
      { id: 1, model: 'net', inputs, ['__proto__x']: 1 },
      ['__proto__x: unknown field; the fields are type, id, model, module, inputs, capture, interventions'],
    ],
  ])('that is wrong is told all that is: %j', async (message, faults) => {
    const client = await open();
    client.send({ type: 'forward', ...message });
    const { type, errors } = (await client.next()) as Extract<ServerMessage, { type: 'error' }>;
    expect([type, errors.map(({ path, message: text }) => `${path}: ${text}`)]).toEqual(['error', faults]);
  });

  it('beyond the limit is an error at once, until others are answered', async () => {
    const client = await open();
    const model = server.engine.registry.get('net');
    const forward = model.forward.bind(model);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    vi.spyOn(model, 'forward').mockImplementation((...args) => held.then(() => forward(...args)));
    for (let id = 0; id <= 1024; id++) client.send({ type: 'forward', id, model: 'net', inputs });
    expect(await client.next()).toMatchObject({
      type: 'error',
      id: 1024,
      code: 'QUOTA_EXCEEDED',
      detail: expect.stringContaining('a socket has at most 1024 forwards in flight') as string,
    });
    release();
    for (const { type } of await client.take(1024)) expect(type).toBe('outputs');
    client.send({ type: 'forward', id: 'again', model: 'net', inputs });
    expect(await client.next()).toMatchObject({ type: 'outputs', id: 'again' });
  });

  it('whose requests are long is an error beyond their limit', async () => {
    const client = await open();
    const model = server.engine.registry.get('flat');
    const forward = model.forward.bind(model);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    vi.spyOn(model, 'forward').mockImplementation((...args) => held.then(() => forward(...args)));
    const data = new Uint8Array(1_000_000);
    for (let id = 0; id < 9; id++)
      client.send(frame({ type: 'forward', id, model: 'flat', shape: [250_000] }, data));
    expect(await client.next()).toMatchObject({ type: 'error', id: 8, code: 'QUOTA_EXCEEDED' });
    release();
    for (let i = 0; i < 8; i++) expect(parse(await client.nextFrame()).data.length).toBe(1_000_000);
  });
});

/** In one write: they are read in one turn, before there is an answer to any. */
function sendTogether(client: StreamClient, count: number): void {
  const { _socket: network } = client.socket as unknown as { _socket: { cork(): void; uncork(): void } };
  network.cork();
  for (let id = 0; id < count; id++) client.send({ type: 'forward', id, model: 'wide', inputs: [[id]] });
  network.uncork();
}

describe('a client that does not read its answers', () => {
  it('is closed with 4008, and no more is unsent than the hard limit and one answer', async () => {
    const client = await open();
    const sockets = [...server.app.websocketServer.clients];
    client.socket.pause();
    sendTogether(client, 200);
    let most = 0;
    await vi.waitUntil(
      () => {
        for (const socket of sockets) most = Math.max(most, socket.bufferedAmount);
        return sockets.some(({ readyState }) => readyState !== 1);
      },
      { timeout: 20_000, interval: 5 },
    );
    client.socket.resume();
    expect(await client.closed).toMatchObject({ code: 4008 });
    const oneAnswer = 2 ** 21;
    expect(most).toBeGreaterThan(2 ** 20);
    expect(most).toBeLessThan(2 ** 23 + oneAnswer);
  }, 30_000);

  it('and then reads gets all of them', async () => {
    const client = await open();
    const [socket] = [...server.app.websocketServer.clients].slice(-1);
    client.socket.pause();
    sendTogether(client, 40);
    await vi.waitUntil(() => socket!.bufferedAmount > 2 ** 23, { timeout: 20_000, interval: 5 });
    client.socket.resume();
    const ids = new Set<unknown>();
    for (let i = 0; i < 40; i++) {
      const answer = (await client.next()) as Extract<ServerMessage, { type: 'outputs' }>;
      expect(answer.outputs.data).toHaveLength(100_000);
      ids.add(answer.id);
    }
    expect(ids.size).toBe(40);
  }, 30_000);

  it('and goes away leaves nothing behind', async () => {
    const before = server.engine.memory.bytesInUse;
    const client = await open();
    for (let id = 0; id < 20; id++) client.send({ type: 'forward', id, model: 'wide', inputs: [[id]] });
    client.socket.terminate();
    await client.closed;
    await vi.waitUntil(() => server.engine.memory.bytesInUse === before);
  });
});

describe('a binary frame', () => {
  it('is answered by one, with the numbers that JSON would have', async () => {
    const client = await open();
    const numbers = Float32Array.from(inputs.flat());
    client.send(frame({ type: 'forward', id: 7, model: 'net', shape: [2, 4] }, bytesOf(numbers)));
    const { header, data } = parse(await client.nextFrame());
    const { epoch, revision, outputs } = await overHttp('net', { inputs });
    expect(header).toEqual({
      type: 'outputs',
      id: 7,
      model: 'net',
      epoch,
      revision,
      shape: [2, 1],
      dtype: 'float32',
    });
    expect([...new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + 8))]).toEqual(
      (outputs as { data: number[] }).data.map(Math.fround),
    );
  });

  it('has any dtype, wherever its header ends and whatever it is aligned to', async () => {
    const client = await open('/v1/models/flat/stream');
    const arrays = {
      float32: (values: number[]) => Float32Array.from(values),
      int64: (values: number[]) => BigInt64Array.from(values.map(BigInt)),
      int32: (values: number[]) => Int32Array.from(values),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(arrays) as (keyof typeof arrays)[])),
        fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 9 }),
        fc.string({ maxLength: 9 }),
        async (dtype, values, id) => {
          const sent = bytesOf(arrays[dtype](values));
          client.send(frame({ type: 'forward', id, shape: [values.length, 1], dtype }, sent));
          const { header, data } = parse(await client.nextFrame());
          expect(header).toMatchObject({ id, shape: [values.length] });
          const given = dtype === 'int32' ? bytesOf(arrays.int64(values)) : sent;
          expect(header.dtype).toBe(dtype === 'int32' ? 'int64' : dtype);
          expect(data).toEqual(given);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of no numbers needs no data, and may be answered none', async () => {
    const client = await open();
    client.send(frame({ type: 'forward', id: 0, model: 'net', shape: [0, 4] }));
    const { header, data } = parse(await client.nextFrame());
    expect([header.shape, data.length]).toEqual([[0, 1], 0]);
  });

  const header = { type: 'forward', id: 1, model: 'net', shape: [1, 4] };
  it.each<[what: string, bytes: Buffer, fault: string | RegExp]>([
    ['nothing', Buffer.alloc(0), ': a binary frame begins with the length of its header; it has 0 bytes'],
    ['three bytes', Buffer.alloc(3), ': a binary frame begins with the length of its header; it has 3 bytes'],
    [
      'a header that does not end',
      Buffer.from([9, 0, 0, 0, 123]),
      ': the header should have 9 bytes, and 1 follow',
    ],
    ['a header of no length', Buffer.alloc(8), /^: Unexpected end of JSON input/],
    ['a header that is no JSON', Buffer.from([1, 0, 0, 0, 120, 0, 0, 0]), /^: Unexpected token/],
    ['a header that is no object', frame(7), ': a message is a JSON object with a type'],
    [
      'too few numbers',
      frame(header, Buffer.alloc(12)),
      ': 12 bytes follow the header, where float32 [1, 4] has 16',
    ],
    [
      'too many numbers',
      frame(header, Buffer.alloc(17)),
      ': 17 bytes follow the header, where float32 [1, 4] has 16',
    ],
    [
      'another type',
      frame({ ...header, type: 'subscribe' }, Buffer.alloc(16)),
      'type: must be forward; other messages are text',
    ],
    [
      'an unknown field',
      frame({ ...header, inputs: [1] }),
      'inputs: unknown field; the fields are type, id, model, module, interventions, shape, dtype',
    ],
    [
      'an unknown dtype',
      frame({ ...header, dtype: 'float23' }),
      'dtype: must be one of float32, int64, int32, bool; did you mean float32?',
    ],
    ['a shape that cannot be', frame({ ...header, shape: [1.5, -1] }), 'shape[0]: must be a whole number'],
    ['no shape', frame({ ...header, shape: undefined }), 'shape: is required'],
    [
      'a bool that is none',
      frame({ ...header, model: 'flat', shape: [1], dtype: 'bool' }, Buffer.from([7])),
      'inputs[0]: must be true or false, not 7',
    ],
    ['a shape beyond all memory', frame({ ...header, shape: [2 ** 30, 2 ** 30] }), /./],
  ])('with %s is told so, and the socket lives on', async (_what, bytes, fault) => {
    const client = await open();
    client.send(bytes);
    const answer = (await client.next()) as Extract<ServerMessage, { type: 'error' }>;
    expect(answer.type).toBe('error');
    const told =
      answer.errors.length > 0 ? `${answer.errors[0]!.path}: ${answer.errors[0]!.message}` : answer.detail;
    if (typeof fault === 'string') expect(told).toBe(fault);
    else expect(told).toMatch(fault);
    client.send({ type: 'ping', id: 1 });
    expect(await client.next()).toEqual({ type: 'pong', id: 1 });
  });

  it('of another length than it says, whatever its bytes, never ends the socket', async () => {
    const client = await open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        client.send(Buffer.from(bytes));
        expect(await client.settled()).toMatchObject([{ type: 'error' }]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('answers of one turn', () => {
  it('are one write to the network', async () => {
    const client = await open();
    client.send({ type: 'forward', id: 'first', model: 'net', inputs });
    await client.next();
    const [socket] = [...server.app.websocketServer.clients].slice(-1);
    const network = (socket as unknown as { _socket: NodeJS.WritableStream & { _writev: unknown } })._socket;
    const writes = vi.spyOn(network as unknown as { _writev: (...args: unknown[]) => void }, '_writev');
    const forwards = Array.from({ length: 32 }, (_, id) =>
      JSON.stringify({ type: 'forward', id, model: 'net', inputs }),
    );
    for (const text of forwards) client.send(text);
    await client.take(32);
    await turn();
    expect(writes.mock.calls.length).toBeLessThanOrEqual(8);
  });
});
