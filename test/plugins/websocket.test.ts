import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { readConfig } from '#src/config.js';
import { answerProblems } from '#src/plugins/problems.js';
import { acceptWebSockets } from '#src/plugins/websocket.js';

let app: FastifyInstance;
let host: string;

beforeEach(async () => {
  app = Fastify();
  answerProblems(app);
  await acceptWebSockets(app, readConfig({ WEIGHTROOM_WS_MESSAGE_LIMIT_BYTES: '1KiB' }));
  app.get('/plain', () => 'plain');
  app.get('/echo', { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  host = `127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterEach(() => app.close());

/** The status and code with which an upgrade is refused. */
async function refusal(path: string): Promise<{ status: number | undefined; code: string }> {
  const socket = new WebSocket(`ws://${host}${path}`);
  const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return { status: answer.statusCode, code: (JSON.parse(text) as { code: string }).code };
}

describe('a WebSocket', () => {
  it('opens where there is one', async () => {
    const socket = new WebSocket(`ws://${host}/echo`);
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.close();
    await once(socket, 'close');
  });

  it('is refused with ROUTE_NOT_FOUND, not opened, where there is none', async () => {
    expect(await refusal('/plain')).toEqual({ status: 404, code: 'ROUTE_NOT_FOUND' });
    expect(await refusal('/nowhere')).toEqual({ status: 404, code: 'ROUTE_NOT_FOUND' });
  });

  it('asked for by plain HTTP is UPGRADE_REQUIRED', async () => {
    const answer = await fetch(`http://${host}/echo`);
    expect(answer.status).toBe(426);
    expect(answer.headers.get('upgrade')).toBe('websocket');
    expect(await answer.json()).toMatchObject({ code: 'UPGRADE_REQUIRED' });
  });

  it('is closed with 1009 by a message longer than the limit', async () => {
    const socket = new WebSocket(`ws://${host}/echo`);
    await once(socket, 'open');
    socket.send('a'.repeat(1025));
    expect((await once(socket, 'close'))[0]).toBe(1009);
  });

  it('is closed with 1001 when the server closes', async () => {
    const socket = new WebSocket(`ws://${host}/echo`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await app.close();
    expect((await closed)[0]).toBe(1001);
  });

  it('whose client does not answer the closing handshake does not keep the server from closing', async () => {
    const socket = new WebSocket(`ws://${host}/echo`);
    await once(socket, 'open');
    socket.pause();
    await app.close();
    socket.terminate();
  });
});
