// `npm run bench` runs every benchmark, `npm run bench -- http` one. Each is a process of its own.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const SHARED = new Set([
  'run.js',
  'measure.js',
  'quiet.js',
  'sides.js',
  'server.js',
  'small-forward.js',
  'module-comparison.js',
]);
const folder = new URL('./', import.meta.url);
const all = readdirSync(folder).filter((file) => file.endsWith('.js') && !SHARED.has(file));
const wanted = process.argv.slice(2);
const chosen = wanted.length === 0 ? all : wanted.map((name) => `${name}.js`);
for (const file of chosen) {
  if (!all.includes(file)) {
    console.error(
      `there is no benchmark ${file}; there are ${all.map((name) => name.slice(0, -3)).join(', ')}`,
    );
    process.exit(2);
  }
  const { status } = spawnSync(process.execPath, [new URL(file, folder).pathname], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
