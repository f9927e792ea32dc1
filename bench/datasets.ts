// What it takes to put a table of 250,000 × 8 float32 (8 MB) in each of the forms that are read: megabytes of values in a
// second, and the longest turn of the main thread's event loop meanwhile, which everybody else waits for. Next to it the
// text's parser alone in this process, and numpy's own readers where a python3 has them.

import Papa from 'papaparse';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { npyFile } from '../src/tensor/npy.js';
import { TensorValue } from '../src/tensor/tensor-value.js';
import { median, report } from './measure.js';
import type { Probed } from './peers/probe.js';
import { freePort, startServer } from './server.js';

const ROUNDS = 5;
const [ROWS, WIDTH] = [250_000, 8];
const MEGABYTES = (4 * ROWS * WIDTH) / 1e6;
/** How late timers are for other reasons. */
const IDLE_MS = 60;

const numbers = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.fround(Math.sin(i) * 100));
const npy = npyFile(new TensorValue('float32', [ROWS, WIDTH], numbers));
const names = Array.from({ length: WIDTH }, (_, i) => `c${i}`);
const short = Array.from(numbers, (x) => x.toPrecision(6));
const csv = [
  names.join(','),
  ...Array.from({ length: ROWS }, (_, i) => short.slice(i * WIDTH, (i + 1) * WIDTH).join(',')),
].join('\n');
const json = `{"columns":{"data":{"shape":[${ROWS},${WIDTH}],"data":[${short.join(',')}]}}}`;

const BODIES = {
  npy: ['application/x-npy', new Uint8Array(npy)],
  json: ['application/json', json],
  csv: ['text/csv', csv],
} as const;

const probe = await freePort();
const env = { PROBE_PORT: String(probe), WEIGHTROOM_BODY_LIMIT_BYTES: '64MiB' };
const server = await startServer({ script: './peers/probed-server.js', env });
const probed = async (): Promise<Probed> =>
  (await (await fetch(`http://127.0.0.1:${probe}`)).json()) as Probed;

async function put(form: keyof typeof BODIES): Promise<number> {
  const [type, body] = BODIES[form];
  const start = performance.now();
  const answer = await fetch(`${server.url}/v1/datasets/d`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body,
  });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.arrayBuffer();
  return performance.now() - start;
}

/** Seconds of numpy's readers, of the same files; undefined where there is no numpy. */
function numpySeconds(): { npy: number; csv: number } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'weightroom-'));
  const files = { npy: join(folder, 'd.npy'), csv: join(folder, 'd.csv') };
  writeFileSync(files.npy, npy);
  writeFileSync(files.csv, csv);
  const script = `
import sys, time, numpy as np
def seconds(read):
    start = time.perf_counter(); read(); return time.perf_counter() - start
print(seconds(lambda: np.load(sys.argv[1])), seconds(lambda: np.loadtxt(sys.argv[2], delimiter=",", skiprows=1, dtype=np.float32)))`;
  const { status, stdout } = spawnSync('python3', ['-c', script, files.npy, files.csv], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  if (status !== 0) return undefined;
  const [npySeconds, csvSeconds] = stdout.split(' ').map(Number);
  return { npy: npySeconds!, csv: csvSeconds! };
}

const results = new Map<string, number[]>();
const note = (label: string, value: number): void =>
  void results.set(label, [...(results.get(label) ?? []), value]);

for (let round = 0; round < ROUNDS; round++) {
  for (const form of Object.keys(BODIES) as (keyof typeof BODIES)[]) {
    await delay(IDLE_MS);
    await probed();
    const ms = await put(form);
    const { turn } = await probed();
    note(`${form}: MB of values/s`, (MEGABYTES * 1000) / ms);
    note(`${form}: longest turn, ms`, turn);
  }
  const start = performance.now();
  let sum = 0;
  Papa.parse<string[]>(csv, { delimiter: ',', step: ({ data }) => (sum += Number(data[0])) });
  if (!Number.isNaN(sum)) throw new Error('the header is no number');
  note('csv: parser alone, MB of values/s', (MEGABYTES * 1000) / (performance.now() - start));
  const numpy = numpySeconds();
  if (!numpy) continue;
  note('npy: numpy.load, MB of values/s', MEGABYTES / numpy.npy);
  note('csv: numpy.loadtxt, MB of values/s', MEGABYTES / numpy.csv);
}
await server.stop();
report('datasets', Object.fromEntries([...results].map(([label, values]) => [label, median(values)])));
