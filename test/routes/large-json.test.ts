// Large JSON over real sockets: bodies whose numbers a worker reads, answers whose numbers workers write.

import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { WorkerLostError } from '#src/runtime/pool.js';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;

/** Beyond what the main thread reads itself. */
const PADDING = ' '.repeat(20_000);

beforeAll(async () => {
  server = await startServer();
  await build('net', 'nn.Sequential(nn.Linear(200, 4), nn.ReLU(), nn.Linear(4, 1))');
  await build('wide', 'nn.Linear(64, 1024)');
  await build('rows', 'nn.Embedding(10, 2)');
});
afterAll(() => server.stop());
afterEach(() => vi.restoreAllMocks());

async function build(name: string, architecture: string, on = server) {
  expect((await on.request('POST', '/v1/models', { name, seed: 0, architecture })).status).toBe(201);
}

const JSON_TYPE = { 'content-type': 'application/json' };
const OCTETS = { accept: 'application/octet-stream' };

const post = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  fetch(server.url + path, { method: 'POST', body: body as string, headers: { ...JSON_TYPE, ...headers } });

const sines = (count: number) => Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i)));

const settles = (bytes: number, { engine } = server) =>
  vi.waitFor(() => expect(engine.memory.bytesInUse).toBe(bytes));

/** Answers that were read are done with a moment later. */
async function nothingHeld() {
  let last = NaN;
  await vi.waitFor(() => {
    const now = server.engine.memory.bytesInUse;
    const steady = now === last;
    last = now;
    expect(steady).toBe(true);
  });
}

