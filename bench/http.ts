// Requests per second of a 4-8-1 network's forward (batch 2) over HTTP, next to a bare Fastify route that parses and
// answers bodies of the same size: same client, each server a process of its own, taken in turns. Then the latency of build, patch and init.

import autocannon from 'autocannon';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const CONNECTIONS = 64;
const SECONDS = 3;
const ROUNDS = 5;

const body = JSON.stringify({
  inputs: [
    [0.1, 0.2, 0.3, 0.4],
    [0.5, 0.6, 0.7, 0.8],
  ],
});
const architecture = {
  type: 'Sequential',
  children: [
    { type: 'Linear', in_features: 4, out_features: 8 },
    { type: 'ReLU' },
    { type: 'Linear', in_features: 8, out_features: 1 },
  ],
};

async function requestsPerSecond(url: string): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const result = await autocannon({
    url,
    method: 'POST',
    headers,
    body,
    connections: CONNECTIONS,
    duration: SECONDS,
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} failed, ${result.errors} broken`);
  return result['2xx'] / result.duration;
}

async function call(base: string, method: string, path: string, payload?: unknown): Promise<Response> {
  const init =
    payload === undefined
      ? {}
      : { body: JSON.stringify(payload), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`${base}${path}`, { method, ...init });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function latencyMs(times: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work(i);
    taken.push(performance.now() - start);
  }
  return median(taken);
}

const server = await startServer();
await call(server.url, 'POST', '/v1/models', { name: 'mlp', seed: 0, architecture });
const forward = `${server.url}/v1/models/mlp/forward`;
const answer = await (await call(server.url, 'POST', '/v1/models/mlp/forward', JSON.parse(body))).text();

const bare = await startServer({ script: './peers/bare-fastify.js', env: { ANSWER: answer } });
const echo = `${bare.url}/forward`;

const ours: number[] = [];
const theirs: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  theirs.push(await requestsPerSecond(echo));
  ours.push(await requestsPerSecond(forward));
}
await bare.stop();

const build = await latencyMs(200, (i) =>
  call(server.url, 'POST', '/v1/models', { name: `b${i}`, seed: i, architecture }),
);
const patch = await latencyMs(200, () =>
  call(server.url, 'PATCH', '/v1/models/mlp/parameters/0.weight', { ops: [{ op: 'add', value: 1 }] }),
);
const init = await latencyMs(200, () =>
  call(server.url, 'POST', '/v1/models/mlp/init', {
    rules: [{ parameters: ['weight'], init: { name: 'xavier_uniform' } }],
  }),
);
await server.stop();

report('http', {
  'forward, requests/s': median(ours),
  'bare Fastify route, requests/s': median(theirs),
  ratio: median(ours.map((value, i) => value / theirs[i]!)),
  'build, ms': build,
  'patch, ms': patch,
  'init, ms': init,
});
