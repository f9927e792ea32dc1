// Memory of a test's own, in which graphs are run.

import { makePlan } from '#src/graph/plan.js';
import { address, runPlan } from '#src/graph/run.js';
import { Tracer, type Output, type Value } from '#src/graph/tracer.js';
import { bindKernels, kernelModule } from '#src/runtime/kernel-module.js';
import type { DType } from '#src/tensor/dtype.js';
import { byteLength, numel } from '#src/tensor/shape.js';

export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly number[];
}

export const memory = new WebAssembly.Memory({ initial: 64, maximum: 4096, shared: true });
export const kernels = bindKernels(kernelModule(), memory);

/** Bytes handed out one behind the other, from the beginning again for each network. */
export class Space {
  private next = (kernels.heap_base() + 63) & ~63;

  take(bytes: number): number {
    const at = this.next;
    this.next = (at + bytes + 63 + 64) & ~63;
    const missing = this.next - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536) + 16);
    return at;
  }

  place(tensor: Tensor): number {
    const at = this.take(byteLength(tensor.shape, tensor.dtype));
    write(at, tensor);
    return at;
  }
}

function write(at: number, { shape, dtype, data }: Tensor): void {
  const n = numel(shape);
  if (dtype === 'int64') new BigInt64Array(memory.buffer, at, n).set(data.map(BigInt));
  else if (dtype === 'float32') new Float32Array(memory.buffer, at, n).set(data);
  else throw new Error(dtype);
}

export function read(at: number, { shape, dtype }: { shape: readonly number[]; dtype: DType }): Float32Array {
  const n = numel(shape);
  if (dtype === 'int64') return Float32Array.from(new BigInt64Array(memory.buffer, at, n), Number);
  return new Float32Array(memory.buffer, at, n).slice();
}

/** What a graph makes of tensors. */
export function evaluate(
  tensors: readonly Tensor[],
  build: (tracer: Tracer, inputs: readonly Value[]) => readonly Output[],
): { readonly shape: readonly number[]; readonly data: Float32Array }[] {
  const tracer = new Tracer({ unpacked: true });
  const outputs = build(
    tracer,
    tensors.map((tensor) => tracer.input(tensor)),
  );
  const plan = makePlan(tracer.graph(...outputs), kernels);
  const space = new Space();
  const bindings = tensors.map((tensor) => space.place(tensor));
  const arena = space.take(plan.arenaBytes);
  new Float32Array(memory.buffer, arena, plan.arenaBytes / 4).fill(Number.NaN);
  const place = { arena, bindings };
  runPlan(plan, kernels, place);
  return plan.outputs.map((output) => ({
    shape: output.shape,
    data: read(address(output.at, place), output),
  }));
}
