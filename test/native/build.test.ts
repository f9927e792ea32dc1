// The install step: it builds where it can, and where it cannot says so in one line and succeeds.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { nativeEngines } from '#src/runtime/native.js';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'weightroom-native-'));
const target = join(folder, 'native/build', `${process.platform}-${process.arch}.node`);

function build(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'native/build.mjs')], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

beforeEach(() => {
  rmSync(join(folder, 'native'), { recursive: true, force: true });
  cpSync(join(REPOSITORY, 'native'), join(folder, 'native'), {
    recursive: true,
    filter: (path) => !path.endsWith('native/build'),
  });
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) symlinkSync(realpathSync(join(REPOSITORY, 'node_modules')), modules);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('npm install', () => {
  it.each([
    ['with WEIGHTROOM_NATIVE=off', { WEIGHTROOM_NATIVE: 'off' }, 'WEIGHTROOM_NATIVE is off'],
    ['on a machine without a compiler', { PATH: '/nowhere' }, 'there is no C++ compiler'],
  ])('%s succeeds, builds nothing, and says in one line that WebAssembly serves', (_, env, reason) => {
    expect(build(env)).toEqual({
      status: 0,
      stdout: '',
      stderr: `The native matrix product was not built (${reason}): WebAssembly serves.\n`,
    });
    expect(existsSync(target)).toBe(false);
  });

  it.skipIf(nativeEngines().length === 0)('succeeds with one line where the compiler fails', () => {
    writeFileSync(join(folder, 'native/engine.h'), '#error no\n');
    const { status, stderr } = build();
    expect(status).toBe(0);
    expect(stderr).toMatch(/^The native matrix product was not built \(.*error.*\): WebAssembly serves\.\n$/);
    expect(existsSync(target)).toBe(false);
  });

  it.skipIf(nativeEngines().length === 0)(
    'builds in silence, leaves what is newer than its sources, and keeps nothing that is older',
    () => {
      expect(build()).toEqual({ status: 0, stdout: '', stderr: '' });
      const { ino } = statSync(target);
      // Without a compiler it would say so if it tried.
      expect(build({ PATH: '/nowhere' }).stderr).toBe('');
      expect(statSync(target).ino).toBe(ino);
      const later = new Date(Date.now() + 60_000);
      utimesSync(join(folder, 'native/pack.h'), later, later);
      expect(build({ PATH: '/nowhere' }).stderr).toContain('WebAssembly serves');
      expect(existsSync(target)).toBe(false);
    },
    120_000,
  );
});
