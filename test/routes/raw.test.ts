// Raw bodies over real sockets: bytes in, bytes out, what is wrong with them, and the memory that they take.

import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;

const WIDE = 64;

beforeAll(async () => {
  server = await startServer({ env: { WEIGHTROOM_BODY_LIMIT_BYTES: '1MiB' } });
  const architecture = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))';
  await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
  await server.request('POST', '/v1/models', { name: 'rows', seed: 0, architecture: 'nn.Embedding(5, 2)' });
  await server.request('POST', '/v1/models', {
    name: 'wide',
    seed: 0,
    architecture: `nn.Linear(${WIDE}, ${WIDE * WIDE})`,
  });
});
afterAll(() => server.stop());

type Headers = Record<string, string>;
type Body = RequestInit['body'];

function send(method: string, path: string, { headers = {}, body }: { headers?: Headers; body?: Body } = {}) {
  return fetch(server.url + path, { method, headers, ...(body !== undefined && { body }) });
}

const raw = (shape: string, more: Headers = {}): Headers => ({
  'content-type': 'application/octet-stream',
  'x-tensor-shape': shape,
  ...more,
});
const OCTETS = { accept: 'application/octet-stream' };

const floats = (...values: number[]) => Float32Array.from(values);

async function floatsOf(answer: Response): Promise<Float32Array> {
  expect(answer.status).toBe(200);
  return new Float32Array(await answer.arrayBuffer());
}

interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const problem = (await answer.json()) as Problem;
  expect(problem.status).toBe(answer.status);
  return problem;
}

/** Memory is let go when the socket is done with it, which the client does not see. */
const settles = (bytes: number) => vi.waitFor(() => expect(server.engine.memory.bytesInUse).toBe(bytes));

describe('a raw forward', () => {
  const inputs = floats(1, 2, 3, 4, -1, 0.5, 1e-3, 7);

  it('has the bits of the same forward as JSON, with the revision in headers', async () => {
    const json = await server.request('POST', '/v1/models/net/forward', {
      inputs: { shape: [2, 4], data: Array.from(inputs) },
    });
    const { outputs, epoch, revision } = json.body as {
      outputs: { data: number[] };
      epoch: string;
      revision: number;
    };
    const answer = await send('POST', '/v1/models/net/forward', {
      headers: raw('2,4', OCTETS),
      body: inputs,
    });
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('x-tensor-shape')).toBe('2,1');
    expect(answer.headers.get('x-tensor-dtype')).toBe('float32');
    expect(answer.headers.get('x-model-epoch')).toBe(epoch);
    expect(answer.headers.get('x-model-revision')).toBe(String(revision));
    expect(answer.headers.get('etag')).toBe(json.headers.get('etag'));
    expect(answer.headers.get('content-length')).toBe('8');
    expect(answer.headers.get('vary')).toContain('accept');
    expect(await floatsOf(answer)).toEqual(Float32Array.from(outputs.data));
  });

  it('is answered as JSON unless the client prefers bytes, and a JSON forward as bytes where it does', async () => {
    const text = await send('POST', '/v1/models/net/forward', { headers: raw('2,4'), body: inputs });
    expect(text.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(((await text.json()) as { outputs: { shape: number[] } }).outputs.shape).toEqual([2, 1]);
    const bytes = await send('POST', '/v1/models/net/forward', {
      headers: { 'content-type': 'application/json', ...OCTETS },
      body: '{"inputs": [1, 2, 3, 4]}',
    });
    expect(bytes.headers.get('x-tensor-shape')).toBe('1');
    expect(await floatsOf(bytes)).toHaveLength(1);
  });

  it('takes module from the query, which a JSON body does not', async () => {
    const answer = await send('POST', '/v1/models/net/forward?module=0', {
      headers: raw('4', OCTETS),
      body: floats(1, 2, 3, 4),
    });
    expect(answer.headers.get('x-tensor-shape')).toBe('8');
    const refused = await send('POST', '/v1/models/net/forward?module=0', {
      headers: { 'content-type': 'application/json' },
      body: '{"inputs": [1, 2, 3, 4]}',
    });
    expect(await problemOf(refused)).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'query.module', message: 'stands beside inputs in a JSON body' }],
    });
  });

  it.each([
    ['int64', BigInt64Array.of(4n, 0n)],
    ['int32', Int32Array.of(4, 0)],
  ])('takes %s indices', async (dtype, indices) => {
    const answer = await send('POST', '/v1/models/rows/forward', {
      headers: raw('2', { 'x-tensor-dtype': dtype, ...OCTETS }),
      body: indices,
    });
    const { body } = await server.request('POST', '/v1/models/rows/forward', { inputs: [4, 0] });
    const { data } = (body as { outputs: { data: number[] } }).outputs;
    expect(await floatsOf(answer)).toEqual(Float32Array.from(data));
  });

  it('may come in chunks without a length, and compressed', async () => {
    const whole = await send('POST', '/v1/models/net/forward', { headers: raw('2,4', OCTETS), body: inputs });
    const bytes = Buffer.from(inputs.buffer);
    const chunked = await fetch(`${server.url}/v1/models/net/forward`, {
      method: 'POST',
      headers: raw('2,4', OCTETS),
      body: new Blob([bytes]).stream(),
      duplex: 'half',
    });
    const compressed = await send('POST', '/v1/models/net/forward', {
      headers: raw('2,4', { 'content-encoding': 'gzip', ...OCTETS }),
      body: new Uint8Array(gzipSync(bytes)),
    });
    const expected = await floatsOf(whole);
    expect(await floatsOf(chunked)).toEqual(expected);
    expect(await floatsOf(compressed)).toEqual(expected);
  });

  it('of megabytes comes back as the same bits for all who ask at once, and holds nothing afterwards', async () => {
    const x = Float32Array.from({ length: 60 * WIDE }, (_, i) => Math.sin(i));
    const ask = () =>
      send('POST', '/v1/models/wide/forward', { headers: raw(`60,${WIDE}`, OCTETS), body: x });
    // The first one packs the weights for all that follow.
    await floatsOf(await ask());
    const before = server.engine.memory.bytesInUse;
    const answers = await Promise.all(Array.from({ length: 8 }, async () => floatsOf(await ask())));
    expect(answers[0]).toHaveLength(60 * WIDE * WIDE);
    const first = Buffer.from(answers[0]!.buffer);
    for (const answer of answers) expect(first.equals(Buffer.from(answer.buffer))).toBe(true);
    const row = await send('POST', '/v1/models/wide/forward', {
      headers: raw(`${WIDE}`, OCTETS),
      body: x.slice(0, WIDE),
    });
    expect(await floatsOf(row)).toEqual(answers[0]!.subarray(0, WIDE * WIDE));
    await settles(before);
  });
});

