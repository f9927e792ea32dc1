// Compiles src/kernels (AssemblyScript) to dist/kernels.wasm; does nothing where that is newer than its sources.
// The module imports its memory: any shared one of at least a page.

import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'src/kernels');
const target = join(root, 'dist/kernels.wasm');

const inputs = readdirSync(sources).map((name) => join(sources, name));
const changed = Math.max(
  ...[...inputs, fileURLToPath(import.meta.url)].map((path) => statSync(path).mtimeMs),
);

if (!existsSync(target) || statSync(target).mtimeMs < changed) {
  mkdirSync(dirname(target), { recursive: true });
  // Loaded here: the compiler takes longer to load than everything above.
  const { default: asc } = await import('assemblyscript/asc');
  const { error, stderr } = await asc.main([
    join(sources, 'index.ts'),
    ...['--outFile', target],
    ...['-O3', '--noAssert', '--runtime', 'stub'],
    ...['--enable', 'simd', '--enable', 'relaxed-simd', '--enable', 'threads'],
    // 65536 pages are 4 GiB: whatever maximum a given memory has, it links.
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
    '--noExportMemory',
  ]);
  process.stderr.write(stderr.toString());
  if (error) process.exitCode = 1;
}
