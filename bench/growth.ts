// How cost grows: the time of a forward with its batch and with its width, of a patch with the number of subscribers.
// One client, one request after the other, raw bytes over HTTP; milliseconds, medians.

import { WebSocket } from 'ws';
import { once } from 'node:events';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const TIMES = 60;
const BATCHES = [1, 4, 16, 64, 256, 1024];
const WIDTHS = [64, 256, 1024, 4096];
const SUBSCRIBERS = [0, 1, 10, 100, 1000];

const server = await startServer({ env: { WEIGHTROOM_MEMORY_LIMIT_BYTES: '4GiB' } });

async function send(method: string, path: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(server.url + path, { method, ...init });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

const json = (value: unknown): RequestInit => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const begun = performance.now();
    await work();
    taken.push(performance.now() - begun);
  }
  return median(taken.slice(TIMES / 4));
}

async function build(name: string, width: number): Promise<void> {
  const linear = { type: 'Linear', in_features: width, out_features: width };
  const architecture = { type: 'Sequential', children: [linear, { type: 'ReLU' }, linear] };
  await (await send('POST', '/v1/models', json({ name, seed: 0, architecture }))).text();
}

function forward(name: string, rows: number, width: number): () => Promise<ArrayBuffer> {
  const init: RequestInit = {
    headers: {
      'content-type': 'application/octet-stream',
      'x-tensor-shape': `${rows},${width}`,
      accept: 'application/octet-stream',
    },
    body: new Float32Array(rows * width).fill(0.5),
  };
  return async () => (await send('POST', `/v1/models/${name}/forward`, init)).arrayBuffer();
}

const results: Record<string, number> = {};

for (const width of WIDTHS) await build(`w${width}`, width);
for (const rows of BATCHES) {
  results[`forward 1024-1024-1024, batch ${rows}, ms`] = await milliseconds(forward('w1024', rows, 1024));
}
for (const width of WIDTHS) {
  results[`forward of two layers ${width} wide, batch 1, ms`] = await milliseconds(
    forward(`w${width}`, 1, width),
  );
}

/** Sockets that watch a model's values, each read to the end. */
const watchers: WebSocket[] = [];
async function watch(count: number): Promise<void> {
  while (watchers.length < count) {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/stream`);
    await once(socket, 'open');
    const subscribed = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        if (data.includes('"subscribed"')) resolve();
      });
    });
    socket.send(JSON.stringify({ type: 'subscribe', id: 'a', models: ['w64'], detail: 'values' }));
    await subscribed;
    watchers.push(socket);
  }
}
const patch = (): Promise<string> =>
  send(
    'PATCH',
    '/v1/models/w64/parameters/0.bias',
    json({ ops: [{ op: 'add', index: '0', value: 1 }] }),
  ).then((answer) => answer.text());
for (const count of SUBSCRIBERS) {
  await watch(count);
  results[`patch watched by ${count}, ms`] = await milliseconds(patch);
}
for (const socket of watchers) socket.terminate();
await server.stop();
report('growth', results);
