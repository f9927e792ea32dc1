// The whole server on a free port, with real workers, in this process.

import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '#src/app.js';
import { readConfig } from '#src/config.js';
import { engineName, kernelModule } from '#src/runtime/kernel-module.js';
import { witness } from './contract/witness.js';
import { startEngine, type Engine, type EngineOptions } from './models/engine.js';

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body of a JSON answer. */
  readonly body: unknown;
}

export interface TestServer {
  readonly url: string;
  readonly app: FastifyInstance;
  readonly engine: Engine;
  request(method: string, path: string, body?: unknown): Promise<TestAnswer>;
  stop(): Promise<void>;
}

export interface TestServerOptions extends EngineOptions {
  /** WEIGHTROOM_* variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A machine busy with other tests delays the event loop: that is not what most of them are about. */
const UNHURRIED = { WEIGHTROOM_PRESSURE_EVENT_LOOP_DELAY_MS: '0' };

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const engine = await startEngine({ workers: 2, ...options });
  const config = readConfig({ ...UNHURRIED, ...options.env });
  const app = await buildApp({
    ...engine,
    config,
    engine: engineName(kernelModule()),
    maddFused: true,
  });
  // Whatever it answers in any test is what openapi.yaml says.
  const { faults } = witness(app.server);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return {
    url,
    app,
    engine,
    async request(method, path, body) {
      const payload =
        body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      const answer = await fetch(url + path, { method, ...payload });
      const text = await answer.text();
      const json = answer.headers.get('content-type')?.includes('json') && text !== '';
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        body: json ? (JSON.parse(text) as unknown) : undefined,
      };
    },
    async stop() {
      await app.close();
      await engine.stop();
      if (faults.size > 0)
        throw new Error(`answers that openapi.yaml does not declare:\n${[...faults].join('\n')}`);
    },
  };
}
