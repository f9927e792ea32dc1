// A model is deleted while somebody who watches it is far behind.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';

describe('the deletion of a model', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());

  it('is told to a slow reader after every change before it, and then nothing of the model stays in memory', async () => {
    const { registry, memory } = server.engine;
    const before = memory.bytesInUse;
    await registry.build({
      name: 'gone',
      seed: 0,
      architecture: { type: 'Linear', in_features: 300, out_features: 300 },
    });
    const model = registry.get('gone');
    for (let i = 0; i < 30; i++) {
      await model.patch(new Map([['weight', { ops: [{ op: 'add', value: 1 }] }]]));
    }
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/stream`);
    const told: { type: string; revision?: number }[] = [];
    const deleted = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as (typeof told)[number];
        told.push(message);
        if (message.type === 'deleted') resolve();
      });
    });
    await once(socket, 'open');
    socket.send(
      JSON.stringify({ type: 'subscribe', id: 'slow', models: ['gone'], detail: 'values', after: 0 }),
    );
    await once(socket, 'message');
    socket.pause();
    await registry.delete('gone');
    socket.resume();
    await deleted;
    expect(told.filter(({ type }) => type === 'change').map(({ revision }) => revision)).toEqual(
      Array.from({ length: 31 }, (_, i) => i + 1),
    );
    expect(told.at(-1)).toMatchObject({ type: 'deleted', revision: 31 });
    socket.close();
    await once(socket, 'close');
    expect(memory.bytesInUse).toBe(before);
  });
});
