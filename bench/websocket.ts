// Forwards per second of the 4-8-1 network, batch 2, over one WebSocket, pipelined, as text and as binary frames, beside
// the same over HTTP (64 connections): one server, taken in turns. The client writes frames made beforehand and counts
// answers by their lengths, so that it is the server that is measured.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { median, report } from './measure.js';
import { startServer } from './server.js';
import { ARCHITECTURE, FORWARD, httpPerSecond } from './small-forward.js';

const WINDOW = 256;
const SECONDS = 2;
const ROUNDS = 7;

const TEXT = 1;
const BINARY = 2;
const PING = 0x89;

/** A client's frame, masked with zeros, which changes nothing. */
function frame(opcode: number, payload: Buffer): Buffer {
  if (payload.length > 0xffff) throw new Error('too long a frame');
  const short = payload.length < 126;
  const head = Buffer.alloc(short ? 6 : 8);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (short ? payload.length : 126);
  if (!short) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

function textForward(id: number): Buffer {
  return frame(TEXT, Buffer.from(JSON.stringify({ type: 'forward', id, model: 'mlp', ...FORWARD })));
}

function binaryForward(id: number): Buffer {
  const header = Buffer.from(JSON.stringify({ type: 'forward', id, model: 'mlp', shape: [2, 4] }));
  const numbers = Float32Array.from(FORWARD.inputs.flat());
  const begin = Math.ceil((4 + header.length) / 8) * 8;
  const payload = Buffer.alloc(begin + numbers.byteLength);
  payload.writeUInt32LE(header.length, 0);
  payload.set(header, 4);
  payload.set(new Uint8Array(numbers.buffer), begin);
  return frame(BINARY, payload);
}

/** Takes frames apart as far as to count them; `expected` is the opcode of answers. */
class Counter {
  private rest: Buffer = Buffer.alloc(0);
  private readonly expected: number;

  constructor(expected: number) {
    this.expected = expected;
  }

  count(chunk: Buffer): number {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    let answers = 0;
    while (at + 4 <= bytes.length) {
      const short = bytes[at + 1]! < 126;
      const end = at + (short ? 2 + bytes[at + 1]! : 4 + bytes.readUInt16BE(at + 2));
      if (end > bytes.length) break;
      if (bytes[at] === (0x80 | this.expected)) answers++;
      // The server's pings need no answer: whoever asks is there.
      else if (bytes[at] !== PING) throw new Error(`not an answer: ${bytes.toString('latin1', at, end)}`);
      at = end;
    }
    this.rest = bytes.subarray(at);
    return answers;
  }
}

/** Answers per second with WINDOW forwards in flight. */
async function streamPerSecond(url: string, opcode: number, make: (id: number) => Buffer): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay(true);
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /v1/stream HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  let head = '';
  // The greeting is the last that comes by itself.
  while (!head.includes('"type":"hello"')) head += String((await once(socket, 'data')) as [Buffer]);
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(head);
  const frames = Array.from({ length: WINDOW }, (_, id) => make(id));
  const counter = new Counter(opcode);
  let next = 0;
  let answered = 0;
  const ask = (count: number): void => {
    const batch: Buffer[] = [];
    for (let i = 0; i < count; i++) batch.push(frames[next++ % WINDOW]!);
    socket.write(Buffer.concat(batch));
  };
  const start = performance.now();
  const done = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the socket')));
    socket.on('data', (chunk: Buffer) => {
      const count = counter.count(chunk);
      answered += count;
      if (performance.now() - start > SECONDS * 1000) resolve();
      else if (count > 0) ask(count);
    });
  });
  ask(WINDOW);
  await done;
  const seconds = (performance.now() - start) / 1000;
  socket.removeAllListeners('close').destroy();
  return answered / seconds;
}

const server = await startServer();
const build = await fetch(`${server.url}/v1/models`, {
  method: 'POST',
  body: JSON.stringify({ name: 'mlp', seed: 0, architecture: ARCHITECTURE }),
  headers: { 'content-type': 'application/json' },
});
if (!build.ok) throw new Error(await build.text());

const http: number[] = [];
const text: number[] = [];
const binary: number[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const figures = [
    await httpPerSecond(`${server.url}/v1/models/mlp/forward`, SECONDS),
    await streamPerSecond(server.url, TEXT, textForward),
    await streamPerSecond(server.url, BINARY, binaryForward),
  ] as const;
  // The first round is to warm up.
  if (round === 0) continue;
  http.push(figures[0]);
  text.push(figures[1]);
  binary.push(figures[2]);
}
await server.stop();

report('websocket', {
  'HTTP, 64 connections, requests/s': median(http),
  'one WebSocket, text, forwards/s': median(text),
  'one WebSocket, binary, forwards/s': median(binary),
  'text / HTTP': median(text.map((value, i) => value / http[i]!)),
  'binary / HTTP': median(binary.map((value, i) => value / http[i]!)),
});
