// The early refusal says what the usual way says: each request is sent to two servers whose queues are full, one of which
// has no short ways, because its log has a line for each request.

import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startServer, type TestServer } from '../server.js';

const PLACES = 4;
const inputs = [[1, 2, 3, 4]];
const FORWARD = '/v1/models/net/forward';

let early: TestServer;
let usual: TestServer;

async function start(env: Record<string, string> = {}): Promise<TestServer> {
  const server = await startServer({ env, limits: { maxQueue: PLACES, maxQueueTotal: 2 * PLACES } });
  for (const name of ['net', 'other', 'third'])
    await server.request('POST', '/v1/models', { name, architecture: 'nn.Linear(4, 1)' });
  return server;
}

beforeAll(async () => {
  early = await start();
  usual = await start({ WEIGHTROOM_LOG_LEVEL: 'debug' });
});
afterAll(() => Promise.all([early.stop(), usual.stop()]));

const taken: (() => void)[] = [];
afterEach(() => {
  for (const giveBack of taken.splice(0)) giveBack();
  vi.restoreAllMocks();
});

function fill({ engine: { registry } }: TestServer, name = 'net'): void {
  const { line } = registry.get(name);
  for (let i = 0; i < PLACES; i++) taken.push(registry.scheduler.queue.reserve(line));
}

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  /** In pieces: chunked. */
  readonly body?: string | readonly string[];
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

function send(server: TestServer, { method = 'POST', path = FORWARD, headers, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A connection of its own, which a body that does not end leaves unfit for others.
    const agent = new Agent({ keepAlive: true });
    const options = { agent, method, headers: { 'content-type': 'application/json', ...headers } };
    const request = httpRequest(server.url + path, options, (answer) => {
      request.off('error', reject).on('error', () => undefined);
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        const told = JSON.parse(text) as Record<string, unknown>;
        resolve({ status: answer.statusCode, headers: answer.headers, body: told });
        agent.destroy();
      });
    });
    request.on('error', reject);
    if (Array.isArray(body)) for (const piece of body) request.write(piece);
    if (body === undefined) request.flushHeaders();
    else request.end(typeof body === 'string' ? body : undefined);
  });
}

/** Without what differs each time. */
function steady({
  status,
  headers: { date: _, ...headers },
  body: { request_id, ...told },
}: Answer): unknown {
  expect(request_id).toMatch(/^[0-9a-f]{8}-[0-9a-z]+$/);
  return { status, headers: { ...headers, 'content-length': undefined }, body: told };
}

/** How often the queue was asked by the framework's hooks. */
const asked = ({ engine }: TestServer) => vi.spyOn(engine.registry.scheduler.queue, 'admit');

interface Connection {
  readonly socket: Socket;
  /** What has come. */
  readonly text: () => string;
}

async function connection({ url }: TestServer): Promise<Connection> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'connect');
  return { socket, text: () => text };
}

const head = (bytes: number, path = FORWARD) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
const forward = head(JSON.stringify({ inputs }).length) + JSON.stringify({ inputs });
const statuses = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

const body = JSON.stringify({ inputs });

describe('a forward that finds the queue full', () => {
  it.each<[what: string, sent: Sent]>([
    ['', { body }],
    ['and accepts compression', { body, headers: { 'accept-encoding': 'gzip, br' } }],
    ['and accepts no JSON', { body, headers: { accept: 'application/octet-stream' } }],
    ['and accepts nothing that there is', { body, headers: { accept: 'image/png' } }],
    ['in pieces', { body: [body.slice(0, 9), body.slice(9)] }],
    ['of a type that is not served', { body, headers: { 'content-type': 'text/plain' } }],
    ['of raw bytes', { body: 'abcd', headers: { 'content-type': 'application/octet-stream' } }],
    ['that is no JSON', { body: '{' }],
    ['larger than a body may be', { headers: { 'content-length': '999999999999' } }],
    ['on terms that are wrong', { body, headers: { timeout: 'never', priority: '?' } }],
    ['of another origin', { body, headers: { origin: 'https://a.example' } }],
    ['that asks before it sends its body', { body, headers: { expect: '100-continue' } }],
    ['and closes the connection', { body, headers: { connection: 'close' } }],
  ])('%s is refused early, as the usual way does', async (_what, sent) => {
    for (const server of [early, usual]) fill(server);
    const hooks = asked(early);
    // Not one after the other: both tell of the same rate and number.
    const answers = await Promise.all([early, usual].map((server) => send(server, sent)));
    const [short, long] = answers as [Answer, Answer];
    expect(short.status).toBe(503);
    expect(short.body).toMatchObject({ code: 'OVERLOADED' });
    expect(steady(short)).toEqual(steady(long));
    expect(hooks).not.toHaveBeenCalled();
  });

  it('of all models is told so', async () => {
    for (const server of [early, usual]) for (const name of ['net', 'other']) fill(server, name);
    const sent = { body, path: '/v1/models/third/forward' };
    const [short, long] = [await send(early, sent), await send(usual, sent)];
    expect(short.body.detail).toContain('all models');
    expect(steady(short)).toEqual(steady(long));
  });

  it.each<[what: string, sent: Sent]>([
    ['has no body', { body: '' }],
    ['is for another model', { body, path: '/v1/models/other/forward' }],
    ['is for a model that is not there', { body, path: '/v1/models/nett/forward' }],
    ['is for a name that no model has', { body, path: '/v1/models/__proto__/forward' }],
    ['is no forward', { body, path: '/v1/models/net/forwards' }],
    ['has another method', { body, method: 'PUT' }],
    ['names its model in code', { body, path: '/v1/models/n%65t/forward' }],
  ])('but %s is left to the usual way', async (_what, sent) => {
    for (const server of [early, usual]) fill(server);
    const [short, long] = [await send(early, sent), await send(usual, sent)];
    expect(short.status).toBe(long.status);
    expect(short.body.code).toBe(long.body.code);
    expect(short.body.detail).toBe(long.body.detail);
  });

  it('is counted once: as refused, and by its status', async () => {
    fill(early);
    const { tallies } = early.engine.registry.scheduler.queue;
    const before = { refused: tallies.requests.overloaded, answered: await answered() };
    await Promise.all(Array.from({ length: 10 }, () => send(early, { body })));
    expect(tallies.requests.overloaded - before.refused).toBe(10);
    expect((await answered()) - before.answered).toBe(10);
  });

  it('has an id of its own', async () => {
    fill(early);
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(early, { body })));
    expect(new Set(answers.map((answer) => answer.body.request_id)).size).toBe(10);
  });

  it('has the usual answer where pages of other origins may read it', async () => {
    const open = await start({ WEIGHTROOM_CORS_ORIGINS: 'https://a.example' });
    fill(open);
    const answer = await send(open, { body, headers: { origin: 'https://a.example' } });
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'access-control-allow-origin': 'https://a.example' },
    });
    await open.stop();
  });

  it('is not refused once there is room', async () => {
    fill(early);
    expect((await send(early, { body })).status).toBe(503);
    taken.pop()!();
    expect((await send(early, { body })).status).toBe(200);
  });
});

