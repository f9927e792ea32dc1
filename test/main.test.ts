// The process: what it refuses to start with, what it says, how it ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { nativeEngines } from '#src/runtime/native.js';

const MAIN = fileURLToPath(new URL('../dist/src/main.js', import.meta.url));

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH ?? '', ...env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  // 'close' comes when the process has ended and all it wrote is here.
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  return { child, output, ended };
}

/** Starts a server on a free port and resolves once it says where it serves. */
async function serve(env: Record<string, string> = {}) {
  const process = start([], { WEIGHTROOM_PORT: '0', WEIGHTROOM_WORKERS: '1', ...env });
  const url = await new Promise<string>((resolve, reject) => {
    process.child.stdout.on('data', () => {
      const found = /serves at (http:\/\/[\d.:]+)/.exec(process.output.stdout);
      if (found) resolve(found[1]!);
    });
    process.child.on('exit', () => reject(new Error(process.output.stderr)));
  });
  return { ...process, url };
}

describe('the command line', () => {
  it('--help lists every setting', async () => {
    const { code, stdout } = await start(['--help']).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('WEIGHTROOM_PORT');
    expect(stdout).toContain('WEIGHTROOM_PRESSURE_RSS_BYTES');
  });

  it('--print-config shows what is in force', async () => {
    const { code, stdout } = await start(['--print-config'], { WEIGHTROOM_PORT: '81' }).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('WEIGHTROOM_PORT=81\n');
    expect(stdout).toContain('WEIGHTROOM_HOST=127.0.0.1\n');
  });

  it('--version is that of package.json', async () => {
    expect((await start(['--version']).ended).stdout).toBe('0.1.0\n');
  });

  it('an unknown option ends it with 2, a sentence and the nearest option', async () => {
    const { code, stderr } = await start(['--hepl']).ended;
    expect(code).toBe(2);
    expect(stderr).toBe('--hepl is not an option; did you mean --help?\nSee weightroom --help.\n');
  });
});

/** What a network of convolutions and products answers, as text: the shortest that reads back to the same float32. */
async function outputsOf(url: string): Promise<string> {
  const architecture =
    'nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3, stride=2), ' +
    'nn.ReLU(), nn.Flatten(), nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 10))';
  const send = async (path: string, body: unknown): Promise<Response> => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.ok).toBe(true);
    return answer;
  };
  await send('/v1/models', { name: 'net', seed: 0, architecture });
  const data = Array.from({ length: 3 * 28 * 28 }, (_, i) => Math.sin(i));
  const inputs = { dtype: 'float32', shape: [3, 1, 28, 28], data };
  const answer = (await (await send('/v1/models/net/forward', { inputs })).json()) as { outputs: unknown };
  return JSON.stringify(answer.outputs);
}

describe('WEIGHTROOM_NATIVE', () => {
  it.skipIf(nativeEngines().length === 0)('changes nothing in the bits of an output', async () => {
    const outputs: string[] = [];
    for (const engine of ['off', ...nativeEngines()]) {
      const { child, ended, url } = await serve({ WEIGHTROOM_NATIVE: engine });
      expect(await (await fetch(`${url}/v1`)).json()).toMatchObject({
        engine: engine === 'off' ? 'webassembly' : `native ${engine}`,
      });
      outputs.push(await outputsOf(url));
      child.kill();
      await ended;
    }
    expect(new Set(outputs).size).toBe(1);
    expect(outputs[0]).toContain('"shape":[3,10]');
  });

  it('off leaves products to WebAssembly, and says so', async () => {
    const { child, output, ended, url } = await serve({ WEIGHTROOM_NATIVE: 'off' });
    expect(output.stdout).toContain('products by webassembly');
    expect(await (await fetch(`${url}/v1`)).json()).toMatchObject({ engine: 'webassembly' });
    child.kill();
    expect((await ended).code).toBe(0);
  });
});

