// What many models cost: memory for each beside the bytes of its parameters, and requests per second when they are
// asked in turn beside one of them asked alone. 1,000 small ones (4-8-1), then 100 of a million parameters, by one row and
// by batches of 16. Requests of one model that wait are not put together here, as those of many cannot be: what that
// gains is bench/batching.

import autocannon from 'autocannon';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const CONNECTIONS = 32;
const SECONDS = 3;
const ROUNDS = 5;

const linear = (inFeatures: number, outFeatures: number) => ({
  type: 'Linear',
  in_features: inFeatures,
  out_features: outFeatures,
});

interface Fleet {
  readonly count: number;
  readonly architecture: unknown;
  readonly features: number;
  readonly parameters: number;
  /** Of each request. */
  readonly rows: number;
}

const MILLION = {
  count: 100,
  architecture: { type: 'Sequential', children: [linear(64, 7500), { type: 'ReLU' }, linear(7500, 68)] },
  features: 64,
  parameters: 64 * 7500 + 7500 + 7500 * 68 + 68,
};

const FLEETS: Readonly<Record<string, Fleet>> = {
  '1,000 models 4-8-1': {
    count: 1000,
    architecture: { type: 'Sequential', children: [linear(4, 8), { type: 'ReLU' }, linear(8, 1)] },
    features: 4,
    parameters: 4 * 8 + 8 + 8 + 1,
    rows: 2,
  },
  '100 models of 1 M parameters, 1 row': { ...MILLION, rows: 1 },
  '100 models of 1 M parameters, 16 rows': { ...MILLION, rows: 16 },
};

async function gauge(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]);
}

const row = (features: number): number[] => Array.from({ length: features }, (_, i) => (i % 10) / 10);
const path = (i: number): string => `/v1/models/m${i}/forward`;

/** Requests per second to the first `models` models, each connection asking one after the other. */
async function requestsPerSecond(url: string, { features, rows }: Fleet, models: number): Promise<number> {
  const request = {
    method: 'POST' as const,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: Array.from({ length: rows }, () => row(features)) }),
  };
  const requests = Array.from({ length: models }, (_, i) => ({ ...request, path: path(i) }));
  const result = await autocannon({ url, connections: CONNECTIONS, duration: SECONDS, requests });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} failed, ${result.errors} broken`);
  return result['2xx'] / result.duration;
}

const results: Record<string, number> = {};
for (const [name, fleet] of Object.entries(FLEETS)) {
  const server = await startServer({ env: { WEIGHTROOM_MAX_BATCH_ROWS: String(fleet.rows) } });
  const [bytesBefore, rssBefore] = [
    await gauge(server.url, 'weightroom_memory_bytes'),
    await gauge(server.url, 'process_resident_memory_bytes'),
  ];
  for (let i = 0; i < fleet.count; i++) {
    const answer = await fetch(`${server.url}/v1/models`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: `m${i}`, seed: i, architecture: fleet.architecture }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.text();
  }
  const parameterBytes = 4 * fleet.parameters;
  const perModel = ((await gauge(server.url, 'weightroom_memory_bytes')) - bytesBefore) / fleet.count;
  const resident = ((await gauge(server.url, 'process_resident_memory_bytes')) - rssBefore) / fleet.count;
  const [alone, inTurn]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await requestsPerSecond(server.url, fleet, 1));
    inTurn.push(await requestsPerSecond(server.url, fleet, fleet.count));
  }
  const served = ((await gauge(server.url, 'weightroom_memory_bytes')) - bytesBefore) / fleet.count;
  await server.stop();
  Object.assign(results, {
    [`${name}: parameters, bytes`]: parameterBytes,
    [`${name}: memory for each, bytes`]: perModel,
    [`${name}: resident for each, bytes`]: resident,
    [`${name}: with panels, bytes`]: served,
    [`${name}: one alone, requests/s`]: median(alone),
    [`${name}: in turn, requests/s`]: median(inTurn),
    [`${name}: ratio`]: median(inTurn.map((value, i) => value / alone[i]!)),
  });
}
report('models', results);
