// Does what docker/Dockerfile says, without Docker: each stage in a folder of its own, of the context that .dockerignore
// leaves. What it installs from Debian is expected to be there. Then runs the last stage: read-only, until it is healthy,
// with a model that answers, and to its end on SIGTERM. `npm run docker:check`; ends with 1 where something is wrong.

import dockerignore from '@balena/dockerignore';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { performance } from 'node:perf_hooks';
import { basename, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '..');
const WORK = mkdtempSync(join(tmpdir(), 'weightroom-docker-'));
const END_MS = 10_000;

function fail(message) {
  throw new Error(message);
}

/** The instructions, with lines that go on joined. */
function instructions() {
  const text = readFileSync(join(ROOT, 'docker/Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => /^(\S+)\s+(.*)$/.exec(line))
    .map(([, name, rest]) => ({ name, rest: rest.trim() }));
}

/** A copy of the repository as git knows it, without what .dockerignore names. */
function context() {
  const to = join(WORK, 'context');
  const ignored = dockerignore().add(readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
  const { stdout } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of ignored.filter(stdout.split('\0').filter(Boolean))) {
    cpSync(join(ROOT, file), join(to, file), { recursive: true });
  }
  return to;
}

function run(command, { cwd, env }) {
  console.log(`  RUN ${command}`);
  const { status } = spawnSync('sh', ['-c', command], {
    cwd,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (status !== 0) fail(`it ended with ${status}: ${command}`);
}

function copy(rest, { stage, stages, from }) {
  const [, source, list] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(rest);
  const words = list.split(/\s+/);
  const target = words.pop();
  const to = resolve(stage.folder, target);
  for (const word of words) {
    // Paths of other stages are absolute; what is there is under the stage's root.
    const at = source ? join(stages.get(source).root, word) : join(from, word);
    const inside = !lstatSync(at).isDirectory() && (words.length > 1 || target.endsWith('/'));
    cpSync(at, inside ? join(to, basename(at)) : to, { recursive: true, verbatimSymlinks: true });
  }
}

/** Makes all stages; the last one, with its environment, its health check and its command. */
function build() {
  const stages = new Map();
  const from = context();
  let stage;
  for (const { name, rest } of instructions()) {
    if (name === 'FROM') {
      const [, as = 'last'] = / AS (\S+)$/i.exec(rest) ?? [];
      const root = join(WORK, as);
      mkdirSync(root);
      stages.set(as, (stage = { root, folder: root, env: {} }));
      console.log(`FROM ${rest}`);
    } else if (name === 'WORKDIR') {
      stage.folder = join(stage.root, rest);
      mkdirSync(stage.folder, { recursive: true });
    } else if (name === 'COPY') {
      console.log(`  COPY ${rest}`);
      copy(rest, { stage, stages, from });
    } else if (name === 'RUN') {
      if (rest.startsWith('apt-get')) console.log(`  (expected to be here: ${rest})`);
      else run(rest, { cwd: stage.folder, env: stage.env });
    } else if (name === 'ENV') {
      for (const [, key, value] of rest.matchAll(/(\w+)=(\S+)/g)) stage.env[key] = value;
    } else if (name === 'HEALTHCHECK') {
      stage.health = JSON.parse(/CMD (\[.*\])$/.exec(rest)[1]);
    } else if (name === 'CMD') stage.command = JSON.parse(rest);
    else if (name === 'USER') stage.user = rest;
    else if (name !== 'EXPOSE') fail(`what is ${name}?`);
  }
  return stage;
}

function everyFile(folder, visit) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const at = join(folder, entry.name);
    if (entry.isDirectory()) everyFile(at, visit);
    visit(at, entry);
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

async function check(stage) {
  if (!stage.user || stage.user === 'root') fail('the last stage runs as root');
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const installed = new Set(readdirSync(join(stage.folder, 'node_modules')));
  const extra = Object.keys(devDependencies).filter((name) => installed.has(name) && name !== 'ws');
  // Some are dependencies of dependencies, too; what compiles is none.
  for (const name of ['typescript', 'assemblyscript', 'vitest']) {
    if (extra.includes(name)) fail(`the last stage has ${name}`);
  }
  everyFile(stage.folder, (at) => {
    const mode = lstatSync(at).mode;
    if (!lstatSync(at).isSymbolicLink()) chmodSync(at, mode & ~0o222);
  });

  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    ...stage.env,
    WEIGHTROOM_PORT: String(port),
    WEIGHTROOM_WORKERS: '1',
  };
  const [program, ...args] = stage.command;
  const child = spawn(program, args, { cwd: stage.folder, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const healthy = () =>
      spawnSync(stage.health[0], stage.health.slice(1), { cwd: stage.folder, env }).status === 0;
    for (let attempt = 0; !healthy(); attempt++) {
      if (attempt === 60 || child.exitCode !== null) fail('it does not become healthy');
      await delay(250);
    }
    const url = `http://127.0.0.1:${port}`;
    const post = async (path, body) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      if (!answer.ok) fail(await answer.text());
      return answer.json();
    };
    await post('/v1/models', { name: 'net', seed: 0, architecture: 'nn.Linear(2, 1)' });
    await post('/v1/models/net/forward', { inputs: [[1, 2]] });
    const { engine } = await (await fetch(`${url}/v1`)).json();
    console.log(`it is healthy, and answers; products by ${engine}`);
    const begin = performance.now();
    child.kill('SIGTERM');
    const [code] = await Promise.race([ended, delay(END_MS, ['nothing'])]);
    if (code !== 0) fail(`on SIGTERM it ended with ${code}`);
    console.log(`on SIGTERM it ended with 0 after ${Math.round(performance.now() - begin)} ms`);
  } finally {
    child.kill('SIGKILL');
  }
}

try {
  const stage = build();
  console.log(`the last stage: ${relative(WORK, stage.folder)}`);
  await check(stage);
} catch (error) {
  console.error(`docker:check: ${error.message}`);
  process.exitCode = 1;
} finally {
  everyFile(WORK, (at) => {
    if (!lstatSync(at).isSymbolicLink()) chmodSync(at, 0o755);
  });
  rmSync(WORK, { recursive: true, force: true });
}
