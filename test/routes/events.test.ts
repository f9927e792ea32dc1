import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../kernels/instance.js';
import { startServer, type TestServer } from '../server.js';
import { EventClient, type Event } from './event-client.js';
import { StreamClient } from './stream-client.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ limits: { logEntries: 10_000 } });
});
afterAll(() => server.stop());

const at = '/v1/models/net';
const events = `${at}/events`;
beforeEach(async () => {
  await server.request('DELETE', at);
  await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture: 'nn.Linear(2, 1)' });
});
const patch = (value: number) => server.request('PUT', `${at}/parameters/bias`, { value });

async function take(client: EventClient, count: number): Promise<Event[]> {
  const taken: Event[] = [];
  while (taken.length < count) taken.push((await client.next())!);
  return taken;
}

describe('events', () => {
  it('are the messages of the stream, each change with an id', async () => {
    const client = new EventClient(`${server.url}${events}?after=0&detail=values`);
    const [subscribed, built] = await take(client, 2);
    expect(subscribed).toMatchObject({ event: 'subscribed', message: { revision: 1 } });
    const { epoch } = (await server.request('GET', at)).body as { epoch: string };
    expect(built).toMatchObject({
      event: 'change',
      id: `${epoch}-1`,
      message: { kind: 'build', revision: 1 },
    });
    await patch(7);
    const [changed] = await take(client, 1);
    expect(changed).toMatchObject({
      id: `${epoch}-2`,
      message: { parameters: [{ path: 'bias', value: { data: [7] } }] },
    });
    client.close();
    const headers = (await client.answered).headers;
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  });

  it('are of the kinds and parameters that are asked for', async () => {
    const query = 'after=0&kinds=patch,init&paths=*.nothing,bias';
    const client = new EventClient(`${server.url}${events}?${query}`);
    await server.request('PUT', `${at}/parameters/weight`, { value: 1 });
    await patch(1);
    const [, changed] = await take(client, 2);
    expect(changed).toMatchObject({ message: { revision: 3, parameters: [{ path: 'bias' }] } });
    client.close();
  });

  it('end with the model', async () => {
    const client = new EventClient(server.url + events);
    await take(client, 1);
    await server.request('DELETE', at);
    expect(await client.next()).toMatchObject({ event: 'deleted', message: { revision: 1 } });
    expect(await client.next()).toBeUndefined();
  });

  it('behind an epoch that is over begin anew, and say so', async () => {
    const { epoch } = (await server.request('GET', at)).body as { epoch: string };
    await server.request('DELETE', at);
    await server.request('POST', '/v1/models', { name: 'net', architecture: 'nn.ReLU()' });
    const client = new EventClient(server.url + events, { 'last-event-id': `${epoch}-1` });
    const [, resync] = await take(client, 2);
    const { epoch: now } = (await server.request('GET', at)).body as { epoch: string };
    expect(resync).toMatchObject({ event: 'resync', id: `${now}-1`, message: { epoch: now, revision: 1 } });
    client.close();
  });

  it.each([
    [`${events}?after=9`, {}, 422, 'REVISION_UNKNOWN'],
    [events, { 'last-event-id': 'seven' }, 422, 'INVALID_REQUEST'],
    [`${events}?kinds=pach`, {}, 422, 'INVALID_REQUEST'],
    [`${events}?detail=all`, {}, 422, 'INVALID_REQUEST'],
    ['/v1/models/nothing/events', {}, 404, 'MODEL_NOT_FOUND'],
  ])('%s %j is refused with %i %s', async (path, headers, status, code) => {
    const answer = await fetch(server.url + path, { headers });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code });
  });

  it('have no HEAD', async () => {
    expect((await fetch(server.url + events, { method: 'HEAD' })).status).toBe(405);
  });

  it('end with a reason when the server does', async () => {
    const other = await startServer();
    await other.request('POST', '/v1/models', { name: 'net', architecture: 'nn.ReLU()' });
    const client = new EventClient(other.url + events);
    await take(client, 1);
    const stopped = other.stop();
    expect(await client.next()).toMatchObject({ event: 'close' });
    expect(await client.next()).toBeUndefined();
    await stopped;
  });
});

describe('a client that is cut off a thousand times', () => {
  it('sees each revision once, in order, over WebSocket and as events', async () => {
    const CUTS = 1000;
    const random = noise(2 * CUTS, 11);
    const { epoch } = (await server.request('GET', at)).body as { epoch: string };
    const seen: number[] = [];
    let writing = true;
    const written = (async () => {
      for (let i = 0; writing; i++) await patch(i);
    })();
    const last = () => seen.at(-1) ?? 0;
    for (let cut = 0; cut < CUTS; cut++) {
      // Some clients are gone before anything comes, others read on for a while.
      const count = Math.floor((random[cut]! + 1) * 3);
      if (cut % 2 === 0) {
        const headers: Record<string, string> = last() > 0 ? { 'last-event-id': `${epoch}-${last()}` } : {};
        const client = new EventClient(`${server.url}${events}${last() > 0 ? '' : '?after=0'}`, headers);
        for (const { message } of await take(client, count)) {
          if (message?.type === 'change') seen.push(message.revision);
          else expect(message?.type).toBe('subscribed');
        }
        client.close();
      } else {
        const client = await StreamClient.open(`${server.url.replace('http', 'ws')}${at}/stream`);
        client.send({ type: 'subscribe', id: 'a', after: last(), epoch });
        for (const message of await client.take(count)) {
          if (message.type === 'change') seen.push(message.revision);
          else expect(message.type).toBe('subscribed');
        }
        client.socket.terminate();
      }
    }
    writing = false;
    await written;
    expect(seen.length).toBeGreaterThan(CUTS);
    expect(seen).toEqual(seen.map((_, i) => i + 1));
  }, 60_000);
});
