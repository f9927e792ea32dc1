// Four times as many forwards as can be served, for 30 seconds: what comes back, how much of the peak is still served,
// and how long /readyz takes meanwhile. Open loop: requests are sent when they are due, not when others were answered.
// The client is a process of its own, but shares the machine's cores with the server; it sends ready-made bytes.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const OVERLOAD = 4;
const SECONDS = Number(process.env.SECONDS ?? 30);
const PEAK_SECONDS = 5;
const PEAK_CONNECTIONS = 64;
/** More than may wait in the server's queue, so that nobody waits here. */
const CONNECTIONS = 2048;
const PROBE_INTERVAL_MS = 50;
const TICK_MS = 2;

const FEATURES = 784;
const WIDTH = Number(process.env.WIDTH ?? 1024);
const ROWS = 8;

const inputs = Array.from({ length: ROWS }, (_, i) =>
  Array.from({ length: FEATURES }, (__, j) => ((i * FEATURES + j) % 16) / 16),
);

/** One request of ready-made bytes at a time on each connection. */
class Client {
  readonly statuses = new Map<number, number>();
  readonly milliseconds: number[] = [];
  private readonly idle: Socket[] = [];
  private readonly all = new Set<Socket>();
  private readonly pending = new Map<Socket, (status: number) => void>();
  private readonly message: Buffer;
  private readonly port: number;

  constructor(url: string, path: string, body: string) {
    const { host, port } = new URL(url);
    this.port = Number(port);
    this.message = Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  /** A few at a time: a server accepts them between requests, and a kernel keeps only so many for it. */
  async open(connections: number): Promise<void> {
    while (this.all.size < connections) {
      const some = Math.min(64, connections - this.all.size);
      this.idle.push(...(await Promise.all(Array.from({ length: some }, () => this.connect()))));
      await delay(10);
    }
  }

  get ready(): boolean {
    return this.idle.length > 0;
  }

  /** Resolves to the status, 0 where the connection broke. There must be an idle connection. */
  async send(due: number): Promise<number> {
    const socket = this.idle.pop()!;
    socket.write(this.message);
    const status = await new Promise<number>((resolve) => this.pending.set(socket, resolve));
    this.idle.push(status === 0 ? await this.connect() : socket);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status === 200) this.milliseconds.push(performance.now() - due);
    return status;
  }

  close(): void {
    for (const socket of this.all) socket.destroy();
  }

  private async connect(): Promise<Socket> {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    this.all.add(socket);
    let text = '';
    const settle = (status: number): void => {
      const resolve = this.pending.get(socket);
      this.pending.delete(socket);
      resolve?.(status);
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      const status = Number(text.slice(9, 12));
      text = text.slice(head + 4 + length);
      settle(status);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.all.delete(socket);
      settle(0);
    });
    await once(socket, 'connect');
    return socket;
  }
}

const server = await startServer();
const call = async (path: string, body: unknown): Promise<void> => {
  const answer = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
};
const architecture = `nn.Sequential(nn.Linear(${FEATURES}, ${WIDTH}), nn.ReLU(), nn.Linear(${WIDTH}, ${WIDTH}), nn.ReLU(), nn.Linear(${WIDTH}, 10))`;
await call('/v1/models', { name: 'net', seed: 0, architecture });
const path = '/v1/models/net/forward';
const body = JSON.stringify({ inputs });

/** Served a second by a client that always has as many on their way. */
async function peak(): Promise<number> {
  const client = new Client(server.url, path, body);
  await client.open(PEAK_CONNECTIONS);
  const end = performance.now() + 1000 * PEAK_SECONDS;
  const start = performance.now();
  let served = 0;
  await Promise.all(
    Array.from({ length: PEAK_CONNECTIONS }, async () => {
      while (performance.now() < end) if ((await client.send(performance.now())) === 200) served++;
    }),
  );
  client.close();
  return (1000 * served) / (performance.now() - start);
}

function percentile(values: number[], p: number): number {
  return values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))]!;
}

/** Asks /readyz until told to stop. */
function probe(): { stop(): Promise<number[]> } {
  let stopped = false;
  const taken: number[] = [];
  const running = (async () => {
    while (!stopped) {
      const start = performance.now();
      await (await fetch(`${server.url}/readyz`)).text();
      taken.push(performance.now() - start);
      await delay(PROBE_INTERVAL_MS);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await running;
      return taken;
    },
  };
}

await peak();
const before = await peak();

const client = new Client(server.url, path, body);
await client.open(CONNECTIONS);
const probes = probe();
const rate = OVERLOAD * before;
const start = performance.now();
const sending: Promise<number>[] = [];
let unsent = 0;
for (let sent = 0; performance.now() - start < 1000 * SECONDS;) {
  const due = Math.floor(((performance.now() - start) / 1000) * rate);
  for (; sent + unsent < due;) {
    if (client.ready) {
      sending.push(client.send(performance.now()));
      sent++;
    } else {
      unsent++;
    }
  }
  await delay(TICK_MS);
}
const served = client.statuses.get(200) ?? 0;
const seconds = (performance.now() - start) / 1000;
const ready = await probes.stop();
await Promise.all(sending);
client.close();
const after = await peak();
const metrics = await (await fetch(`${server.url}/metrics`)).text();
await server.stop();

if (process.env.DEBUG) console.log([...client.statuses]);
const others = [...client.statuses].filter(([status]) => ![200, 429, 503].includes(status));
const best = Math.max(before, after);
report('overload', {
  'peak before, forwards/s': before,
  'peak after, forwards/s': after,
  'asked, forwards/s': (sending.length + unsent) / seconds,
  'sent, forwards/s': sending.length / seconds,
  'served (200), forwards/s': served / seconds,
  'goodput / peak': served / seconds / best,
  'refused (503), answers/s': (client.statuses.get(503) ?? 0) / seconds,
  'refused (429), answers/s': (client.statuses.get(429) ?? 0) / seconds,
  'other answers': others.reduce((sum, [, count]) => sum + count, 0),
  '200: median, ms': median(client.milliseconds),
  '200: p99, ms': percentile(client.milliseconds, 0.99),
  '/readyz: median, ms': median(ready),
  '/readyz: p99, ms': percentile(ready, 0.99),
  'rows of a batch, mean': mean(metrics, 'weightroom_batch_rows'),
});

function mean(text: string, name: string): number {
  const value = (part: string): number => Number(new RegExp(`^${name}_${part} (\\S+)$`, 'm').exec(text)![1]);
  return value('sum') / value('count');
}
