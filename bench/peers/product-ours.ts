// bench/gemm's products by our kernels, as WEIGHTROOM_NATIVE has it in the argument (auto, off, ...). A second thread
// takes half of the columns (or of the rows, where there are more of them), as the parts of a step are taken in the server.

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Kernels } from '../../src/graph/kernels.js';
import { packedBytes } from '../../src/graph/panels.js';
import { ranges } from '../../src/graph/parts.js';
import { bindKernels, chooseKernels, engineName, kernelModule } from '../../src/runtime/kernel-module.js';
import type { KernelModule, NativeChoice } from '../../src/runtime/kernel-module.js';
import type { Answer } from '../sides.js';
import { clock, noise, sampleOf, serveJobs } from './clock.js';
import { SEEDS, type ProductJob } from './product-job.js';

type Product = Parameters<Kernels['linear']>;

/** What both threads see. state: how many products were begun, how many halves are done. */
interface Shared {
  readonly module: KernelModule;
  readonly memory: WebAssembly.Memory;
  readonly state: Int32Array;
  readonly product: Float64Array;
}
const [BEGUN, DONE] = [0, 1];
/** About 50 ms, after which the second thread sleeps. */
const SPINS = 5_000_000;

const MEMORY_PAGES = 4096;
const [ROW_UNIT, COLUMN_UNIT] = [12, 32];

function half([x, panels, bias, y, m, ldy, n, k, relu]: Product, which: 0 | 1): Product {
  if (n >= m) {
    const { from, count } = ranges(n, 2, COLUMN_UNIT)[which]!;
    return [x, panels + 4 * from * k, bias + 4 * from, y + 4 * from, m, ldy, count, k, relu];
  }
  const { from, count } = ranges(m, 2, ROW_UNIT)[which]!;
  return [x + 4 * from * k, panels, bias, y + 4 * from * ldy, count, ldy, n, k, relu];
}

function secondThread({ module, memory, state, product }: Shared): never {
  const kernels = bindKernels(module, memory);
  for (let seen = 0; ;) {
    for (let spins = 0; Atomics.load(state, BEGUN) === seen; spins++) {
      if (spins > SPINS) Atomics.wait(state, BEGUN, seen);
    }
    seen++;
    kernels.linear(...half([...product] as Product, 1));
    Atomics.add(state, DONE, 1);
  }
}

async function serve(choice: NativeChoice): Promise<void> {
  const fault = chooseKernels(choice);
  if (fault) throw new Error(fault);
  const module = kernelModule();
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const kernels = bindKernels(module, memory);
  const state = new Int32Array(new SharedArrayBuffer(8));
  const product = new Float64Array(new SharedArrayBuffer(72));
  const worker = new Worker(new URL(import.meta.url), { workerData: { module, memory, state, product } });

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
    product.set(call);
    const first = half(call, 0);
    const one = (): void => kernels.linear(...call);
    const two = (): void => {
      const done = Atomics.load(state, DONE);
      Atomics.add(state, BEGUN, 1);
      Atomics.notify(state, BEGUN);
      kernels.linear(...first);
      while (Atomics.load(state, DONE) === done);
    };
    const taken = await clock(threads === 1 ? one : two, seconds);
    const y = new Float32Array(memory.buffer, call[3], m * n);
    return { seconds: taken, sample: sampleOf(y), version: engineName(module) };
  });
  await worker.terminate();
}

if (isMainThread) await serve(process.argv[2] as NativeChoice);
else secondThread(workerData as Shared);
