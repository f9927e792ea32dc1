// What the headers Timeout and Priority, and the fields of a forward, become.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEcho, type EchoServer } from './echo.js';

let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.stop());

async function send(headers: Record<string, string>, fields: object = {}, path = 'forward') {
  const answer = await fetch(`${server.url}/v1/models/net/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(path === 'forward' ? { inputs: [[1]], ...fields } : fields),
  });
  return {
    status: answer.status,
    body: (await answer.json()) as { errors?: { path: string; message: string }[] },
  };
}

describe('a timeout', () => {
  it.each([
    ['250', 250],
    ['250ms', 250],
    ['1.5 s', 1500],
    ['86400s', 86_400_000],
  ])('of %s is %i ms, from when the request came', async (text, timeoutMs) => {
    expect((await send({ timeout: text })).status).toBe(200);
    const terms = server.terms()!;
    expect(terms.timeoutMs).toBe(timeoutMs);
    expect(terms.arrivedAt).toBeLessThan(performance.now());
  });

  it('as a field wins over the header', async () => {
    await send({ timeout: '1s' }, { timeout: 20 });
    expect(server.terms()!.timeoutMs).toBe(20);
    await send({}, { timeout: '2s' });
    expect(server.terms()!.timeoutMs).toBe(2000);
  });

  it.each(['0', '-1', '1h', 'soon', '1e3', '86401s', '', '0x10'])('of %j is refused', async (text) => {
    const message = 'must be a time from 1 ms to a day: milliseconds (250), or with a unit ("250ms", "1.5s")';
    const header = await send({ timeout: text });
    expect(header).toMatchObject({ status: 422, body: { errors: [{ path: 'header.timeout', message }] } });
    const field = await send({}, { timeout: text });
    expect(field).toMatchObject({ status: 422, body: { errors: [{ path: 'timeout', message }] } });
  });

  it('is taken by what changes a model, too', async () => {
    await send({ timeout: '3s', priority: 'low' }, { paths: ['0.weight', '1.weight'] }, 'ties');
    expect(server.last()!.method).toBe('tie');
    expect(server.terms()).toMatchObject({ timeoutMs: 3000, priority: 'low' });
  });
});

describe('a priority', () => {
  it.each([
    ['high', 'high'],
    ['low', 'low'],
    ['u=0', 'high'],
    ['u=1, i', 'high'],
    ['u=3', 'normal'],
    ['i', 'normal'],
    ['i;q=1, u=5', 'low'],
    ['u=9', 'normal'],
  ])('of %s is %s: our words, or those of RFC 9218', async (text, priority) => {
    expect((await send({ priority: text })).status).toBe(200);
    expect(server.terms()!.priority).toBe(priority);
  });

  it.each(['urgent', 'HIGH', '7', ''])('of %j is refused', async (text) => {
    expect(await send({ priority: text })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'header.priority', message: 'must be high, normal or low' }] },
    });
    expect((await send({}, { priority: text })).body.errors).toMatchObject([{ path: 'priority' }]);
  });

  it('and a timeout are nobody’s who does not say', async () => {
    await send({});
    expect(server.terms()).toMatchObject({ timeoutMs: undefined, priority: undefined });
  });
});
