// How cost grows: the time of a forward with its batch and with its width, of a patch with the number of subscribers.
// One request after the other on one connection, raw bytes over HTTP; milliseconds, medians of three rounds.

import autocannon from 'autocannon';
import { WebSocket } from 'ws';
import { once } from 'node:events';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const ROUNDS = 3;
const SECONDS = 1;
const BATCHES = [1, 4, 16, 64, 256, 1024];
const WIDTHS = [64, 256, 1024, 4096];
const SUBSCRIBERS = [0, 1, 10, 100, 1000];

const server = await startServer({ env: { WEIGHTROOM_MEMORY_LIMIT_BYTES: '4GiB' } });

interface Message {
  readonly headers: Record<string, string>;
  readonly body: string | Buffer;
}

const json = (value: unknown): Message & { body: string } => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

/** Milliseconds from a request to its answer, one after the other on one connection. */
async function milliseconds(
  method: 'POST' | 'PATCH',
  path: string,
  { headers, body }: Message,
): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const url = server.url + path;
    const result = await autocannon({ url, method, headers, body, connections: 1, duration: SECONDS });
    if (result.non2xx > 0 || result.errors > 0) throw new Error(`${path}: ${result.non2xx} failed`);
    rounds.push((1000 * result.duration) / result['2xx']);
  }
  return median(rounds);
}

async function build(name: string, width: number): Promise<void> {
  const linear = { type: 'Linear', in_features: width, out_features: width };
  const architecture = { type: 'Sequential', children: [linear, { type: 'ReLU' }, linear] };
  const answer = await fetch(`${server.url}/v1/models`, {
    method: 'POST',
    ...json({ name, seed: 0, architecture }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.text();
}

function forward(name: string, rows: number, width: number): Promise<number> {
  const body = Buffer.from(new Float32Array(rows * width).fill(0.5).buffer);
  const headers = {
    'content-type': 'application/octet-stream',
    'x-tensor-shape': `${rows},${width}`,
    accept: 'application/octet-stream',
  };
  return milliseconds('POST', `/v1/models/${name}/forward`, { headers, body });
}

const results: Record<string, number> = {};

for (const width of WIDTHS) await build(`w${width}`, width);
for (const rows of BATCHES) {
  results[`forward 1024-1024-1024, batch ${rows}, ms`] = await forward('w1024', rows, 1024);
}
for (const width of WIDTHS) {
  results[`forward of two layers ${width} wide, batch 1, ms`] = await forward(`w${width}`, 1, width);
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
const patch = json({ ops: [{ op: 'add', index: '0', value: 1 }] });
for (const count of SUBSCRIBERS) {
  await watch(count);
  results[`patch watched by ${count}, ms`] = await milliseconds(
    'PATCH',
    '/v1/models/w64/parameters/0.bias',
    patch,
  );
}
for (const socket of watchers) socket.terminate();
await server.stop();
report('growth', results);