describe('a large body', () => {
  const numbers = JSON.stringify(sines(200));
  const instead = (index: number, text: string) => {
    const parts = numbers.slice(1, -1).split(',');
    parts[index] = text;
    return `[${parts.join(',')}]`;
  };
  const ragged = `[${numbers},${JSON.stringify(sines(199))}]`;
  const forward = 'POST /v1/models/net/forward';
  const put = 'PUT /v1/models/net/parameters/0.weight';
  const patch = 'PATCH /v1/models/net/parameters/0.weight';

  it.each([
    [forward, `{"inputs": ${numbers}}`],
    [forward, `{"inputs": [${numbers}, ${numbers}], "module": "0"}`],
    [forward, `{"inputs": {"shape": [1, 200], "data": ${numbers}}}`],
    [forward, `{"inputs": {"dtype": "float32", "shape": [2, 100], "data": ${numbers}}}`],
    [forward, `{"inputs": {"dtype": "int64", "shape": [200], "data": ${numbers}}}`],
    [forward, `{"inputs": {"dtype": "float23", "shape": [3], "data": ${numbers}, "d": 1}}`],
    [forward, `{"inputs": {"data": ${numbers}}}`],
    [forward, `{"inputs": ${instead(7, '"NaN"')}}`],
    [forward, `{"inputs": ${instead(7, '"nan"')}}`],
    [forward, `{"inputs": ${instead(199, 'null')}}`],
    [forward, `{"inputs": ${instead(0, '1e400')}}`],
    [forward, `{"inputs": ${instead(0, '1e-400')}}`],
    [forward, `{"inputs": ${instead(3, 'true')}}`],
    [forward, `{"inputs": ${instead(3, '[1]')}}`],
    [forward, `{"inputs": ${instead(3, '{"a": 1}')}}`],
    [forward, `{"inputs": ${instead(3, '01')}}`],
    [forward, `{"inputs": ${ragged}}`],
    [forward, `{"inputs": ${'['.repeat(70)}1${']'.repeat(70)}}`],
    [forward, `{"inputs": ${numbers}, "modul": "0"}`],
    [forward, `{"inputs": ${numbers}, "module": ${numbers}}`],
    [forward, `{"inputs": ${numbers}, "inputs": [1]}`],
    [forward, `{"input": ${numbers}}`],
    [forward, `{"inputs": ${numbers}, "__proto__": {}}`],
    [forward, `{"inputs": {"constructor": {"prototype": ${numbers}}}}`],
    [forward, `{"inputs": ${numbers}`],
    [forward, `{"inputs": ${numbers},}`],
    [forward, `{"inputs": ${numbers}} x`],
    [forward, numbers],
    [forward, '"a string"'],
    [
      'POST /v1/models/rows/forward',
      `{"inputs": ${JSON.stringify(sines(200).map((x) => Math.round(4 + x)))}}`,
    ],
    ['POST /v1/models/rows/forward', `{"inputs": ${numbers}}`],
    [
      'POST /v1/models/rows/forward',
      `{"inputs": {"dtype": "int64", "shape": [200], "data": ${instead(4, '9007199254740993')}}}`,
    ],
    ['POST /v1/models/none/forward', `{"inputs": ${numbers}}`],
    [put, `{"value": [${numbers}]}`],
    [put, `[${numbers}]`],
    [put, `{"shape": [200], "data": ${numbers}}`],
    [put, `{"value": [${numbers}, ${numbers}, ${numbers}]}`],
    [put, `{"valu": ${numbers}}`],
    [
      patch,
      `{"ops": [{"op": "add", "value": ${numbers}}, {"op": "mul", "index": "0", "value": ${numbers}}]}`,
    ],
    [patch, `{"ops": [{"op": "add", "value": ${instead(1, '"x"')}}]}`],
    [patch, `{"ops": ${numbers}}`],
    [
      'PATCH /v1/models/net/parameters',
      `{"parameters": {"0.weight": {"ops": [{"op": "set", "index": "1", "value": ${numbers}}]}, "0.bias": {"ops": [{"op": "add", "value": ${numbers}}]}}}`,
    ],
    [
      'PUT /v1/models/net/state_dict?strict=false',
      `{"state_dict": {"0.weight": [${numbers},${numbers},${numbers},${numbers}]}}`,
    ],
    ['PUT /v1/models/net/state_dict', `{"state_dict": {"0.weight": [${numbers}], "x": ${numbers}}}`],
    ['PUT /v1/models/net/state_dict', `{"state_dict": ${numbers}}`],
  ])('%s is answered as the same small one (%#)', async (route, text) => {
    const [method, path] = route.split(' ') as [string, string];
    const answerTo = async (body: string) => {
      const answer = await fetch(server.url + path, { method, body, headers: JSON_TYPE });
      // A text that ends too early does so behind the padding.
      const told = (await answer.text()).replace(/ at position \d+/, '');
      const { request_id, revision, ...rest } = JSON.parse(told) as Record<string, unknown>;
      expect(request_id === undefined || typeof request_id === 'string').toBe(true);
      return { status: answer.status, changed: typeof revision, rest };
    };
    const small = await answerTo(text);
    expect(small.status).not.toBe(500);
    expect(await answerTo(text + PADDING)).toEqual(small);
  });

  it('has the bits of a raw one, whichever way it comes', async () => {
    const inputs = Array.from({ length: 100 }, (_, i) => sines(64 * 100).slice(64 * i, 64 * i + 64));
    const text = JSON.stringify({ inputs });
    expect(text.length).toBeGreaterThan(100_000);
    const raw = await post(
      '/v1/models/wide/forward',
      new Uint8Array(Float32Array.from(inputs.flat()).buffer),
      {
        'content-type': 'application/octet-stream',
        'x-tensor-shape': '100,64',
        ...OCTETS,
      },
    );
    const expected = Buffer.from(await raw.arrayBuffer());
    const chunked = fetch(`${server.url}/v1/models/wide/forward`, {
      method: 'POST',
      headers: { ...JSON_TYPE, ...OCTETS },
      body: new Blob([text]).stream(),
      duplex: 'half',
    });
    const packed = post('/v1/models/wide/forward', gzipSync(text), { 'content-encoding': 'gzip', ...OCTETS });
    for (const answer of [post('/v1/models/wide/forward', text, OCTETS), chunked, packed]) {
      expect((await answer).status).toBe(200);
      expect(Buffer.from(await (await answer).arrayBuffer()).equals(expected)).toBe(true);
    }
  });

  it('is not parsed on the main thread but for what is left without its numbers', async () => {
    const text = JSON.stringify({ inputs: Array.from({ length: 64 }, () => sines(64)), module: '' });
    const parse = vi.spyOn(JSON, 'parse');
    const answer = await post('/v1/models/wide/forward', text, OCTETS);
    expect(answer.status).toBe(200);
    expect((await answer.arrayBuffer()).byteLength).toBe(64 * 1024 * 4);
    expect(parse).toHaveBeenCalled();
    const parsed = parse.mock.calls.reduce((sum, [given]) => sum + given.length, 0);
    expect(text.length).toBeGreaterThan(60_000);
    expect(parsed).toBeLessThan(200);
  });

  it('gives its memory back, answered, refused, or cut off in the middle', async () => {
    const text = JSON.stringify({ inputs: Array.from({ length: 64 }, () => sines(64)) });
    // The first forward packs the weights for all that follow.
    await (await post('/v1/models/wide/forward', text)).text();
    await nothingHeld();
    const before = server.engine.memory.bytesInUse;
    await (await post('/v1/models/wide/forward', text)).text();
    await (await post('/v1/models/none/forward', text)).text();
    await (await post('/v1/models/wide/forward', text.slice(0, -1))).text();
    await settles(before);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      `POST /v1/models/wide/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`,
    );
    socket.write(text.slice(0, 30_000));
    await vi.waitFor(() => expect(server.engine.memory.bytesInUse).toBeGreaterThan(before + text.length));
    socket.destroy();
    await settles(before);
  });

  it('beyond the limit is BODY_TOO_LARGE before its bytes are taken', async () => {
    const before = server.engine.memory.bytesInUse;
    const answer = await post('/v1/models/wide/forward', ' '.repeat(33 * 2 ** 20));
    expect(((await answer.json()) as { code: string }).code).toBe('BODY_TOO_LARGE');
    await settles(before);
  });
});

