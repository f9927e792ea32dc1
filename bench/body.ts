// What large bodies and answers cost the main thread, which everybody else waits for: the longest turn of its event loop
// while 10 MB of JSON are read, and how long it runs for an answer of 256×1024 numbers. Next to a bare Fastify route
// that does it with JSON.parse and JSON.stringify: same client, each server a process of its own, taken in turns.

import { setTimeout as delay } from 'node:timers/promises';
import { median, report } from './measure.js';
import { freePort, startServer } from './server.js';
import type { Probed } from './peers/probe.js';

const ROUNDS = 9;
/** About as long as the reading takes: how late timers are for other reasons. */
const IDLE_MS = 60;
/** In each round; a round's figure is their mean. */
const ANSWERS = 8;
const ROWS = 256;
const WIDTH = 1024;
/** Of the body that is read: 10 MB of JSON. */
const READ_ROWS = 500;

const JSON_HEADERS = { 'content-type': 'application/json', 'accept-encoding': 'identity' };
const numbers = Float32Array.from({ length: READ_ROWS * WIDTH }, (_, i) => Math.sin(i));
const listed = Array.from({ length: READ_ROWS }, (_, i) =>
  Array.from(numbers.subarray(i * WIDTH, (i + 1) * WIDTH), (x) => Math.fround(x)),
);
const large = JSON.stringify({ inputs: listed });
const few = Float32Array.from({ length: ROWS * 8 }, (_, i) => Math.sin(i));

async function post(
  url: string,
  body: string | Float32Array,
  headers: Record<string, string>,
): Promise<number> {
  const answer = await fetch(url, { method: 'POST', headers, body: body as string });
  const bytes = (await answer.arrayBuffer()).byteLength;
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return bytes;
}

async function probed(port: number): Promise<Probed> {
  return (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Probed;
}

/** What the main thread of a server says of some work that was done for its clients. */
async function during(port: number, work: () => Promise<unknown>): Promise<Probed> {
  await probed(port);
  await work();
  return probed(port);
}

async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await work();
}

const [ourProbe, theirProbe] = [await freePort(), await freePort()];
const ours = await startServer({ script: './peers/probed-server.js', env: { PROBE_PORT: String(ourProbe) } });
const theirs = await startServer({
  script: './peers/probed-fastify.js',
  env: { PROBE_PORT: String(theirProbe), SHAPE: JSON.stringify([ROWS, WIDTH]) },
});
for (const [name, architecture] of [
  ['read', `nn.Linear(${WIDTH}, 8)`],
  ['write', `nn.Linear(8, ${WIDTH})`],
]) {
  await post(`${ours.url}/v1/models`, JSON.stringify({ name, seed: 0, architecture }), JSON_HEADERS);
}

const raw = (shape: string) => ({ 'content-type': 'application/octet-stream', 'x-tensor-shape': shape });
const octets = { accept: 'application/octet-stream' };
const read = `${ours.url}/v1/models/read/forward`;
const write = `${ours.url}/v1/models/write/forward`;
const answered = (headers: Record<string, string>) => () =>
  times(ANSWERS, () => post(write, few, { ...raw(`${ROWS},8`), 'accept-encoding': 'identity', ...headers }));

/** name: [probe, work]. */
const SIDES = {
  readOurs: [ourProbe, () => post(read, large, JSON_HEADERS)],
  readRaw: [ourProbe, () => post(read, numbers, raw(`${READ_ROWS},${WIDTH}`))],
  readTheirs: [theirProbe, () => post(`${theirs.url}/read`, large, JSON_HEADERS)],
  writeOurs: [ourProbe, answered({})],
  writeRaw: [ourProbe, answered(octets)],
  idle: [ourProbe, () => delay(IDLE_MS)],
  writeTheirs: [theirProbe, () => times(ANSWERS, () => post(`${theirs.url}/write`, '{}', JSON_HEADERS))],
} as const satisfies Record<string, readonly [probe: number, work: () => Promise<unknown>]>;

type Side = keyof typeof SIDES;
const NAMES = Object.keys(SIDES) as Side[];
const found = new Map<Side, Probed[]>(NAMES.map((name) => [name, []]));
for (let round = -1; round < ROUNDS; round++) {
  for (const name of NAMES) {
    const [port, work] = SIDES[name];
    const probe = await during(port, work);
    if (round >= 0) found.get(name)!.push(probe);
  }
}
await ours.stop();
await theirs.stop();

const of = (name: Side, what: keyof Probed): number => median(found.get(name)!.map((probe) => probe[what]));
const anAnswer = (name: Side): number => of(name, 'busy') / ANSWERS;
report('body', {
  'body of JSON, MB': large.length / 1e6,
  'read: longest turn of the event loop, ms': of('readOurs', 'turn'),
  'read as bytes: longest turn, ms': of('readRaw', 'turn'),
  'read: bare Fastify, longest turn, ms': of('readTheirs', 'turn'),
  'read: ratio of longest turns': of('readTheirs', 'turn') / of('readOurs', 'turn'),
  'read: timers late at most, ms': of('readOurs', 'late'),
  'read: bare Fastify, timers late at most, ms': of('readTheirs', 'late'),
  'nothing read: timers late at most, ms': of('idle', 'late'),
  'read: main thread runs, ms': of('readOurs', 'busy'),
  'read as bytes: main thread runs, ms': of('readRaw', 'busy'),
  'read: bare Fastify, main thread runs, ms': of('readTheirs', 'busy'),
  'answer of 256x1024: main thread runs, ms': anAnswer('writeOurs'),
  'answer as bytes: main thread runs, ms': anAnswer('writeRaw'),
  'answer: bare Fastify, main thread runs, ms': anAnswer('writeTheirs'),
  'answer: ratio, JSON': anAnswer('writeTheirs') / anAnswer('writeOurs'),
  'answer: ratio, bytes': anAnswer('writeTheirs') / anAnswer('writeRaw'),
  'answer: longest turn, ms': of('writeOurs', 'turn'),
  'answer: bare Fastify, longest turn, ms': of('writeTheirs', 'turn'),
});
