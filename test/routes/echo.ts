// A server whose models answer with what they were asked: for what happens between a request and the inner API.
// It listens on a free port; nothing is computed.

import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { buildApp } from '#src/app.js';
import { readConfig } from '#src/config.js';
import type { Datasets } from '#src/datasets/datasets.js';
import { ApiError } from '#src/errors.js';
import { SharedMemory } from '#src/runtime/memory.js';
import type { Registry } from '#src/models/registry.js';
import { Scheduler } from '#src/models/scheduler.js';
import type { Terms } from '#src/models/terms.js';

export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface EchoServer {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly port: number;
  /** What the last request became. */
  last(): Call | undefined;
  /** On which terms it waits. */
  terms(): Terms | undefined;
  /** From now on models do this in place of answering. */
  answerWith(reply: (() => unknown) | undefined): void;
  stop(): Promise<void>;
}

function isTerms(arg: unknown): arg is Terms {
  return typeof arg === 'object' && arg !== null && 'gone' in arg;
}

const identity = { name: 'net', epoch: 'e', revision: 3 };

export async function startEcho(env: Record<string, string> = {}): Promise<EchoServer> {
  let call: Call | undefined;
  let terms: Terms | undefined;
  let reply: (() => unknown) | undefined;
  const echo =
    (method: string) =>
    (...args: unknown[]) => {
      call = { method, args: args.filter((arg) => !isTerms(arg)) };
      terms = args.find(isTerms);
      return reply === undefined ? { ...identity, repr: 'Sequential()' } : reply();
    };
  const job = { id: 'a', over: Promise.resolve(), cancel: () => undefined, report: () => ({ id: 'a' }) };
  const model = new Proxy(
    {
      identity: () => identity,
      train: (...args: unknown[]) => {
        const answered = echo('train')(...args);
        return reply === undefined ? job : answered;
      },
    },
    { get: (target, method) => (Reflect.get(target, method) as unknown) ?? echo(String(method)) },
  );
  const registry = {
    size: 1,
    scheduler: new Scheduler({ room: 1, maxDelayUs: 0, maxBatchRows: 1, queue: { perModel: 1, total: 1 } }),
    dispatcher: { inlineFlops: 16384, here: { plans: 3, planSeconds: 0.5 } },
    build: echo('build'),
    list: echo('list'),
    delete: echo('delete'),
    get: (name: string) => {
      if (name !== 'net') throw new ApiError('MODEL_NOT_FOUND', [name]);
      return model;
    },
    jobs: { get: () => job, list: () => [job] },
    find: () => undefined,
    all: () => [],
    onAdded: () => () => undefined,
    onRemoved: () => () => undefined,
    onProgress: () => () => undefined,
  } as unknown as Registry;
  const dataset = { name: 'net', epoch: 'e', version: 3 };
  const datasets = {
    size: 1,
    bytes: 64,
    put: () => Promise.resolve({ created: false, summary: dataset }),
    list: () => ({ datasets: [], next_cursor: null }),
    read: () => dataset,
    select: () => ({ inputs: [], targets: [], rows: 1, release: () => undefined }),
    delete: () => undefined,
  } as unknown as Datasets;
  const memory = new SharedMemory({ limitBytes: 2 ** 20 });
  memory.allocate(4096);
  const app = await buildApp({
    config: readConfig({ WEIGHTROOM_PRESSURE_EVENT_LOOP_DELAY_MS: '0', ...env }),
    registry,
    datasets,
    pool: {
      size: 2,
      load: { queued: 0, running: 1 },
      figure: () => 0,
      call: () => Promise.reject(new Error('no worker')),
    },
    engine: 'webassembly',
    memory,
    maddFused: true,
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    last: () => call,
    terms: () => terms,
    answerWith: (next) => (reply = next),
    stop: () => app.close(),
  };
}
