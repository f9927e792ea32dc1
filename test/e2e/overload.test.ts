// More requests than can be served at once: who is refused is told so, nothing is lost, nothing stays behind.

import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';

const FORWARDS = 200;
const inputs = [Array<number>(512).fill(1)];

/** Keeps a worker, and who waits behind it, for some time. */
const slow = {
  ops: [{ op: 'map', expression: `${'sin('.repeat(60)}w${')'.repeat(60)}` }],
};

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ workers: 1, inlineFlops: 0, limits: { maxQueue: 16 } });
  const architecture = 'nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))';
  await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
  await server.request('POST', '/v1/models/net/forward', { inputs });
});
afterAll(() => server.stop());

/** Asks for a slow change; it is under way when this resolves. */
async function change(): Promise<{ done: Promise<unknown> }> {
  const done = server.request('PATCH', '/v1/models/net/parameters/0.weight', slow);
  while (server.engine.pool.load.running === 0) await turn();
  return { done };
}

/** A request of which the connection is in our hands. */
function open(): ClientRequest {
  const sent = request(`${server.url}/v1/models/net/forward`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify({ inputs }));
  return sent;
}

/** Once as many wait in the queue. */
async function waiting(count: number): Promise<void> {
  const { queue } = server.engine.registry.scheduler;
  while (queue.depth < count) await turn();
}

describe('more forwards than there is room for', () => {
  it('are answered 200 or 503 with Retry-After, all of them; then everything is as before', async () => {
    const { memory, registry } = server.engine;
    const before = memory.bytesInUse;
    const served = { ...registry.scheduler.queue.tallies.requests };
    const { done } = await change();
    const answers = await Promise.all(
      Array.from({ length: FORWARDS }, () => server.request('POST', '/v1/models/net/forward', { inputs })),
    );
    await done;
    const refused = answers.filter(({ status }) => status === 503);
    const right = answers.filter(({ status }) => status === 200);
    expect(refused.length + right.length).toBe(FORWARDS);
    expect(right.length).toBeGreaterThan(0);
    for (const { headers, body } of refused) {
      expect(body).toMatchObject({ code: 'OVERLOADED' });
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    const { tallies, depth } = registry.scheduler.queue;
    expect(tallies.requests.done - served.done).toBe(right.length + 1);
    expect(tallies.requests.overloaded - served.overloaded).toBe(refused.length);
    expect(depth).toBe(0);
    expect(registry.scheduler.batchesRunning).toBe(0);
    // The log holds the weight of before the change.
    for (const model of registry.all()) model.log.clear();
    expect(memory.bytesInUse).toBeLessThanOrEqual(before);
    expect((await server.request('GET', '/readyz')).status).toBe(200);
  });
});

describe('a client that hangs up while its forward waits', () => {
  it('has it dropped before it runs', async () => {
    const { tallies } = server.engine.registry.scheduler.queue;
    const { batchForwards } = tallies;
    const [count, cancelled] = [batchForwards.count, tallies.requests.cancelled];
    const { done } = await change();
    const connections: Promise<unknown>[] = [];
    const connected = (socket: Socket): void => void connections.push(once(socket, 'close'));
    server.app.server.on('connection', connected);
    const sent = [open(), open(), open()];
    await waiting(3);
    for (const one of sent) one.destroy();
    await Promise.all(connections);
    server.app.server.off('connection', connected);
    await done;
    await server.request('POST', '/v1/models/net/forward', { inputs });
    expect(tallies.requests.cancelled - cancelled).toBe(3);
    expect(batchForwards.count - count).toBe(1);
  });
});

describe('a forward with a timeout', () => {
  it('that passes while it waits is answered 504 in time', async () => {
    const { done } = await change();
    const answer = await server.request('POST', '/v1/models/net/forward', { inputs, timeout: 1 });
    expect(answer).toMatchObject({ status: 504, body: { code: 'DEADLINE_EXCEEDED' } });
    await done;
  });
});

describe('a request that finds the queue full', () => {
  it('is refused before its body is read', async () => {
    const { done } = await change();
    const sent = Array.from({ length: 16 }, () => open());
    const answered = sent.map((one) => once(one, 'response'));
    await waiting(16);
    const refused = request(`${server.url}/v1/models/net/forward`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': 10_000 },
    });
    refused.on('error', () => undefined);
    refused.flushHeaders();
    const [answer] = (await once(refused, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    refused.destroy();
    await done;
    const answers = await Promise.all(answered);
    for (const [{ statusCode }] of answers as [IncomingMessage][]) expect(statusCode).toBe(200);
  });
});

describe('requests whose bodies are still on their way', () => {
  /** Sixteen that have begun to come. */
  const begin = () =>
    Array.from({ length: 16 }, () => {
      const sent = request(`${server.url}/v1/models/net/forward`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 100_000 },
      });
      sent.on('error', () => undefined);
      sent.write('{"inputs": [[');
      return sent;
    });
  const forward = () => server.request('POST', '/v1/models/net/forward', { inputs });

  it('have places in the queue, which are free again when they end', async () => {
    const { queue } = server.engine.registry.scheduler;
    const begun = begin();
    await waiting(16);
    expect(await forward()).toMatchObject({ status: 503 });
    for (const sent of begun) sent.destroy();
    while (queue.depth > 0) await turn();
    expect(await forward()).toMatchObject({ status: 200 });
  });

  it('lose their places when they take long', async () => {
    const { queue } = server.engine.registry.scheduler;
    const begun = begin();
    await waiting(16);
    while (queue.depth > 0) await turn();
    expect(await forward()).toMatchObject({ status: 200 });
    for (const sent of begun) sent.destroy();
  });
});
