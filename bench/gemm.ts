// How fast is y = x · wᵀ + bias beside onnxruntime and PyTorch, on one thread and on two? And beside the machine's own
// limits: read bandwidth (one row, weights from memory) and the fused peak of registers alone.
// Sides take turns, round after round.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, report } from './measure.js';
import type { ProductJob } from './peers/product-job.js';
import { quiet } from './quiet.js';
import { agree, peerSides, scriptSide, type Answer } from './sides.js';

const SHAPES = [
  [1, 1024, 1024],
  [1, 4096, 4096],
  [8, 1024, 1024],
  [32, 1024, 1024],
  [256, 1024, 1024],
  [1024, 1024, 1024],
  [64, 784, 256],
] as const;
/** Its weights are 64 MB: more than the caches hold. */
const FROM_MEMORY = SHAPES[1];
const ROUNDS = 5;
const SECONDS = 0.1;
/** For a round to wait while others compute. */
const PATIENCE_MS = 2000;
const OURS = 'weightroom';
const WEBASSEMBLY = 'weightroom webassembly';

interface Limits {
  readonly read: number;
  readonly fused128: number;
  readonly fused256: number;
  readonly fused512: number;
}

/** Measures the machine's limits; undefined where there is no compiler. */
function limitsProgram(folder: string): (() => Limits) | undefined {
  const program = join(folder, 'peak');
  const args = ['-O3', '-std=c++17', '-ffp-contract=fast', 'bench/peak/peak.cc', '-o', program];
  if (spawnSync(process.env.CXX ?? 'c++', args, { stdio: 'inherit' }).status !== 0) return undefined;
  return () => JSON.parse(spawnSync(program, [`${SECONDS / 2}`], { encoding: 'utf8' }).stdout) as Limits;
}

const folder = mkdtempSync(join(tmpdir(), 'weightroom-peak-'));
const limitsOf = limitsProgram(folder);
const peers = peerSides<ProductJob>('product');
const sides = [
  scriptSide<ProductJob>(OURS, 'product-ours.js', 'auto'),
  scriptSide<ProductJob>(WEBASSEMBLY, 'product-ours.js', 'off'),
  ...peers,
];

const results: Record<string, number> = {};
const limits: Limits[] = [];
const disturbance: number[] = [];
const fromMemory: number[] = [];
const webAssemblyRates: number[] = [];
for (const threads of [1, 2]) {
  for (const shape of SHAPES) {
    const [m, k, n] = shape;
    const taken = new Map(sides.map(({ name }) => [name, [] as number[]]));
    for (let round = 0; round < ROUNDS; round++) {
      disturbance.push(await quiet(PATIENCE_MS));
      const limit = limitsOf?.();
      if (limit) limits.push(limit);
      let first: Answer | undefined;
      for (const side of sides) {
        const answer = await side.ask({ m, k, n, threads, seconds: SECONDS });
        first ??= answer;
        agree(first, answer, `${side.name} (${m}, ${k}, ${n})`);
        taken.get(side.name)!.push(answer.seconds);
        if (threads === 1 && limit) {
          if (side.name === OURS && shape === FROM_MEMORY)
            fromMemory.push((4 * n * k) / answer.seconds / 1e9 / limit.read);
          if (side.name === WEBASSEMBLY && m >= 32)
            webAssemblyRates.push((2 * m * k * n) / answer.seconds / 1e9 / limit.fused128);
        }
      }
    }
    const label = `(${m}, ${k}, ${n}), ${threads} thread${threads > 1 ? 's' : ''}`;
    for (const { name } of sides) {
      results[`${label}, ${name}, GF/s`] = (2 * m * k * n) / median(taken.get(name)!) / 1e9;
    }
    if (peers.length > 0) {
      const ratios = taken
        .get(OURS)!
        .map((ours, round) => Math.min(...peers.map(({ name }) => taken.get(name)![round]!)) / ours);
      results[`${label}, ratio to the better peer`] = median(ratios);
    }
  }
}
for (const name of ['read', 'fused128', 'fused256', 'fused512'] as const) {
  if (limits.length > 0)
    results[`limit: ${name}, ${name === 'read' ? 'GB/s' : 'GF/s'}`] = median(
      limits.map((each) => each[name]),
    );
}
if (fromMemory.length > 0) {
  results['one row from memory, of the read bandwidth'] = median(fromMemory);
  results['webassembly, of the 128-bit fused peak'] = median(webAssemblyRates);
}
results['cores that others kept busy before a round'] = median(disturbance);
for (const side of sides) await side.end();
rmSync(folder, { recursive: true });
report('gemm', results);
