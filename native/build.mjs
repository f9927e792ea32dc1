// Compiles the matrix product with the machine's C++ compiler to native/build/<platform>-<arch>.node; does nothing where
// that is newer than its sources. Where it cannot, it says so in one line and succeeds: then WebAssembly serves.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, 'build', `${process.platform}-${process.arch}.node`);

/** By architecture: the files, and the flags that only one of them may have. */
const SOURCES = {
  x64: {
    'avx512.cc': [
      ...['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mavx2', '-mfma'],
      '-mprefer-vector-width=512',
    ],
    'avx2.cc': ['-mavx2', '-mfma'],
    'binding.cc': [],
  },
  arm64: { 'neon.cc': [], 'binding.cc': [] },
};

// -ffp-contract=off: a multiply-add is fused where the source says so and nowhere else.
const FLAGS = ['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'].concat([
  '-ffp-contract=off',
  '-w',
]);
const LINK = { linux: ['-shared'], darwin: ['-bundle', '-undefined', 'dynamic_lookup'] };

const reason = isCurrent() ? undefined : build();
if (reason) {
  // One of older sources would not be what the rest expects. Where it cannot go, a start still compares its product.
  attempt(() => rmSync(target, { force: true }));
  console.error(`The native matrix product was not built (${reason}): WebAssembly serves.`);
}

function isCurrent() {
  if (!existsSync(target)) return false;
  const inputs = readdirSync(here).filter((name) => /\.(h|cc|mjs)$/.test(name));
  return inputs.every((name) => statSync(join(here, name)).mtimeMs <= statSync(target).mtimeMs);
}

/** Answers why it could not be built. */
function build() {
  if (process.env.WEIGHTROOM_NATIVE === 'off') return 'WEIGHTROOM_NATIVE is off';
  const sources = SOURCES[process.arch];
  const link = LINK[process.platform];
  if (!sources || !link) return `${process.platform} on ${process.arch} has none`;
  const include = includeDirectory();
  if (!include) return 'the package node-api-headers is not installed';
  const compiler = [process.env.CXX, 'c++', 'g++', 'clang++'].find(
    (name) => name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  if (!compiler) return 'there is no C++ compiler';

  const work = join(here, 'build', `work-${process.pid}`);
  try {
    mkdirSync(work, { recursive: true });
    const objects = Object.entries(sources).map(([name, own]) => {
      const object = join(work, `${name}.o`);
      run(compiler, [...FLAGS, ...own, '-I', include, '-c', join(here, name), '-o', object]);
      return object;
    });
    const linked = join(work, 'addon.node');
    run(compiler, [...link, ...objects, '-o', linked]);
    // In one step: a process that has the old one open keeps it.
    renameSync(linked, target);
  } catch (error) {
    return error.message;
  } finally {
    attempt(() => rmSync(work, { recursive: true, force: true }));
  }
}

/** What is left where nobody may write is no reason to fail. */
function attempt(removal) {
  try {
    removal();
  } catch {
    // It stays.
  }
}

function includeDirectory() {
  try {
    const require = createRequire(import.meta.url);
    return require('node-api-headers').include_dir;
  } catch {
    return undefined;
  }
}

function run(compiler, args) {
  const { status, error, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (status === 0) return;
  const said =
    error?.message ?? stderr.split('\n').find((line) => line.includes('error')) ?? `status ${status}`;
  throw new Error(`${compiler}: ${said.trim()}`);
}
