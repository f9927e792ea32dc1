// HTTP itself, over real sockets: what is refused, how, and what ends when.

import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ERRORS, type ErrorCode } from '#src/errors.js';
import { startEcho, type EchoServer } from './routes/echo.js';

let server: EchoServer;

beforeAll(async () => {
  server = await startEcho({ WEIGHTROOM_BODY_LIMIT_BYTES: '64KiB', WEIGHTROOM_REQUEST_TIMEOUT_MS: '300' });
});
afterAll(() => server.stop());
afterEach(() => server.answerWith(undefined));

/** Sends bytes and resolves with all that comes back until the server closes the connection. */
async function exchange(bytes: string, port = server.port): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
  request_id?: string;
}

/** Checks that an answer is the problem document of a code, and gives it. */
async function expectProblem(answer: Response, code: ErrorCode): Promise<Problem> {
  const body = (await answer.json()) as Problem;
  expect(body).toMatchObject({ code, status: answer.status, type: `/v1/errors#${code}` });
  expect(answer.status).toBe(ERRORS[code][0]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body.request_id).toMatch(/^[0-9a-f]{8}-[0-9a-z]+$/);
  return body;
}

function expectRawProblem(text: string, code: ErrorCode): void {
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${ERRORS[code][0]} `));
  expect(text).toContain('application/problem+json');
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({ code, status: ERRORS[code][0] });
}

function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

describe('broken HTTP', () => {
  it.each([
    ['no method', 'BREW / HTTP/1.1\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    ],
    [
      'a length and chunks',
      'POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('(%s) is answered BAD_REQUEST and the connection closed', async (_what, bytes) => {
    expectRawProblem(await exchange(bytes), 'BAD_REQUEST');
  });

  it('with headers beyond 16 KiB is answered HEADERS_TOO_LARGE', async () => {
    const bytes = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`;
    expectRawProblem(await exchange(bytes), 'HEADERS_TOO_LARGE');
  });

  it.each([
    ['headers', 'GET /v1 HTTP/1.1\r\nHost: x\r\n'],
    [
      'a body',
      'POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    ],
  ])('whose %s do not end is answered REQUEST_TIMEOUT', async (_what, bytes) => {
    expectRawProblem(await exchange(bytes), 'REQUEST_TIMEOUT');
  });
});

