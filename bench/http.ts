// Requests per second of a 4-8-1 network's forward (batch 2) over HTTP, next to a bare Fastify route that parses and
// answers bodies of the same size, and to FastAPI with PyTorch where Python (PYTHON, or python3) has both: same client,
// each server a process of its own, taken in turns. Then the latency of build, patch and init.

import { spawnSync } from 'node:child_process';
import { median, report } from './measure.js';
import { startServer } from './server.js';
import { ARCHITECTURE, FORWARD, httpPerSecond } from './small-forward.js';

const SECONDS = 2;
const ROUNDS = 7;

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
await call(server.url, 'POST', '/v1/models', { name: 'mlp', seed: 0, architecture: ARCHITECTURE });
const forward = `${server.url}/v1/models/mlp/forward`;
const answer = await (await call(server.url, 'POST', '/v1/models/mlp/forward', FORWARD)).text();

const bare = await startServer({ script: './peers/bare-fastify.js', env: { ANSWER: answer } });
const python = process.env.PYTHON ?? 'python3';
const hasFastApi = spawnSync(python, ['-c', 'import fastapi, torch, uvicorn']).status === 0;
if (!hasFastApi) console.log(`${python} lacks fastapi, torch or uvicorn: FastAPI is left out`);
const fastapi = hasFastApi
  ? await startServer({ command: [python, 'bench/peers/fastapi-torch.py'] })
  : undefined;

const ours: number[] = [];
const theirs: number[] = [];
const pythons: number[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const figures = {
    bare: await httpPerSecond(`${bare.url}/forward`, SECONDS),
    ours: await httpPerSecond(forward, SECONDS),
    fastapi: fastapi && (await httpPerSecond(`${fastapi.url}/forward`, SECONDS)),
  };
  // The first round is to warm up.
  if (round === 0) continue;
  theirs.push(figures.bare);
  ours.push(figures.ours);
  if (figures.fastapi !== undefined) pythons.push(figures.fastapi);
}
await bare.stop();
await fastapi?.stop();

const build = await latencyMs(200, (i) =>
  call(server.url, 'POST', '/v1/models', { name: `b${i}`, seed: i, architecture: ARCHITECTURE }),
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
  'ratio to bare Fastify': median(ours.map((value, i) => value / theirs[i]!)),
  ...(pythons.length > 0 && {
    'FastAPI + PyTorch, requests/s': median(pythons),
    'ratio to FastAPI + PyTorch': median(ours.map((value, i) => value / pythons[i]!)),
  }),
  'build, ms': build,
  'patch, ms': patch,
  'init, ms': init,
});