describe('a large answer', () => {
  it.each(['flat', 'nested'])('is written by workers, %s, with its length', async (layout) => {
    const call = vi.spyOn(server.engine.pool, 'call');
    const path = '/v1/models/wide/parameters/weight';
    const answer = await fetch(`${server.url}${path}?layout=${layout}`, {
      headers: { 'accept-encoding': 'identity' },
    });
    const text = await answer.text();
    expect(call.mock.calls.map(([name]) => name)).toContain('writeText');
    expect(answer.headers.get('content-length')).toBe(String(text.length));
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const { value, ...rest } = JSON.parse(text) as {
      value: { shape: number[]; data: number[] };
      path: string;
    };
    expect(rest.path).toBe('weight');
    const raw = await fetch(server.url + path, { headers: OCTETS });
    expect(raw.headers.get('etag')).toBe(answer.headers.get('etag'));
    const floats = new Float32Array(await raw.arrayBuffer());
    expect(value.shape).toEqual([1024, 64]);
    if (layout === 'nested') expect(value.data).toHaveLength(1024);
    expect(Float32Array.from((value.data as unknown[]).flat() as number[])).toEqual(floats);
  });

  it('of a strided slice is written by workers too', async () => {
    const path = '/v1/models/wide/parameters/weight?include=value&index=:,::2';
    const call = vi.spyOn(server.engine.pool, 'call');
    const { value } = (await (await fetch(server.url + path)).json()) as { value: { data: number[] } };
    expect(call.mock.calls.map(([name]) => name)).toEqual(['writeText']);
    const raw = new Float32Array(await (await fetch(server.url + path, { headers: OCTETS })).arrayBuffer());
    expect(Float32Array.from(value.data)).toEqual(raw);
  });

  it('may be compressed, and HEAD is answered with the length of GET', async () => {
    const path = `${server.url}/v1/models/wide/parameters/weight`;
    const plain = await fetch(path, { headers: { 'accept-encoding': 'identity' } });
    const packed = await fetch(path, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(await packed.text()).toBe(await plain.text());
    const head = await fetch(path, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
    expect(head.headers.get('content-length')).toBe(plain.headers.get('content-length'));
  });

  it('with a state of many tensors is the same values, and holds nothing afterwards', async () => {
    await build(
      'deep',
      `nn.Sequential(${Array(5).fill('nn.Linear(64, 64), nn.BatchNorm1d(64)').join(', ')})`,
    );
    const before = server.engine.memory.bytesInUse;
    const { state_dict: state } = (await server.request('GET', '/v1/models/deep/state_dict?layout=nested'))
      .body as { state_dict: Record<string, { dtype: string; data: unknown }> };
    expect(Object.keys(state)).toHaveLength(5 * 7);
    expect(state['1.num_batches_tracked']).toMatchObject({ dtype: 'int64', data: 0 });
    const again = await server.request('PUT', '/v1/models/deep/state_dict', {
      state_dict: Object.fromEntries(Object.entries(state).map(([name, { data }]) => [name, data])),
    });
    expect(again.status).toBe(200);
    const after = (await server.request('GET', '/v1/models/deep/state_dict?layout=nested')).body;
    expect((after as { state_dict: unknown }).state_dict).toEqual(state);
    const log = 4 * 5 * (64 * 64 + 5 * 64);
    await vi.waitFor(() => expect(server.engine.memory.bytesInUse - before).toBeLessThan(2 * log));
  });
});

describe('a worker that is lost', () => {
  const lost = (call: string) => {
    const { pool } = server.engine;
    const real = pool.call.bind(pool) as (...given: unknown[]) => Promise<never>;
    vi.spyOn(pool, 'call').mockImplementation((name, ...rest) =>
      (name as string) === call ? Promise.reject(new WorkerLostError('died')) : real(name, ...rest),
    );
  };

  it.each(['readBody', 'writeText'])('in %s is WORKER_LOST, and nothing stays held', async (call) => {
    const text = JSON.stringify({ inputs: Array.from({ length: 64 }, () => sines(64)) });
    expect((await (await post('/v1/models/wide/forward', text)).text()).length).toBeGreaterThan(500_000);
    await nothingHeld();
    const before = server.engine.memory.bytesInUse;
    lost(call);
    const answer = await post('/v1/models/wide/forward', text);
    expect(answer.status).toBe(500);
    expect(((await answer.json()) as { code: string }).code).toBe('WORKER_LOST');
    await settles(before);
  });
});

describe('an answer beyond 16 MiB of text', () => {
  let own: TestServer;
  beforeAll(async () => {
    own = await startServer({ limitBytes: 16 * 2 ** 20 });
    await build('net', 'nn.Linear(1024, 1000)', own);
  });
  afterAll(() => own.stop());

  const path = '/v1/models/net/state_dict';

  it('goes part by part through two rooms', async () => {
    const { memory } = own.engine;
    const before = memory.bytesInUse;
    const calls = vi.spyOn(own.engine.pool, 'call');
    const answer = await fetch(own.url + path, { headers: { 'accept-encoding': 'identity' } });
    expect(answer.headers.get('transfer-encoding')).toBe('chunked');
    const { state_dict: state } = (await answer.json()) as { state_dict: Record<string, { data: number[] }> };
    expect(calls.mock.calls.filter(([name]) => name === 'writeText')).toHaveLength(
      Math.ceil(1_024_000 / 65_536),
    );
    const raw = await fetch(`${own.url}/v1/models/net/parameters/weight`, { headers: OCTETS });
    const read = Buffer.from(Float32Array.from(state.weight!.data).buffer);
    expect(read.equals(Buffer.from(await raw.arrayBuffer()))).toBe(true);
    expect(state.bias!.data).toHaveLength(1000);
    await settles(before, own);
  });

  it('gives its rooms back when the reader goes, and is not made where nobody reads', async () => {
    const { memory } = own.engine;
    const before = memory.bytesInUse;
    const socket = connect(Number(new URL(own.url).port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'readable');
    expect(memory.bytesInUse).toBeGreaterThan(before);
    socket.destroy();
    await settles(before, own);
  });

  it('is cut off where a worker is lost on the way, and nothing stays held', async () => {
    const { memory, pool } = own.engine;
    const before = memory.bytesInUse;
    const real = pool.call.bind(pool) as (...given: unknown[]) => Promise<never>;
    let calls = 0;
    vi.spyOn(pool, 'call').mockImplementation((...given) =>
      ++calls > 5 ? Promise.reject(new WorkerLostError('died')) : real(...given),
    );
    await expect(fetch(own.url + path).then((answer) => answer.text())).rejects.toThrow();
    await settles(before, own);
  });

  it.each(['flat', 'nested'])('is written all the same where there is no room: %s', async (layout) => {
    const { memory } = own.engine;
    const url = `${own.url}${path}?layout=${layout}`;
    const written = await (await fetch(url)).text();
    const filling = memory.allocate(memory.limitBytes - memory.bytesInUse);
    const calls = vi.spyOn(own.engine.pool, 'call');
    const answer = await fetch(url);
    // No text of it all is made: it may be longer than any string.
    expect(answer.headers.get('content-length')).toBeNull();
    expect((await answer.text()) === written).toBe(true);
    expect(calls).not.toHaveBeenCalled();
    memory.release(filling);
  });
});
