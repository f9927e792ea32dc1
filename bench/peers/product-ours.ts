// bench/gemm's products by our kernels, as WEIGHTROOM_NATIVE has it in the argument (auto, off, ...). With two threads the
// product falls into parts, as in the server, and each thread takes the next one that nobody has taken.

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Kernels } from '../../src/graph/kernels.js';
import { packedBytes } from '../../src/graph/panels.js';
import { cutOf } from '../../src/graph/parts.js';
import { partsOf, ranges } from '../../src/graph/parts.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { KernelModule, NativeChoice } from '../../src/runtime/kernel-module.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { SEEDS, type ProductJob } from './product-job.js';

type Product = Parameters<Kernels['linear']>;

/** What both threads see. state: products begun; of the last, parts, and those claimed and done; parts: their arguments. */
interface Shared {
  readonly module: KernelModule;
  readonly memory: WebAssembly.Memory;
  readonly state: Int32Array;
  readonly parts: Float64Array;
}
const [BEGUN, PARTS, CLAIMED, DONE] = [0, 1, 2, 3];
/** As src/graph/plan.ts has them. */
const [MAX_PARTS, PART_COST] = [8, 500_000];
const ARGUMENTS = 9;
/** About 20 ms, after which the second thread sleeps. */
const SPINS = 2_000_000;

const MEMORY_PAGES = 4096;

function split([x, panels, bias, y, m, ldy, n, k, relu]: Product): Product[] {
  const { byColumns, length, unit } = cutOf(m, n);
  const wanted = Math.max(1, Math.min(MAX_PARTS, Math.floor((2 * m * n * k) / PART_COST)));
  return ranges(length, partsOf(length, wanted, unit), unit).map(({ from, count }) =>
    byColumns
      ? [x, panels + 4 * from * k, bias + 4 * from, y + 4 * from, m, ldy, count, k, relu]
      : [x + 4 * from * k, panels, bias, y + 4 * from * ldy, count, ldy, n, k, relu],
  );
}

function takeParts(kernels: Kernels, { state, parts: p }: Shared): void {
  const claim = (): number => Atomics.add(state, CLAIMED, 1);
  for (let part = claim(); part < Atomics.load(state, PARTS); part = claim()) {
    const i = part * ARGUMENTS;
    // prettier-ignore
    kernels.linear(p[i]!, p[i + 1]!, p[i + 2]!, p[i + 3]!, p[i + 4]!, p[i + 5]!, p[i + 6]!, p[i + 7]!, p[i + 8]!);
    Atomics.add(state, DONE, 1);
  }
}

function secondThread(shared: Shared): never {
  const { module, memory, state } = shared;
  const kernels = bindKernels(module, memory);
  for (let seen = 0; ;) {
    for (let spins = 0; Atomics.load(state, BEGUN) === seen; spins++) {
      if (spins > SPINS) Atomics.wait(state, BEGUN, seen);
    }
    seen = Atomics.load(state, BEGUN);
    takeParts(kernels, shared);
  }
}

async function serve(choice: NativeChoice): Promise<void> {
  const fault = chooseKernels(choice);
  if (fault) throw new Error(fault);
  const module = kernelModule();
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const kernels = bindKernels(module, memory);
  const state = new Int32Array(new SharedArrayBuffer(16));
  const parts = new Float64Array(new SharedArrayBuffer(8 * MAX_PARTS * ARGUMENTS));
  const shared: Shared = { module, memory, state, parts };
  const worker = new Worker(new URL(import.meta.url), { workerData: shared });

  let next = 0;
  const take = (bytes: number): number => {
    const address = next;
    next += (bytes + 63) & ~63;
    return address;
  };
  const place = (values: Float32Array): number => {
    const address = take(values.byteLength);
    new Float32Array(memory.buffer, address, values.length).set(values);
    return address;
  };
  let placed = '';
  let call: Product;

  await serveJobs<ProductJob>(async ({ m, k, n, threads, seconds }): Promise<Answer> => {
    if (placed !== `${m},${k},${n}`) {
      placed = `${m},${k},${n}`;
      next = kernels.heap_base();
      const [w, panels] = [place(noise(n * k, SEEDS.w)), take(packedBytes(n, k))];
      kernels.pack(w, panels, n, k);
      const [x, bias] = [place(noise(m * k, SEEDS.x)), place(noise(n, SEEDS.bias))];
      call = [x, panels, bias, take(4 * m * n), m, n, n, k, 0];
    }
    const cut = split(call);
    parts.set(cut.flat());
    Atomics.store(state, PARTS, cut.length);
    const one = (): void => kernels.linear(...call);
    const two = (): void => {
      Atomics.store(state, DONE, 0);
      Atomics.store(state, CLAIMED, 0);
      Atomics.add(state, BEGUN, 1);
      Atomics.notify(state, BEGUN);
      takeParts(kernels, shared);
      while (Atomics.load(state, DONE) < cut.length);
    };
    const taken = await clock(threads === 1 ? one : two, seconds);
    const y = new Float32Array(memory.buffer, call[3], m * n);
    return { seconds: taken, sample: sampleOf(y), version: engineName(module) };
  });
  await worker.terminate();
}

if (isMainThread) await serve(process.argv[2] as NativeChoice);
else secondThread(workerData as Shared);