describe('raw parameters', () => {
  it('are read whole and in slices, held or copied, and written back bit for bit', async () => {
    const path = '/v1/models/wide/parameters/weight';
    const weight = await floatsOf(await send('GET', path, { headers: OCTETS }));
    expect(weight).toHaveLength(WIDE ** 3);
    const rows = await send('GET', `${path}?index=10:300`, { headers: OCTETS });
    expect(rows.headers.get('x-tensor-shape')).toBe(`290,${WIDE}`);
    expect(await floatsOf(rows)).toEqual(weight.subarray(10 * WIDE, 300 * WIDE));
    const column = await send('GET', `${path}?index=:,3`, { headers: OCTETS });
    expect(await floatsOf(column)).toEqual(weight.filter((_, i) => i % WIDE === 3));
    const changed = weight.map((w) => -w);
    changed[5] = NaN;
    const put = await send('PUT', path, { headers: raw(`${WIDE * WIDE},${WIDE}`), body: changed });
    expect(put.status).toBe(200);
    const back = await floatsOf(await send('GET', path, { headers: OCTETS }));
    expect(Buffer.from(back.buffer).equals(Buffer.from(changed.buffer))).toBe(true);
  });

  it('are handed to the network as views of shared memory, not copied', async () => {
    const end = vi.spyOn(ServerResponse.prototype, 'end');
    const path = '/v1/models/wide/parameters/weight?index=1:';
    expect(await floatsOf(await send('GET', path, { headers: OCTETS }))).toHaveLength(WIDE ** 3 - WIDE);
    const [chunk] = end.mock.calls.at(-1) as unknown as [Buffer];
    end.mockRestore();
    expect(chunk.byteLength).toBe(4 * (WIDE ** 3 - WIDE));
    expect(chunk.buffer).toBe(server.engine.memory.memories[0]!.buffer);
  });

  it('are put into a slice, broadcast as JSON is', async () => {
    const path = '/v1/models/net/parameters/0.weight';
    const put = await send('PUT', `${path}?index=:,1`, { headers: raw(''), body: floats(42) });
    expect(put.status).toBe(200);
    const answer = await send('GET', `${path}?index=:,1`, { headers: OCTETS });
    expect(await floatsOf(answer)).toEqual(new Float32Array(8).fill(42));
    const scalar = await send('GET', `${path}?index=0,1`, { headers: OCTETS });
    expect(scalar.headers.get('x-tensor-shape')).toBe('');
    expect(await floatsOf(scalar)).toEqual(floats(42));
  });

  it('are converted by the rules of JSON', async () => {
    const path = '/v1/models/net/parameters/2.bias';
    const whole = await send('PUT', path, {
      headers: raw('1', { 'x-tensor-dtype': 'int64' }),
      body: BigInt64Array.of(3n),
    });
    expect(whole.status).toBe(200);
    expect(await floatsOf(await send('GET', path, { headers: OCTETS }))).toEqual(floats(3));
    const bools = await send('PUT', path, {
      headers: raw('1', { 'x-tensor-dtype': 'bool' }),
      body: Uint8Array.of(1),
    });
    const json = await server.request('PUT', path, { value: [true] });
    const { code, errors } = await problemOf(bools);
    expect({ code, errors }).toEqual({
      code: (json.body as Problem).code,
      errors: (json.body as Problem).errors,
    });
  });

  it('answer HEAD with the length of GET', async () => {
    const answer = await send('HEAD', '/v1/models/wide/parameters/weight', { headers: OCTETS });
    expect(answer.headers.get('content-length')).toBe(String(4 * WIDE ** 3));
  });

  it('that a client asks for and does not read are held until it hangs up, also those that wait their turn', async () => {
    const own = await startServer({ limits: { logBytes: 0 } });
    try {
      const { memory } = own.engine;
      await own.request('POST', '/v1/models', { name: 'net', architecture: 'nn.Linear(1024, 1024)' });
      const before = memory.bytesInUse;
      const socket = connect(Number(new URL(own.url).port), '127.0.0.1');
      const request =
        'GET /v1/models/net/parameters/weight HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n\r\n';
      socket.write(request.repeat(8));
      // The first bytes are there, the others wait for a reader.
      await once(socket, 'readable');
      await own.request('PUT', '/v1/models/net/parameters/weight', { value: 0 });
      expect(memory.bytesInUse).toBe(before + 4 * 2 ** 20);
      socket.destroy();
      await vi.waitFor(() => expect(memory.bytesInUse).toBe(before));
    } finally {
      await own.stop();
    }
  });
});

