// A server as a process of its own: the benchmark's client does not share its event loop.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ServerOptions {
  /** Relative to this folder; Weightroom itself by default. */
  readonly script?: string;
  /** In place of a script of ours: a program and its arguments, in the root folder. */
  readonly command?: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

const ATTEMPT_INTERVAL_MS = 50;
const MAX_ATTEMPTS = 200;

function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Resolves once the server answers /readyz. */
export async function startServer(
  options: ServerOptions = {},
): Promise<{ url: string; stop(): Promise<void> }> {
  const { script = '../src/main.js', env = {} } = options;
  const command = options.command ?? [process.execPath, fileURLToPath(new URL(script, import.meta.url))];
  const port = await freePort();
  const child = spawn(command[0], command.slice(1), {
    env: {
      PATH: process.env.PATH ?? '',
      WEIGHTROOM_PORT: String(port),
      WEIGHTROOM_LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  // A benchmark that fails leaves none behind.
  process.once('exit', () => child.kill());
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; !(await isReady(url)); attempt++) {
    if (attempt === MAX_ATTEMPTS) throw new Error(`${command.join(' ')} does not answer at ${url}`);
    await delay(ATTEMPT_INTERVAL_MS);
  }
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
