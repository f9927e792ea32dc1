// Four times as many forwards as can be served, for 30 seconds: what comes back, how much of the peak is still served,
// and how long /readyz takes meanwhile. Open loop: requests are sent when they are due, not when others were answered.
// The client is a process of its own, but shares the machine's cores with the server; it sends ready-made bytes.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { median, report } from './measure.js';
import { startServer } from './server.js';

const OVERLOAD = 4;
const SECONDS = 30;
const PEAK_SECONDS = 5;
const PEAK_CONNECTIONS = 64;
/** More than may wait in the server's queue, so that nobody waits here. */
const CONNECTIONS = 2048;
const PROBE_INTERVAL_MS = 50;
const TICK_MS = 2;
const ROWS = 8;

/** The first keeps the workers busy, the second the main thread: its bodies of JSON are ten times as long. */
const NETWORKS: Readonly<Record<string, { readonly features: number; readonly width: number }>> = {
  '64-4096-4096-10': { features: 64, width: 4096 },
  '784-1024-1024-10': { features: 784, width: 1024 },
};

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

type Server = Awaited<ReturnType<typeof startServer>>;

/** Served a second by a client that always has as many on their way. */
async function peak(connect: () => Client): Promise<number> {
  const client = connect();
  await client.open(PEAK_CONNECTIONS);
  const start = performance.now();
  const end = start + 1000 * PEAK_SECONDS;
  let served = 0;
  await Promise.all(
    Array.from({ length: PEAK_CONNECTIONS }, async () => {
      while (performance.now() < end) if ((await client.send(performance.now())) === 200) served++;
    }),
  );
  client.close();
  return (1000 * served) / (performance.now() - start);
}

/** Sends so many a second, as long as there is an idle connection: how many were due, and how many served in that time. */
async function overload(client: Client, perSecond: number): Promise<{ due: number; served: number }> {
  const sending: Promise<number>[] = [];
  const start = performance.now();
  let due = 0;
  for (let elapsed = 0; elapsed < 1000 * SECONDS; elapsed = performance.now() - start) {
    for (const until = Math.floor((elapsed / 1000) * perSecond); due < until; due++) {
      if (client.ready) sending.push(client.send(performance.now()));
    }
    await delay(TICK_MS);
  }
  const served = client.statuses.get(200) ?? 0;
  await Promise.all(sending);
  return { due, served };
}

/** Asks /readyz until told to stop; the milliseconds that it took. */
function probe({ url }: Server): { stop(): Promise<number[]> } {
  const worker = new Worker(new URL('./peers/ready-probe.js', import.meta.url), {
    workerData: { url, intervalMs: PROBE_INTERVAL_MS },
  });
  return {
    async stop() {
      const taken = once(worker, 'message');
      worker.postMessage('stop');
      return ((await taken) as [number[]])[0];
    },
  };
}

function percentile(values: number[], p: number): number {
  return values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))]!;
}

async function build({ url }: Server, features: number, width: number): Promise<void> {
  const architecture =
    `nn.Sequential(nn.Linear(${features}, ${width}), nn.ReLU(), ` +
    `nn.Linear(${width}, ${width}), nn.ReLU(), nn.Linear(${width}, 10))`;
  const answer = await fetch(`${url}/v1/models`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'net', seed: 0, architecture }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

async function measure({ features, width }: { features: number; width: number }) {
  const server = await startServer();
  await build(server, features, width);
  const inputs = Array.from({ length: ROWS }, (_, i) =>
    Array.from({ length: features }, (__, j) => ((i * features + j) % 16) / 16),
  );
  const body = JSON.stringify({ inputs });
  const connect = () => new Client(server.url, '/v1/models/net/forward', body);
  await peak(connect);
  const before = await peak(connect);
  const resting = probe(server);
  await delay(1000 * PEAK_SECONDS);
  const quiet = await resting.stop();
  const client = connect();
  await client.open(CONNECTIONS);
  const probes = probe(server);
  const { due, served } = await overload(client, OVERLOAD * before);
  const ready = await probes.stop();
  client.close();
  const after = await peak(connect);
  await server.stop();
  const answers = (status: number) => client.statuses.get(status) ?? 0;
  const all = [...client.statuses.values()].reduce((sum, count) => sum + count, 0);
  return {
    'peak (64 at a time), forwards/s': (before + after) / 2,
    'asked, forwards/s': due / SECONDS,
    'sent, forwards/s': all / SECONDS,
    'served (200) in time, forwards/s': served / SECONDS,
    'goodput / peak': served / SECONDS / ((before + after) / 2),
    'refused (429, 503), answers/s': (answers(429) + answers(503)) / SECONDS,
    'other answers': all - answers(200) - answers(429) - answers(503),
    '200: median, ms': median(client.milliseconds),
    '/readyz before, nothing asked: p99, ms': percentile(quiet, 0.99),
    '/readyz: median, ms': median(ready),
    '/readyz: p99, ms': percentile(ready, 0.99),
  };
}

const results: Record<string, number> = {};
for (const [name, network] of Object.entries(NETWORKS)) {
  for (const [label, value] of Object.entries(await measure(network))) results[`${name}: ${label}`] = value;
}
report('overload', results);