describe('answers of text made part by part', () => {
  it('are let go when their client hangs up, also those that wait their turn', async () => {
    const own = await startServer({ limits: { logBytes: 0 } });
    try {
      const { memory } = own.engine;
      await own.request('POST', '/v1/models', { name: 'net', architecture: 'nn.Linear(1024, 1024)' });
      const before = memory.bytesInUse;
      const socket = connect(Number(new URL(own.url).port), '127.0.0.1');
      const gzipped = 'GET /v1/models/net/state_dict HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n';
      const plain = 'GET /v1/models/net/state_dict HTTP/1.1\r\nHost: x\r\n\r\n';
      socket.write(plain + plain + gzipped);
      await once(socket, 'readable');
      // Two rooms for each.
      await vi.waitFor(() => expect(memory.bytesInUse).toBeGreaterThan(before + 6 * 65_536 * 24));
      socket.destroy();
      await vi.waitFor(() => expect(memory.bytesInUse).toBe(before));
    } finally {
      await own.stop();
    }
  });
});

describe('answers beyond the memory that they may hold', () => {
  it('are copied: they hold nothing while nobody reads them, and are the same', async () => {
    const own = await startServer({
      limits: { logBytes: 0 },
      env: { WEIGHTROOM_ANSWERS_LIMIT_BYTES: '1MiB' },
    });
    try {
      const { memory } = own.engine;
      await own.request('POST', '/v1/models', {
        name: 'net',
        seed: 0,
        architecture: 'nn.Linear(1024, 1024)',
      });
      const path = '/v1/models/net/parameters/weight';
      const raw = new Float32Array(await (await fetch(own.url + path, { headers: OCTETS })).arrayBuffer());
      const { value } = (await own.request('GET', path)).body as { value: { data: number[] } };
      const written = Buffer.from(Float32Array.from(value.data).buffer);
      expect(written.equals(Buffer.from(raw.buffer))).toBe(true);
      const before = memory.bytesInUse;
      const socket = connect(Number(new URL(own.url).port), '127.0.0.1');
      const request = `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n\r\n`;
      socket.write(request.repeat(4));
      await once(socket, 'readable');
      await own.request('PUT', path, { value: 0 });
      expect(memory.bytesInUse).toBe(before);
      socket.destroy();
    } finally {
      await own.stop();
    }
  });
});

