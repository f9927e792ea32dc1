// The examples, as a reader would run them, against a real server.

import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from './server.js';

const run = promisify(execFile);
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const hasCurl = spawnSync('curl', ['--version']).status === 0;

describe('the examples', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());

  // Both end with a status other than 0 when a check of theirs fails; then `run` rejects.
  it('parameter-management.ts passes its own checks and leaves no model behind', async () => {
    const { stdout } = await run(process.execPath, [
      file('../dist/examples/parameter-management.js'),
      server.url,
    ]);
    expect(stdout).not.toBe('');
    expect(server.engine.registry.size).toBe(0);
  });

  it.skipIf(!hasCurl)(
    'parameter-management.sh passes its own checks and leaves no model behind',
    async () => {
      const { stdout } = await run('bash', [file('../examples/parameter-management.sh'), server.url]);
      expect(stdout).not.toBe('');
      expect(server.engine.registry.size).toBe(0);
    },
  );
});