describe('a wrong environment', () => {
  it('stops the start with 2 and one sentence for each fault, without a stack trace', async () => {
    const { code, stderr, stdout } = await start([], { WEIGHTROOM_PROT: '1', WEIGHTROOM_WORKERS: 'many' })
      .ended;
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toEqual([
      'WEIGHTROOM_PROT is not a setting; did you mean WEIGHTROOM_PORT?',
      'WEIGHTROOM_WORKERS must be a whole number from 1 to 256; it is "many"',
      'See weightroom --help.',
    ]);
  });

  it('whose port is taken stops the start with a sentence', async () => {
    const first = await serve();
    const { code, stderr } = await start([], {
      WEIGHTROOM_PORT: new URL(first.url).port,
      WEIGHTROOM_WORKERS: '1',
    }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
    expect(stderr).not.toContain('    at ');
    first.child.kill('SIGTERM');
    await first.ended;
  });
});

describe('a running server', () => {
  it('says in one line where it serves, with how many workers and how much memory', async () => {
    const { child, ended } = await serve({ WEIGHTROOM_MEMORY_LIMIT_BYTES: '1MiB' });
    child.kill('SIGTERM');
    const [first] = (await ended).stdout.split('\n');
    const { level, msg } = JSON.parse(first!) as { level: number; msg: string };
    expect(level).toBe(30);
    expect(msg).toMatch(/serves at http:\/\/127\.0\.0\.1:\d+ \(1 workers, 1048576 bytes of memory, .*madd/);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s, its WebSockets with 1001', async (signal) => {
    const { child, ended, url } = await serve();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    child.kill(signal);
    expect((await closed)[0]).toBe(1001);
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('answers the forwards in progress on kept-alive connections, then ends with 0 without waiting for these', async () => {
    const { child, ended, url } = await serve();
    const size = 2048;
    const send = (path: string, body: unknown, agent?: Agent) =>
      new Promise<{ status: number | undefined; connection: string | undefined }>((resolve, reject) => {
        const options = {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          ...(agent && { agent }),
        };
        const sent = request(url + path, options, (answer) => {
          answer.resume();
          answer.on('end', () =>
            resolve({ status: answer.statusCode, connection: answer.headers.connection }),
          );
        });
        sent.on('error', reject);
        sent.end(JSON.stringify(body));
      });
    const layers = Array.from({ length: 4 }, () => ({
      type: 'Linear',
      in_features: size,
      out_features: size,
    }));
    await send('/v1/models', { name: 'wide', architecture: { type: 'Sequential', children: layers } });
    const inputs = { shape: [64, size], data: Array<number>(64 * size).fill(1) };
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const answers = Array.from({ length: 8 }, () => send('/v1/models/wide/forward', { inputs }, agent));
    // One worker computes them one by one: when the first is answered, others are on their way.
    const first = await Promise.race(answers);
    expect(first).toEqual({ status: 200, connection: 'keep-alive' });
    child.kill('SIGTERM');
    const last = await Promise.all(answers);
    expect(last.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(last.map(({ connection }) => connection)).toContain('close');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('did not end in time');
    agent.destroy();
  });

  it('cancels training jobs, and answers who waits for one, with the last commit kept', async () => {
    const { child, ended, url } = await serve();
    const post = (path: string, body: object) =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const name of ['a', 'b']) {
      expect((await post('/v1/models', { name, architecture: 'nn.Linear(2, 1)' })).status).toBe(201);
    }
    const endless = {
      ...{ optimizer: { name: 'SGD', lr: 0.01 }, loss: 'mse', inputs: [[1, 2]], targets: [[3]] },
      ...{ epochs: 1_000_000, commit_every: 10 },
    };
    expect((await post('/v1/models/a/train', endless)).status).toBe(202);
    const waited = post('/v1/models/b/train?wait=true', endless);
    const began = async (): Promise<boolean> => {
      const { jobs } = (await (await fetch(`${url}/v1/jobs`)).json()) as { jobs: { step: number }[] };
      return jobs.length === 2 && jobs.every(({ step }) => step > 10);
    };
    while (!(await began()));
    child.kill('SIGTERM');
    const job = (await (await waited).json()) as { status: string; committed_revision: number };
    expect(job.status).toBe('cancelled');
    expect(job.committed_revision).toBeGreaterThan(1);
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.each(['identity', 'gzip'])(
    'lets a client end that reads its answer (%s) slowly, then ends with 0 without waiting for its connection',
    async (encoding) => {
      const { child, ended, url, output } = await serve();
      const architecture = 'nn.Sequential(nn.Linear(1024, 2048))';
      const built = await fetch(`${url}/v1/models`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'net', architecture }),
      });
      expect(built.status).toBe(201);
      const agent = new Agent({ keepAlive: true });
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { 'accept-encoding': encoding };
        request(`${url}/v1/models/net/state_dict`, { agent, headers }, resolve).on('error', reject).end();
      });
      expect(answer.headers.connection).toBe('keep-alive');
      child.kill('SIGTERM');
      await vi.waitUntil(() => output.stdout.includes('ends once'));
      await new Promise((resolve) => setTimeout(resolve, 200));
      const text = encoding === 'gzip' ? answer.pipe(createGunzip()) : answer;
      const { state_dict } = (await json(text)) as { state_dict: object };
      expect(Object.keys(state_dict)).toEqual(['0.weight', '0.bias']);
      const { code, stdout, stderr } = await ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).not.toContain('did not end in time');
      agent.destroy();
    },
  );

  it('ends at once on a second signal, though a request is still arriving', async () => {
    const { child, ended, url, output } = await serve();
    const half = request(`${url}/v1/models`, {
      method: 'POST',
      agent: new Agent({ keepAlive: true }),
      headers: { 'content-type': 'application/json', 'content-length': '100' },
    });
    half.on('error', () => undefined);
    half.write('{');
    // The server has the request once it answers another one that was sent after it.
    await (await fetch(`${url}/healthz`)).text();
    child.kill('SIGTERM');
    await new Promise<void>((resolve) => {
      const check = () => output.stdout.includes('ends once') && resolve();
      child.stdout.on('data', check);
      check();
    });
    child.kill('SIGTERM');
    expect((await ended).code).toBe(1);
  });
});
