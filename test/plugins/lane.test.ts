// The short way of small forwards gives what the usual way gives: each request is sent twice, the second time with a
// header that the lane does not know.

import { connect } from 'node:net';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await server.request('POST', '/v1/models', {
    name: 'net',
    seed: 0,
    architecture: 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))',
  });
  await server.request('POST', '/v1/models', { name: 'wide', seed: 0, architecture: 'nn.Linear(1, 2000)' });
  await server.request('POST', '/v1/models', { name: 'table', seed: 0, architecture: 'nn.Embedding(3, 2)' });
});
afterAll(() => server.stop());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

function post(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } };
    const request = httpRequest(server.url + path, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        resolve({
          status: answer.statusCode!,
          headers: answer.headers,
          body: JSON.parse(text.toString()) as unknown,
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Without what differs each time. */
function steady({ status, headers: { date: _, ...headers }, body }: Answer): unknown {
  const { request_id: __, ...told } = body as Record<string, unknown>;
  delete headers['content-length'];
  return { status, headers, body: told };
}

/** Whether the framework has seen a request since the count before. */
async function seen(): Promise<number> {
  const { text } = await server.request('GET', '/metrics');
  const lines = text.matchAll(/^weightroom_http_request_seconds_count\{(.*)\} (\d+)$/gm);
  return [...lines]
    .filter(([, labels]) => labels!.includes('route="/v1/models/:model/forward"'))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

const inputs = [[0.1, 0.2, 0.3, 0.4]];

describe('a forward', () => {
  it.each<[what: string, path: string, body: string]>([
    ['of a batch', 'net', JSON.stringify({ inputs: [...inputs, ...inputs] })],
    ['of a module', 'net', JSON.stringify({ inputs, module: '0' })],
    ['that says its mode', 'net', JSON.stringify({ mode: 'eval', inputs })],
    [
      'of a tensor object',
      'net',
      JSON.stringify({ inputs: { dtype: 'float32', shape: [1, 4], data: inputs[0] } }),
    ],
    ['of numbers JSON has no words for', 'net', '{"inputs": [["NaN", "Infinity", "-Infinity", -0.0]]}'],
    ['of whole numbers where those are wanted', 'table', '{"inputs": [0, 2, 1]}'],
    ['of no rows', 'net', '{"inputs": {"shape": [0, 4], "data": []}}'],
    ['with a long answer', 'wide', '{"inputs": [[0.5]]}'],
    ['of another shape', 'net', '{"inputs": [[1, 2, 3]]}'],
    ['of lists that are ragged', 'net', '{"inputs": [[1, 2, 3, 4], [1]]}'],
    ['of what is no number', 'net', '{"inputs": [["a", null, {}, []]]}'],
    ['of an index that is not there', 'table', '{"inputs": [3]}'],
    ['of nothing', 'net', '{}'],
    ['with an unknown field', 'net', JSON.stringify({ input: inputs })],
    ['with fields that are wrong', 'net', JSON.stringify({ inputs, module: 1, mode: 'train' })],
    ['of a module that is not there', 'net', JSON.stringify({ inputs, module: '7' })],
    ['of a model that is not there', 'nett', JSON.stringify({ inputs })],
    ['of a model whose name is encoded', 'n%65t', JSON.stringify({ inputs })],
    ['of a name that no model has', '__proto__', JSON.stringify({ inputs })],
    ['of what is no JSON', 'net', '{"inputs": [[1, 2'],
    ['of a list', 'net', '[1]'],
    ['of null', 'net', 'null'],
    ['with a prototype', 'net', '{"inputs": [[1, 2, 3, 4]], "__proto__": {}}'],
    ['with a prototype among the inputs', 'net', '{"inputs": {"__proto__": {}, "shape": [], "data": [1]}}'],
    ['of nothing at all', 'net', ''],
    ['that asks for another layout', 'net/forward?layout=nested&x=', JSON.stringify({ inputs })],
  ])('%s is answered the same both ways', async (_what, name, body) => {
    const path = name.includes('?') ? `/v1/models/${name}` : `/v1/models/${name}/forward`;
    const [short, usual] = [await post(path, body), await post(path, body, { 'x-usual': '1' })];
    expect(steady(short)).toEqual(steady(usual));
  });

  it.each(['gzip', 'identity', 'br'])(
    'is compressed where it is long, as the usual way does (%s)',
    async (encoding) => {
      const body = '{"inputs": [[0.5]]}';
      const accepted = { 'accept-encoding': encoding };
      const short = await post('/v1/models/wide/forward', body, accepted);
      expect(steady(short)).toEqual(
        steady(await post('/v1/models/wide/forward', body, { ...accepted, 'x-usual': '1' })),
      );
      expect(short.headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
    },
  );

  it('is counted once, whichever way it went', async () => {
    const before = await seen();
    await post('/v1/models/net/forward', JSON.stringify({ inputs }));
    await post('/v1/models/net/forward', JSON.stringify({ inputs }), { 'x-usual': '1' });
    await post('/v1/models/net/forward', '{"inputs": [1]}');
    await post('/v1/models/wide/forward', '{"inputs": [[1]]}');
    expect((await seen()) - before).toBe(4);
  });

  it('is done once, though its answer goes the usual way', async () => {
    const forward = vi.spyOn(server.engine.registry.get('wide'), 'forward');
    await post('/v1/models/wide/forward', '{"inputs": [[1]]}');
    await post('/v1/models/wide/forward', '{"inputs": [[1, 2]]}');
    expect(forward).toHaveBeenCalledTimes(2);
    forward.mockRestore();
  });

  it('goes past the framework, which numbers what it sees', async () => {
    const number = async (): Promise<number> => {
      const { body } = await post('/v1/models/none/forward', '{"inputs": [1]}');
      return parseInt((body as { request_id: string }).request_id.split('-')[1]!, 36);
    };
    const before = await number();
    const body = JSON.stringify({ inputs });
    await Promise.all(Array.from({ length: 10 }, () => post('/v1/models/net/forward', body)));
    expect(await number()).toBe(before + 1);
    await post('/v1/models/net/forward', body, { 'x-usual': '1' });
    expect(await number()).toBe(before + 3);
  });

  it('whose body comes in pieces is answered, in order with what is pipelined behind it', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    const body = JSON.stringify({ inputs });
    const head = (path: string, length: number) =>
      `POST /v1/models/net/${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    socket.write(head('forward', body.length) + body.slice(0, 9));
    await (await fetch(`${server.url}/healthz`)).text();
    socket.write(body.slice(9) + head('forward', 2) + '{}' + head('forward', body.length) + body);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '200',
      '422',
      '200',
      '200',
    ]);
  });

  it('of a client that hangs up half way leaves the server as it was', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      'POST /v1/models/net/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    await (await fetch(`${server.url}/healthz`)).text();
    socket.destroy();
    expect((await post('/v1/models/net/forward', JSON.stringify({ inputs }))).status).toBe(200);
  });
});

describe('the lane is closed', () => {
  it('to requests of other origins: what their pages may read is for the usual way to say', async () => {
    const strict = await startServer({ env: { WEIGHTROOM_CORS_ORIGINS: 'https://a.example' } });
    await strict.request('POST', '/v1/models', { name: 'net', architecture: 'nn.Linear(4, 1)' });
    const answer = await fetch(`${strict.url}/v1/models/net/forward`, {
      method: 'POST',
      body: JSON.stringify({ inputs }),
      headers: { 'content-type': 'application/json', origin: 'https://a.example' },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://a.example');
    await strict.stop();
  });

  it('when the server closes, once what it has taken is answered', async () => {
    const closing = await startServer();
    await closing.request('POST', '/v1/models', { name: 'net', architecture: 'nn.Linear(4, 1)' });
    const model = closing.engine.registry.get('net');
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const taken = new Promise<void>((resolve) => {
      const forward = model.forward.bind(model);
      vi.spyOn(model, 'forward').mockImplementation(async (request) => {
        resolve();
        await held;
        return forward(request);
      });
    });
    const socket = connect(Number(new URL(closing.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    const body = JSON.stringify({ inputs });
    const request = `POST /v1/models/net/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    socket.write(request);
    await taken;
    const stopped = closing.stop();
    await vi.waitUntil(() => !closing.app.server.listening);
    release();
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 .*\r\nconnection: close\r\n.*"revision":1/is);
    await stopped;
  });
});
