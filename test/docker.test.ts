// What the container files promise; `npm run docker:check` does the Dockerfile's steps.

import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

describe('docker/Dockerfile', () => {
  const stages = read('docker/Dockerfile')
    .replaceAll(/\\\n/g, ' ')
    .split(/^(?=FROM )/m)
    .filter((stage) => stage.startsWith('FROM'));
  const last = stages.at(-1)!;

  it('ends with a stage that only copies: no compiler, no install', () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last).not.toMatch(/^RUN /m);
  });

  it('runs as a user without rights, and asks a script whether it is healthy', () => {
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^HEALTHCHECK .*CMD \["node", "docker\/healthcheck.mjs"\]$/m);
  });

  it('is checked in CI', () => {
    expect(read('.ci/run')).toMatch(/^npm run --silent docker:check$/m);
  });
});

describe('docker/compose.yaml', () => {
  it('runs it read-only and without rights, and gives it time to end', () => {
    const { services } = parse(read('docker/compose.yaml')) as {
      services: { weightroom: Record<string, unknown> };
    };
    expect(services.weightroom).toMatchObject({
      build: { context: '..', dockerfile: 'docker/Dockerfile' },
      read_only: true,
      cap_drop: ['ALL'],
      stop_grace_period: '15s',
    });
  });
});

describe('docker/healthcheck.mjs', () => {
  it('ends with 1 where nothing answers', () => {
    const script = fileURLToPath(new URL('../docker/healthcheck.mjs', import.meta.url));
    const { status } = spawnSync(process.execPath, [script], { env: { WEIGHTROOM_PORT: '1' } });
    expect(status).toBe(1);
  });
});
