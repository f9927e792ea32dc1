// How fast are the kernels, on one thread? The product in GF/s, activations in ns an element; best of several runs.
// `node dist/bench/kernels.js`

import { UNARY_KERNELS } from '../src/graph/kernels.js';
import { compileKernels, instantiateKernels } from '../src/runtime/webassembly.js';

const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
const kernels = instantiateKernels(compileKernels(), memory);

const PRODUCTS = [
  [1, 1024, 1024],
  [8, 1024, 1024],
  [64, 784, 256],
  [256, 1024, 1024],
] as const;
/** Channels in and out, height = width; kernel 3, padding 1. */
const CONVOLUTIONS = [
  [3, 32, 32],
  [64, 64, 14],
  [16, 32, 28],
] as const;
const ELEMENTS = 16_384;

new Float32Array(memory.buffer).forEach((_, i, all) => (all[i] = Math.fround(Math.sin(i) * 3)));

/** Seconds of one run: the best of batches that take 0.2 s together, after as long a warm-up. */
function time(run: () => unknown): number {
  let best = Infinity;
  const start = performance.now();
  for (let now = start; now < start + 400;) {
    const from = now;
    let runs = 0;
    do {
      run();
      runs++;
      now = performance.now();
    } while (now < from + 5);
    if (now > start + 200) best = Math.min(best, (now - from) / runs / 1000);
  }
  return best;
}

let next = kernels.heap_base();
function floats(n: number): number {
  const address = next;
  next += (n * 4 + 63) & ~63;
  return address;
}

for (const [m, k, n] of PRODUCTS) {
  next = kernels.heap_base();
  const [x, panels, bias, y] = [floats(m * k), floats(n * k), floats(n), floats(m * n)];
  const seconds = time(() => kernels.linear(x, panels, bias, y, m, n, n, k, 0));
  console.log(`linear (${m}, ${k}, ${n})`.padEnd(32), `${((2 * m * k * n) / seconds / 1e9).toFixed(1)} GF/s`);
}

for (const [ci, co, size] of CONVOLUTIONS) {
  next = kernels.heap_base();
  const [x, w, bias, y] = [floats(ci * size ** 2), floats(co * ci * 9), floats(co), floats(co * size ** 2)];
  const scratch = floats(kernels.conv_scratch(ci, size, size, size, size, 3, 3, 1, 1, 1, 1, 1, 1, 1) / 4);
  const seconds = time(() =>
    kernels.conv(x, w, bias, y, 1, ci, size, size, co, size, size, 3, 3, 1, 1, 1, 1, 1, 1, 1, scratch, 0),
  );
  const flops = 2 * co * ci * 9 * size ** 2;
  console.log(
    `conv (${ci} → ${co}, ${size} × ${size})`.padEnd(32),
    `${(flops / seconds / 1e9).toFixed(1)} GF/s`,
  );
}

next = kernels.heap_base();
const [x, y] = [floats(ELEMENTS), floats(ELEMENTS)];
for (const name of UNARY_KERNELS) {
  const seconds = time(() => kernels[name](x, y, ELEMENTS, 1, 20));
  console.log(name.padEnd(32), `${((seconds / ELEMENTS) * 1e9).toFixed(2)} ns an element`);
}
for (const name of ['softmax', 'log_softmax'] as const) {
  const seconds = time(() => kernels[name](x, y, ELEMENTS / 1024, 1024, 1));
  console.log(name.padEnd(32), `${((seconds / ELEMENTS) * 1e9).toFixed(2)} ns an element`);
}
const seconds = time(() => kernels.layer_norm(x, 0, 0, y, ELEMENTS / 1024, 1024, 1e-5, 1));
console.log('layer_norm'.padEnd(32), `${((seconds / ELEMENTS) * 1e9).toFixed(2)} ns an element`);
