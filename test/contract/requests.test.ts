// Any request, as openapi.yaml has it or with something wrong about it, gets an answer that openapi.yaml declares, and no 5xx.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';
import { requests, type Names, type Request } from './arbitrary.js';
import { operations } from './document.js';

const RUNS = 200;
/** Declared, and right: the request said how long it would wait, or too many came at once. */
const IN_TIME = new Set([503, 504]);

const architecture = 'Sequential(Linear(4, 4), ReLU(), Linear(4, 4), Linear(4, 1))';
const columns = { x: [[0, 0, 0, 0], [1, 1, 1, 1]], y: [[0], [1]] }; // prettier-ignore
const training = {
  optimizer: { name: 'SGD' },
  loss: { name: 'mse_loss' },
  inputs: columns.x,
  targets: columns.y,
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ limits: { maxModels: 500, maxDatasets: 500, maxWatchpoints: 1000 } });
});
afterAll(() => server.stop());

/** Makes what requests are about, whatever those before did to it; the names it has. */
async function prepare(): Promise<Names> {
  for (const job of server.engine.registry.jobs.list()) job.cancel();
  await server.request('DELETE', '/v1/models/net');
  await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
  await server.request('PUT', '/v1/datasets/data', { columns });
  await server.request('POST', '/v1/models/net/watchpoints', { path: '**', when: 'nan > 0' });
  const { body } = await server.request('POST', '/v1/models/net/train?wait=true', training);
  return {
    model: ['net'],
    dataset: ['data'],
    path: ['0.weight', '0.bias', '0', '2', '-1', '1'],
    watchpoint: ['1'],
    job: [(body as { id: string }).id],
  };
}

async function send(method: string, { path, headers, body }: Request): Promise<number> {
  const answer = await fetch(server.url + path, {
    method,
    headers,
    ...(body !== undefined && method !== 'GET' && { body }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Nobody waits for a million epochs. */
const short = ({ body = '' }: Request): boolean => !/"epochs":\d{4}/.test(body);

/** Its answer ends with the model. */
const ENDLESS = 'streamEvents';
const ending = operations.filter(({ operationId }) => operationId !== ENDLESS);

describe(`of ${RUNS} requests`, () => {
  it.each(ending.map((operation) => [operation.operationId, operation] as const))(
    '%s answers each as it declares',
    async (_id, operation) => {
      const names = await prepare();
      const statuses = new Map<number, number>();
      await fc.assert(
        fc.asyncProperty(requests(operation, names).filter(short), async (request) => {
          const status = await send(operation.method, request);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (status < 300 && /^delete|^remove/.test(operation.operationId)) await prepare();
          expect(status < 500 || IN_TIME.has(status), `${status}`).toBe(true);
        }),
        { numRuns: RUNS },
      );
      expect(
        [...statuses.keys()].some((status) => status < 300),
        JSON.stringify([...statuses]),
      ).toBe(true);
    },
    60_000,
  );
});
