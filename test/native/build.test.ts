// The install step: it builds where it can, and where it cannot says so in one line and succeeds.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
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

/** Optimised, most functions are inlined by luck; without, all are there. */
const ENGINES = [
  ['avx512.cc', '-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mavx2', '-mfma'],
  ['avx2.cc', '-mavx2', '-mfma'],
] as const;
const hasTools =
  process.arch === 'x64' &&
  ['g++', 'nm'].every((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);

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

  it('succeeds with one line where the old one cannot be removed', () => {
    mkdirSync(join(target, 'in the way'), { recursive: true });
    utimesSync(target, 0, 0);
    const { status, stderr } = build({ PATH: '/nowhere' });
    expect(status).toBe(0);
    expect(stderr).toMatch(/^The native matrix product was not built \(.*\): WebAssembly serves\.\n$/);
  });

  it.skipIf(nativeEngines().length === 0)('succeeds with one line where the compiler fails', () => {
    writeFileSync(join(folder, 'native/engine.h'), '#error no\n');
    const { status, stderr } = build();
    expect(status).toBe(0);
    expect(stderr).toMatch(/^The native matrix product was not built \(.*error.*\): WebAssembly serves\.\n$/);
    expect(existsSync(target)).toBe(false);
  });

  it.skipIf(!hasTools)(
    'shares no function between engines, of which one may have instructions that another machine has not',
    () => {
      for (const [source, ...flags] of ENGINES) {
        const object = join(folder, `${source}.o`);
        const compiled = spawnSync('g++', [
          '-std=c++17',
          '-O0',
          '-w',
          ...flags,
          '-c',
          join(folder, 'native', source),
          '-o',
          object,
        ]);
        expect(compiled.status).toBe(0);
        const { stdout } = spawnSync('nm', ['--extern-only', '--defined-only', object], { encoding: 'utf8' });
        expect(stdout.trim().split('\n'), source).toEqual([expect.stringMatching(/ D \w+kAvx\d+\w*$/)]);
      }
    },
  );

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
