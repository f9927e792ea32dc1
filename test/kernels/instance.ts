// The compiled kernels in a memory of their own, with a guard after every array: its NaNs spoil the result of whoever
// reads past an end, and `intact` tells whether someone wrote there.

import { compileKernels, instantiateKernels } from '#src/runtime/webassembly.js';
import type { Kernels } from '#src/graph/kernels.js';

export const AWKWARD = [0, 1, 3, 15, 16, 17, 64, 65] as const;

const GUARD = 8; // float32 elements
const GUARD_BITS = 0x7fc0_5eed; // a NaN like no other

export class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 256, maximum: 1024, shared: true });
  readonly kernels: Kernels = instantiateKernels(compileKernels(), this.memory);
  private next = 0;
  private guards: number[] = [];

  constructor() {
    this.clear();
  }

  /** Forgets every array. */
  clear(): void {
    this.next = (this.kernels.heap_base() + 15) & ~15;
    this.guards = [];
    this.guard();
  }

  private guard(): void {
    new Uint32Array(this.memory.buffer, this.next, GUARD).fill(GUARD_BITS);
    this.guards.push(this.next);
    this.next += GUARD * 4;
  }

  /** The address of n float32 elements, filled with the guards' NaN. */
  space(n: number): number {
    const address = this.next;
    new Uint32Array(this.memory.buffer, address, n).fill(GUARD_BITS);
    this.next += n * 4;
    this.guard();
    return address;
  }

  /** The address of a copy; 0 for null. */
  place(values: Float32Array | null): number {
    if (!values) return 0;
    const address = this.space(values.length);
    this.floats(address, values.length).set(values);
    return address;
  }

  /** int64 elements; at a multiple of 8 bytes. */
  placeIndices(values: readonly bigint[]): number {
    if (this.next % 8) this.space(1);
    const address = this.space(values.length * 2);
    new BigInt64Array(this.memory.buffer, address, values.length).set(values);
    return address;
  }

  scratch(bytes: number): number {
    return this.space(bytes / 4);
  }

  /** A view of n elements. */
  floats(address: number, n: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, n);
  }

  /** A copy of n elements. */
  read(address: number, n: number): Float32Array {
    return this.floats(address, n).slice();
  }

  intact(): boolean {
    return this.guards.every((at) =>
      new Uint32Array(this.memory.buffer, at, GUARD).every((v) => v === GUARD_BITS),
    );
  }
}

/** The bits of each element, to compare where -0 and NaN count. */
export function bits(values: Float32Array): number[] {
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
}

/** Numbers in [-1, 1) that look random and are always the same. */
export function noise(n: number, seed = 1): Float32Array {
  let state = Math.imul(seed, 0x9e37_79b9) | 1;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
}

/** The largest |actual - expected| in units of |expected| and of `atol`, as torch.allclose weighs them; 1 is at the bound. */
export function excess(actual: Float32Array, expected: readonly number[], rtol = 1e-5, atol = 1e-6): number {
  if (actual.length !== expected.length) return Infinity;
  return expected.reduce((worst, value, i) => {
    if (Object.is(actual[i], Math.fround(value))) return worst;
    const error = Math.abs(actual[i]! - value) / (atol + rtol * Math.abs(value));
    return error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
  }, 0);
}