describe('a raw body', () => {
  const post = (headers: Headers, body: Body = floats(1, 2, 3, 4)) =>
    send('POST', '/v1/models/net/forward', { headers, body });

  it.each([
    [{}, 'header.x-tensor-shape', 'is required, e.g. 2,4'],
    [{ 'x-tensor-shape': '2,x' }, 'header.x-tensor-shape[1]', 'must be a nonnegative whole number, not "x"'],
    [{ 'x-tensor-shape': '2,,2' }, 'header.x-tensor-shape[1]', 'must be a nonnegative whole number, not ""'],
    [{ 'x-tensor-shape': '-4' }, 'header.x-tensor-shape[0]', 'must be a nonnegative whole number, not "-4"'],
    [{ 'x-tensor-shape': '1,3' }, 'body', 'has 16 bytes where float32 [1, 3] has 12'],
    [{ 'x-tensor-shape': '5' }, 'body', 'has 16 bytes where float32 [5] has 20'],
    [
      { 'x-tensor-shape': '4', 'x-tensor-dtype': 'float23' },
      'header.x-tensor-dtype',
      'must be one of float32, int64, int32, bool, not "float23"; did you mean float32?',
    ],
    [{ 'x-tensor-shape': '4', 'x-tensor-dtype': 'int64' }, 'body', 'has 16 bytes where int64 [4] has 32'],
  ])('with %j is TENSOR_INVALID', async (headers, path, message) => {
    const answer = await post({ 'content-type': 'application/octet-stream', ...headers });
    expect(await problemOf(answer)).toMatchObject({ code: 'TENSOR_INVALID', errors: [{ path, message }] });
  });

  it('of another length than said is TENSOR_INVALID too where only its end tells', async () => {
    for (const [bytes, shape] of [
      [12, '4'],
      [40, '4'],
    ] as const) {
      const answer = await fetch(`${server.url}/v1/models/net/forward`, {
        method: 'POST',
        headers: raw(shape),
        body: new Blob([new Uint8Array(bytes)]).stream(),
        duplex: 'half',
      });
      expect(await problemOf(answer)).toMatchObject({ code: 'TENSOR_INVALID' });
    }
  });

  it('beyond the limit is BODY_TOO_LARGE, beyond all memory QUOTA_EXCEEDED, before any memory is taken', async () => {
    const before = server.engine.memory.bytesInUse;
    expect(await problemOf(await post(raw('1024,257')))).toMatchObject({ code: 'BODY_TOO_LARGE' });
    expect(await problemOf(await post(raw('4503599627370495')))).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(server.engine.memory.bytesInUse).toBe(before);
  });

  it('is UNSUPPORTED_MEDIA_TYPE where a tensor alone says nothing', async () => {
    const answer = await send('PATCH', '/v1/models/net/parameters/0.bias', {
      headers: raw('8'),
      body: new Uint8Array(32),
    });
    expect(await problemOf(answer)).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('whose sender hangs up in the middle gives its memory back', async () => {
    const before = server.engine.memory.bytesInUse;
    const sockets = await Promise.all(Array.from({ length: 3 }, () => halfABody('1024,100')));
    await vi.waitFor(() => expect(server.engine.memory.bytesInUse).toBe(before + 3 * 409_600));
    for (const socket of sockets) socket.destroy();
    await settles(before);
  });

  it('waits for no one: beyond the memory for bodies it is OVERLOADED, with Retry-After', async () => {
    const small = await startServer({ env: { WEIGHTROOM_BODIES_LIMIT_BYTES: '500KB' } });
    try {
      const before = small.engine.memory.bytesInUse;
      const socket = await halfABody('1024,100', small);
      await vi.waitFor(() => expect(small.engine.memory.bytesInUse).toBe(before + 409_600));
      const body = new Float32Array(102_400);
      const ask = () =>
        fetch(`${small.url}/v1/models/net/forward`, { method: 'POST', headers: raw('1024,100'), body });
      const answer = await ask();
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await problemOf(answer)).toMatchObject({ code: 'OVERLOADED' });
      socket.destroy();
      await vi.waitFor(() => expect(small.engine.memory.bytesInUse).toBe(before));
      expect(await problemOf(await ask())).toMatchObject({ code: 'MODEL_NOT_FOUND' });
    } finally {
      await small.stop();
    }
  });
});

describe('Accept', () => {
  const get = (accept: string) => send('GET', '/v1/models/net/parameters/2.bias', { headers: { accept } });

  it.each([
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['application/octet-stream;q=0.5, application/json', 'application/json'],
    ['application/json;q=0.5, application/octet-stream', 'application/octet-stream'],
    ['application/json;q=0, */*', 'application/octet-stream'],
    ['APPLICATION/Octet-Stream', 'application/octet-stream'],
  ])('%s is answered as %s', async (accept, type) => {
    expect((await get(accept)).headers.get('content-type')).toContain(type);
  });

  it.each(['text/html', 'application/json;q=0', 'application/x-npy'])(
    '%s is NOT_ACCEPTABLE',
    async (accept) => {
      expect(await problemOf(await get(accept))).toMatchObject({ status: 406, code: 'NOT_ACCEPTABLE' });
    },
  );
});

async function halfABody(shape: string, { url }: TestServer = server): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  const bytes = 4 * shape.split(',').reduce((product, extent) => product * Number(extent), 1);
  socket.write(
    `POST /v1/models/net/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n` +
      `X-Tensor-Shape: ${shape}\r\nContent-Length: ${bytes}\r\n\r\n`,
  );
  socket.write(new Uint8Array(bytes / 2));
  return socket;
}
