// What the documentation shows is so: its commands are run against a real server and answered as printed there, its
// messages are ones that the stream's schemas read, its lists are complete.

import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CHANGE_KINDS } from '#src/models/change-log.js';
import {
  clientMessage,
  CLOSE_CODES,
  forwardHeader,
  messageTypes,
  outputsHeader,
  serverMessage,
} from '#src/models/stream-messages.js';
import { initSchema } from '#src/nn/init/spec.js';
import { LAYERS } from '#src/nn/layers/table.js';
import { LOSSES } from '#src/nn/losses/table.js';
import { operations } from './contract/document.js';
import { StreamClient } from './routes/stream-client.js';
import { startServer, type TestServer } from './server.js';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const api = read('docs/api.md');
const hasCurl = spawnSync('curl', ['--version']).status === 0;

interface Step {
  readonly command: string;
  readonly answer: string;
}

function stepsOf(text: string): Step[] {
  const blocks = text.matchAll(/```sh\n(.*?)```\n\n```(?:json|text)\n(.*?)\n```/gs);
  return [...blocks].map(([, command, answer]) => ({ command: command!, answer: answer! }));
}

/** What differs each time, or with the machine. */
const CHANGING = new Set([
  ...['epoch', 'model_epoch', 'time', 'created', 'request_id', 'version', 'node', 'workers', 'engine'],
  ...['seconds', 'seconds_left', 'examples_per_second'],
]);
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** JSON without what differs; any other text as it is. */
function steady(text: string): unknown {
  const changes = (key: string, value: unknown): boolean =>
    CHANGING.has(key) || (typeof value === 'string' && UUID.test(value));
  return text.startsWith('{')
    ? JSON.parse(text, (key, value: unknown) => (changes(key, value) ? '…' : value))
    : text;
}

describe.skipIf(!hasCurl).each(['README.md', 'docs/api.md'])('%s, from top to bottom', (file) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ limitBytes: 2 * 2 ** 30 });
  });
  afterAll(() => server.stop());

  it('has an answer to each of its commands', () => {
    const text = read(file);
    expect(stepsOf(text).length).toBeGreaterThan(15);
    expect(stepsOf(text).length).toBe(text.match(/^```sh$/gm)!.length);
  });

  it.each(stepsOf(read(file)))('shows the answer to $command', async ({ command, answer }) => {
    const here = command.replaceAll('localhost:8080', new URL(server.url).host);
    const { stdout } = await promisify(execFile)('bash', ['-c', here]);
    expect(steady(stdout.trimEnd())).toEqual(steady(answer));
  });
});

describe('docs/api.md is complete', () => {
  it.each(operations)('it shows $method $path', ({ method, path }) => {
    const url = new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    const shown = stepsOf(api).some(({ command }) => {
      const requests = [...command.matchAll(/localhost:8080(\/[^\s'?]*)/g)].map(([, at]) => at!);
      const explicit = /-X (\w+)/.exec(command)?.[1];
      const used = explicit ?? (command.includes(" -d '") ? 'POST' : 'GET');
      return requests.some((at) => url.test(at)) && method === used;
    });
    expect(shown).toBe(true);
  });

  it.each(Object.entries(LAYERS))('it lists %s with its arguments in order', (type, { options }) => {
    const [, listed] = new RegExp(`^- \`${type}\\((.*)\\)\`$`, 'm').exec(api)!;
    const names = listed!.matchAll(/(?:^|, )(\w+)(?==|,|$)/g);
    if (options.length > 0)
      expect([...names].map(([, name]) => name)).toEqual(options.map(({ name }) => name));
  });

  it.each(Object.entries(LOSSES))(
    'it lists %s with its options',
    (name, { options, tensors = [], targets }) => {
      const [row] = new RegExp(`^\\|.*\`${name}\`.*$`, 'm').exec(api)!;
      for (const option of [...options.map((known) => known.name), ...tensors]) {
        if (option !== 'reduction') expect(row).toMatch(new RegExp(`\`${option}\\b`));
      }
      if (targets.length > 1) for (const target of targets) expect(row).toContain(`\`${target}\``);
    },
  );

  it('it lists every init', () => {
    const section = /^## Init\n(.*?)^## /ms.exec(api)![1]!;
    for (const { shape } of initSchema.options) {
      const [name] = [...('in' in shape.name ? shape.name.in : shape.name).values];
      expect(section).toContain(`\`${name!}\``);
    }
  });
});

describe('docs/websocket.md', () => {
  const text = read('docs/websocket.md');
  const messages = [...text.matchAll(/```json (client|server|client wrong)\n(.*?)\n```/gs)].map(
    ([, from, json]) => ({ from, json: json!, message: JSON.parse(json!) as { type: string } }),
  );
  const typesFrom = (sender: string) =>
    new Set(messages.filter(({ from }) => from === sender).map(({ message }) => message.type));

  it.each(messages)('$from: $json', ({ from, message }) => {
    const { success } = (from === 'server' ? serverMessage : clientMessage).safeParse(message);
    expect(success).toBe(from !== 'client wrong');
  });

  it('shows headers of binary frames, both ways', () => {
    const header = (from: string): unknown =>
      JSON.parse(new RegExp(`\`\`\`json ${from} frame\\n(.*?)\\n\`\`\``, 's').exec(text)![1]!);
    expect(forwardHeader.parse(header('client'))).toEqual(header('client'));
    expect(outputsHeader.parse(header('server'))).toEqual(header('server'));
  });

  it('shows a forward and what it is answered, and how a browser sends a binary one', async () => {
    const server = await startServer();
    const architecture = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))';
    await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
    const url = server.url.replace('http', 'ws');

    const client = await StreamClient.open(`${url}/v1/stream`);
    const [asked, answered] = messages.filter(({ message: { type } }) => /^(forward|outputs)$/.test(type));
    client.send(asked!.message);
    expect(await client.next()).toEqual({ ...answered!.message, epoch: expect.any(String) as string });
    await client.close();

    const [, code, printed] = /```js\n(.*?)\n```\n\n```json\n(.*?)\n```/s.exec(text)!;
    const logged = await new Promise<string>((log) => {
      const page = { WebSocket, console: { log }, TextEncoder, TextDecoder };
      runInNewContext(code!.replace('ws://localhost:8080', url), page);
    });
    expect(JSON.parse(logged)).toEqual(JSON.parse(printed!));
    await server.stop();
  });

  it('shows every type of message, both ways', () => {
    expect(typesFrom('client')).toEqual(new Set(messageTypes.keys()));
    expect(typesFrom('server')).toEqual(new Set(serverMessage.options.map(({ shape }) => shape.type.value)));
  });

  it('names every kind of change and every close code', () => {
    for (const name of [...CHANGE_KINDS, 'after', 'epoch']) expect(text).toContain(`\`${name}\``);
    for (const code of Object.values(CLOSE_CODES)) expect(text).toContain(`| ${code} `);
  });
});
