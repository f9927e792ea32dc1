// The README's commands, run against a real server: every answer printed there is the answer.

import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from './server.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const steps = [...readme.matchAll(/```sh\n(.*?)```\n\n```(?:json|text)\n(.*?)\n```/gs)].map(
  ([, command, answer]) => ({
    command: command!,
    answer: answer!,
  }),
);
const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** JSON without what differs each time (ids and times); any other text as it is. */
function steady(text: string): unknown {
  const changing = new Set(['epoch', 'time', 'request_id']);
  return text.startsWith('{')
    ? JSON.parse(text, (key, value: unknown) => (changing.has(key) ? '…' : value))
    : text;
}

describe.skipIf(!hasCurl)('the README', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());

  it('has a walk', () => {
    expect(steps.length).toBeGreaterThan(15);
  });

  it.each(steps)('shows the answer to $command', async ({ command, answer }) => {
    const here = command.replaceAll('localhost:8080', new URL(server.url).host);
    const { stdout } = await promisify(execFile)('bash', ['-c', here]);
    expect(steady(stdout.trimEnd())).toEqual(steady(answer));
  });
});
