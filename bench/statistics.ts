// What do statistics cost, and how are they best computed? Milliseconds for a million float32 numbers: the kernels (with the
// copy of each block that they read), the plain loop that they replace, and the server's way through its workers.
// `node dist/bench/statistics.js`

import { SharedMemory } from '../src/runtime/memory.js';
import { Pool } from '../src/runtime/pool.js';
import { Surveyor } from '../src/runtime/surveyor.js';
import { PART, Surveys } from '../src/runtime/surveys.js';
import { compileKernels } from '../src/runtime/webassembly.js';
import { edgesOf } from '../src/tensor/bins.js';
import { wholeView } from '../src/tensor/view.js';
import { median, report } from './measure.js';

const COUNT = 2 ** 20;
const ROUNDS = 31;
const SMALL = 64;

/** Sums, extremes and counts of what is looked at in JavaScript, element by element, in two passes. */
function plainly(data: Float32Array): number {
  let [min, max, sum, squares, zeros, strange] = [Infinity, -Infinity, 0, 0, 0, 0];
  for (const x of data) {
    sum += x;
    squares += x * x;
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    else if (x - x !== 0) strange++;
  }
  const mean = sum / data.length;
  let deviations = 0;
  for (const x of data) deviations += (x - mean) ** 2;
  return deviations + squares + zeros + strange + min + max;
}

const memory = new SharedMemory({ limitBytes: 256 * 2 ** 20 });
const pool = new Pool({ workers: 2, memory, timeoutMs: 30_000 });
await pool.ready();
const shape = [COUNT];
const tensor = { shape, dtype: 'float32' } as const;
const region = memory.allocate(COUNT * 4);
const data = memory.tensor(region, shape, 'float32').data as Float32Array;
data.forEach((_, i) => (data[i] = Math.sin(i) * 3));
const small = memory.allocate(SMALL * 4);
memory.tensor(small, [SMALL], 'float32').data.fill(1 as never);

const surveyor = new Surveyor(compileKernels());
const whole = { view: wholeView(shape), from: 0, to: COUNT };
const even = { edges: edgesOf(32, { least: -3, most: 3 }, 'float32'), even: true };
const given = { edges: Array.from({ length: 33 }, (_, i) => -3 + i ** 1.1 / 8), even: false };

const contenders: Readonly<Record<string, () => unknown>> = {
  'plain loop, ms': () => plainly(data),
  'kernels, ms': () => surveyor.moments(data, whole),
  'kernels, one part, ms': () => surveyor.moments(data, { ...whole, to: PART }),
  'histogram of 32 even bins, ms': () => surveyor.histogram(data, whole, even),
  'histogram between 32 given edges, ms': () => surveyor.histogram(data, whole, given),
  // Another object each time, so that nothing is known of the region yet.
  'by two workers, ms': () => new Surveys(pool, memory).statistics(region, tensor),
};
const times = new Map(Object.keys(contenders).map((name) => [name, [] as number[]]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(contenders)) {
    const start = performance.now();
    await run();
    times.get(name)!.push(performance.now() - start);
  }
}
const surveys = new Surveys(pool, memory);
const once = async (): Promise<number> => {
  const start = performance.now();
  for (let i = 0; i < 1000; i++) {
    await surveys.statistics(small, { shape: [SMALL], dtype: 'float32' }, { view: wholeView([SMALL]) });
  }
  return performance.now() - start;
};
const few = [];
for (let round = 0; round < 9; round++) few.push(await once());
report('statistics', {
  ...Object.fromEntries([...times].map(([name, all]) => [name, median(all)])),
  '64 numbers on the main thread, µs': median(few),
});
await pool.close();