describe('a URL', () => {
  it('that cannot be decoded is BAD_URL', async () => {
    expectRawProblem(
      await exchange('GET /v1/models/net/modules/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      'BAD_URL',
    );
  });

  it('with a part of more than 4096 characters is URL_TOO_LONG', async () => {
    await expectProblem(await fetch(`${server.url}/v1/models/${'a'.repeat(4097)}`), 'URL_TOO_LONG');
    await expectProblem(await fetch(`${server.url}/v1/models/${'a'.repeat(4096)}`), 'MODEL_NOT_FOUND');
  });

  it('that leads nowhere is ROUTE_NOT_FOUND', async () => {
    await expectProblem(await fetch(`${server.url}/v2/health`), 'ROUTE_NOT_FOUND');
    await expectProblem(await fetch(`${server.url}/v1/models/net/`), 'ROUTE_NOT_FOUND');
  });

  it.each([
    ['PUT', '/v1/models', 'GET, HEAD, POST'],
    ['POST', '/v1/models/net', 'DELETE, GET, HEAD'],
    ['GET', '/v1/models/net/forward', 'POST'],
    ['PATCH', '/v1/models/net/modules/0', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/v1/models/net/parameters/0.weight', 'GET, HEAD, PATCH, PUT'],
    ['OPTIONS', '/v1', 'GET, HEAD'],
  ])(
    'that is there for other methods answers %s %s with METHOD_NOT_ALLOWED and Allow',
    async (method, path, allow) => {
      const answer = await fetch(server.url + path, { method });
      expect(answer.headers.get('allow')).toBe(allow);
      await expectProblem(answer, 'METHOD_NOT_ALLOWED');
    },
  );

  it('answers HEAD as GET, without the body', async () => {
    const answer = await fetch(`${server.url}/v1/models/net`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"e-3"');
    expect(await answer.text()).toBe('');
  });
});

describe('a body', () => {
  it.each(['{bad', '{"name": "net"', '', '\u0000', '{"a": NaN}', "{'a': 1}"])(
    '%j is INVALID_JSON',
    async (body) => {
      await expectProblem(await post('/v1/models', body), 'INVALID_JSON');
    },
  );

  it.each([
    '{"__proto__": {"polluted": true}}',
    '{"architecture": [{"__proto__": {"polluted": true}}]}',
    '{"constructor": {"prototype": {"polluted": true}}}',
    '{"\\u005f_proto__": {"polluted": true}}',
  ])('%s is INVALID_JSON and reaches no prototype', async (body) => {
    const { detail } = await expectProblem(await post('/v1/models', body), 'INVALID_JSON');
    expect(detail).toContain('__proto__');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data',
    'application/octet-stream',
  ])('of type %s is UNSUPPORTED_MEDIA_TYPE', async (type) => {
    const { detail } = await expectProblem(
      await post('/v1/models', '{}', { 'content-type': type }),
      'UNSUPPORTED_MEDIA_TYPE',
    );
    expect(detail).toContain(type);
  });

  /** In chunks, its length untold. */
  function postStream(path: string, body: string): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body: new Blob([body]).stream(), duplex: 'half', headers };
    return fetch(server.url + path, init as RequestInit);
  }

  it('longer than the limit is BODY_TOO_LARGE, whether its length is told or not', async () => {
    const body = JSON.stringify({ name: 'a'.repeat(70_000) });
    await expectProblem(await post('/v1/models', body), 'BODY_TOO_LARGE');
    await expectProblem(await postStream('/v1/models', body), 'BODY_TOO_LARGE');
  });

  it('far longer than the limit is answered to a client that writes all of it first, and the next request too', async () => {
    const body = JSON.stringify({ name: 'a'.repeat(20_000_000) });
    for (let i = 0; i < 3; i++) await expectProblem(await post('/v1/models', body), 'BODY_TOO_LARGE');
    await expectProblem(await postStream('/v1/models', body), 'BODY_TOO_LARGE');
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  it('that unpacks to more than the limit is BODY_TOO_LARGE', async () => {
    const bomb = gzipSync(`{"name":"${'a'.repeat(10_000_000)}"}`);
    const answer = await fetch(`${server.url}/v1/models`, {
      method: 'POST',
      body: new Uint8Array(bomb),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    await expectProblem(answer, 'BODY_TOO_LARGE');
  });

  it('may be gzip', async () => {
    const answer = await fetch(`${server.url}/v1/models/net/forward`, {
      method: 'POST',
      body: new Uint8Array(gzipSync('{"inputs": [1]}')),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(answer.status).toBe(200);
    expect(server.last()?.args[0]).toMatchObject({ inputs: [1] });
  });

  it.each([
    ['compress', 'UNSUPPORTED_MEDIA_TYPE'],
    ['gzip', 'BAD_REQUEST'],
  ] as const)('that says %s and is not is %s', async (encoding, code) => {
    await expectProblem(await post('/v1/models', '{}', { 'content-encoding': encoding }), code);
  });
});

describe('an error that nobody foresaw', () => {
  it('is INTERNAL, and nothing of it reaches the client', async () => {
    for (const thrown of [new TypeError('secret'), 'secret', null, { statusCode: 200, message: 'secret' }]) {
      server.answerWith(() => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw thrown;
      });
      const text = await (await fetch(`${server.url}/v1/models/net`)).text();
      expect(text).not.toContain('secret');
      expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL', status: 500 });
    }
  });

  it('in writing the answer is INTERNAL', async () => {
    const circle: Record<string, unknown> = { name: 'net', epoch: 'e', revision: 1 };
    circle.self = circle;
    server.answerWith(() => circle);
    await expectProblem(await fetch(`${server.url}/v1/models/net`), 'INTERNAL');
  });
});

describe('headers', () => {
  it('forbid pages of others to frame us and anybody to guess types', async () => {
    const { headers } = await fetch(`${server.url}/v1`);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('access-control-allow-origin')).toBeNull();
    const page = await fetch(`${server.url}/docs`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    await page.text();
  });

  it('let the pages of WEIGHTROOM_CORS_ORIGINS read answers, and no other', async () => {
    const shared = await startEcho({ WEIGHTROOM_CORS_ORIGINS: 'https://a.example' });
    const allowed = async (origin: string) =>
      (await fetch(`${shared.url}/v1`, { headers: { origin } })).headers.get('access-control-allow-origin');
    expect(await allowed('https://a.example')).toBe('https://a.example');
    expect(await allowed('https://b.example')).toBeNull();
    const preflight = await fetch(`${shared.url}/v1/models/net`, {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'DELETE' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toContain('DELETE');
    await shared.stop();
  });

  it('compress long answers for who can read them', async () => {
    server.answerWith(() => ({ name: 'net', epoch: 'e', revision: 1, repr: 'a'.repeat(10_000) }));
    const packed = await fetch(`${server.url}/v1/models/net`, { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(await packed.json()).toMatchObject({ repr: 'a'.repeat(10_000) });
    const plain = await fetch(`${server.url}/v1/models/net`, { headers: { 'accept-encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
  });
});

describe('around the API', () => {
  it('/v1 tells version and limits', async () => {
    expect(await (await fetch(`${server.url}/v1`)).json()).toMatchObject({
      name: 'weightroom',
      version: '0.1.0',
      node: process.version,
      workers: 2,
      engine: expect.stringMatching(/^(native (avx512|avx2|neon)|webassembly)$/),
      madd_fused: true,
      limits: { body_bytes: 65536, models: 20000 },
    });
  });

  it('/v1/errors lists the table of codes', async () => {
    const { errors } = (await (await fetch(`${server.url}/v1/errors`)).json()) as {
      errors: { code: string }[];
    };
    expect(errors.map(({ code }) => code)).toEqual(Object.keys(ERRORS));
  });

  it('/healthz and /readyz answer ok', async () => {
    for (const path of ['/healthz', '/readyz']) {
      expect(await (await fetch(server.url + path)).json()).toEqual({ status: 'ok' });
    }
  });

  it('/metrics counts requests by route, never by URL', async () => {
    await fetch(`${server.url}/v1/models/a-name-of-a-client`);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain(
      'weightroom_http_request_seconds_count{method="GET",route="/v1/models/:model",status="404"}',
    );
    expect(text).not.toContain('a-name-of-a-client');
    expect(text).toContain('weightroom_memory_bytes 4096');
    expect(text).toContain('weightroom_models 1');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });

  it('/docs is a page that loads nothing from elsewhere', async () => {
    const answer = await fetch(`${server.url}/docs`);
    expect(answer.headers.get('content-type')).toContain('text/html');
    const links = [...(await answer.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) {
      const { origin, href } = new URL(link, `${server.url}/docs`);
      expect(origin).toBe(server.url);
      expect((await fetch(href)).status).toBe(200);
    }
  });

  it('/openapi.json and /openapi.yaml describe the API', async () => {
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toMatchObject({ openapi: '3.1.0' });
    expect(await (await fetch(`${server.url}/openapi.yaml`)).text()).toMatch(/^openapi: 3\.1\.0\n/);
  });
});

describe('a server past its thresholds', () => {
  it('answers OVERLOADED with Retry-After, and still says how it is', async () => {
    const pressed = await startEcho({ WEIGHTROOM_PRESSURE_RSS_BYTES: '1' });
    await vi.waitUntil(() => pressed.app.isUnderPressure(), { timeout: 5000 });
    const answer = await fetch(`${pressed.url}/v1/models`);
    expect(answer.headers.get('retry-after')).toBe('1');
    await expectProblem(answer, 'OVERLOADED');
    await expectProblem(await fetch(`${pressed.url}/readyz`), 'OVERLOADED');
    expect(await (await fetch(`${pressed.url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect(await (await fetch(`${pressed.url}/metrics`)).text()).toContain('weightroom_models 1');
    await pressed.stop();
  });
});

describe('a server that closes', () => {
  it('ends the request in progress, answers SHUTTING_DOWN on open connections, takes no new ones', async () => {
    const closing = await startEcho();
    let finish: (body: unknown) => void = () => undefined;
    const called = new Promise<void>((resolve) => {
      closing.answerWith(() => {
        resolve();
        return new Promise((done) => (finish = done));
      });
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const slow = send(agent, closing.port, 'POST', '/v1/models/net/forward', '{"inputs": [1]}');
    await called;
    // Pipelined behind the slow one on the same connection: its answer comes last.
    const behind = send(agent, closing.port, 'GET', '/v1');
    const closed = closing.stop();
    await vi.waitUntil(() => !closing.app.server.listening);
    finish({ name: 'net', epoch: 'e', revision: 7 });
    expect(await slow).toMatchObject({ status: 200, body: { revision: 7 } });
    await behind.then(
      ({ status, body }) =>
        expect({ status, body }).toMatchObject({ status: 503, body: { code: 'SHUTTING_DOWN' } }),
      (error: NodeJS.ErrnoException) => expect(error.code).toMatch(/ECONNREFUSED|ECONNRESET/),
    );
    await closed;
    await expect(fetch(`${closing.url}/v1`)).rejects.toThrow();
  });

  it('does not wait for the answers to a client that is gone', async () => {
    const closing = await startEcho();
    let finish: (body: unknown) => void = () => undefined;
    const called = new Promise<void>((resolve) => {
      closing.answerWith(() => {
        resolve();
        return new Promise((done) => (finish = done));
      });
    });
    const socket = connect(closing.port, '127.0.0.1');
    const body = '{"inputs": [1]}';
    socket.write(
      `POST /v1/models/net/forward HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    await called;
    // The second answer is there, and queued behind the first.
    await (await fetch(`${closing.url}/healthz`)).text();
    const closed = closing.stop();
    socket.destroy();
    await closed;
    finish({ name: 'net', epoch: 'e', revision: 7 });
  });
});

function send(agent: Agent, port: number, method: string, path: string, body?: string) {
  return new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const request = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