async function answered(): Promise<number> {
  const { text } = await early.request('GET', '/metrics');
  const labels = 'method="POST",route="/v1/models/:model/forward",status="503"';
  return Number(text.split(`weightroom_http_request_seconds_count{${labels}} `)[1]?.split('\n')[0] ?? 0);
}

describe('the connection of a forward that was refused', () => {
  it.each([
    ['early', () => early],
    ['in the usual way', () => usual],
  ])('%s is not read for a moment, then serves again', async (_how, of) => {
    const server = of();
    fill(server);
    const accepted = once(server.app.server, 'connection');
    const { socket, text } = await connection(server);
    const [held] = (await accepted) as [Socket];
    const events: string[] = [];
    for (const event of ['pause', 'resume'] as const) held.on(event, () => events.push(event));
    const served = ({ socket }: IncomingMessage) => socket === held && events.push('request');
    server.app.server.on('request', served);
    socket.write(forward);
    await vi.waitUntil(() => statuses(text()).length === 1);
    for (const giveBack of taken.splice(0)) giveBack();
    socket.write(forward);
    await vi.waitUntil(() => statuses(text()).length === 2);
    server.app.server.off('request', served);
    expect(statuses(text())).toEqual([503, 200]);
    const between = events.slice(events.indexOf('request') + 1, events.lastIndexOf('request'));
    expect(between.slice(-2)).toEqual(['pause', 'resume']);
    socket.destroy();
  });

  it('answers what was pipelined behind it, in order', async () => {
    fill(early);
    const { socket, text } = await connection(early);
    socket.write(`${forward}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${forward}`);
    socket.write(`${forward}GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(statuses(text())).toEqual([503, 200, 503, 503, 200]);
  });

  it('takes all of a body larger than its buffers, though the answer came first', async () => {
    fill(early);
    const bytes = 24 * 2 ** 20;
    const { socket, text } = await connection(early);
    socket.write(head(bytes));
    await vi.waitUntil(() => statuses(text()).length === 1);
    await new Promise<void>((resolve) => socket.write(Buffer.alloc(bytes, 32), () => resolve()));
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(statuses(text())).toEqual([503, 200]);
  });

  it.each([
    ['once its body is read', JSON.stringify({ inputs }).length],
    ['whose body never ends', 10_000_000],
  ])('does not hold the server that closes, %s', async (_what, bytes) => {
    const closing = await start();
    fill(closing);
    const connections = await Promise.all(Array.from({ length: 50 }, () => connection(closing)));
    for (const { socket } of connections) socket.write(head(bytes) + JSON.stringify({ inputs }));
    await vi.waitUntil(() => connections.every(({ text }) => statuses(text())[0] === 503));
    const ended = connections.map(({ socket }) => once(socket, 'close'));
    await closing.stop();
    await Promise.all(ended);
  });

  it('may break meanwhile', async () => {
    fill(early);
    const request = httpRequest(early.url + FORWARD, { method: 'POST', headers: { 'content-length': 9999 } });
    request.on('error', () => undefined);
    request.flushHeaders();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(503);
    request.destroy();
    while (taken.length > 0) taken.pop()!();
    expect((await send(early, { body })).status).toBe(200);
  });
});
