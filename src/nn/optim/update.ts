// One parameter's steps: `begin` once a step, then `update` for every range of its elements, in any order and by any
// number of threads. All state stands in the kernels' memory, where the caller gave it a place: after a scheduler has
// begun, which may change what there is to keep (OneCycleLR makes a momentum).

import type { Kernels } from '../../graph/kernels.js';
import type { ElementwiseOptimizer, Settings } from './optimizer.js';
import { ELEMENTWISE, type ElementwiseName } from './table.js';

/** Addresses in bytes, multiples of 4. */
export interface Place {
  readonly parameter: number;
  readonly gradient: number;
  /** The state's tensors by PyTorch's names: those that the optimizer's `state(settings)` lists. */
  readonly state: Readonly<Record<string, number>>;
  readonly numel: number;
}

export class ParameterUpdate {
  private readonly optimizer: ElementwiseOptimizer;
  private readonly place: Place;
  private readonly floats: Float32Array;
  private readonly addresses: readonly number[];
  private numbers: readonly number[] = [];
  private first: boolean;

  /**
   * `memory`: the kernels' memory, as float32. `first`: the state is not made yet (what stands at its place is not
   * read); false where it was restored.
   */
  constructor(
    name: ElementwiseName,
    place: Place,
    { memory, first }: { memory: Float32Array; first: boolean },
  ) {
    this.optimizer = ELEMENTWISE[name];
    this.place = place;
    this.floats = memory;
    this.first = first;
    const state = this.optimizer.tensors.map((tensor) => place.state[tensor] ?? 0);
    this.addresses = [place.parameter, place.gradient, ...state];
  }

  /** Counts a step and computes what is the same for all elements. The gradient is read by `update` alone. */
  begin(settings: Settings): void {
    if (this.first) this.makeState(settings);
    const step = this.advance('step', (count) => count + 1);
    const muProduct = this.advance('mu_product', (product) => {
      return product * Math.fround(this.optimizer.mu?.(settings, step) ?? 1);
    });
    this.numbers = this.optimizer.numbers(settings, { step, first: this.first, muProduct });
    this.first = false;
  }

  /** Updates elements from `from` to `to` - 1, for the step that began last. */
  update(kernels: Kernels, from = 0, to = this.place.numel): void {
    const numbers = this.rangeNumbers(from, to);
    kernels[this.optimizer.kernel](...numbers);
  }

  /** What the optimizer's kernel is called with for a range: plain numbers, that another thread may be given. */
  rangeNumbers(from: number, to: number): number[] {
    const addresses = this.addresses.map((address) => (address === 0 ? 0 : address + from * 4));
    return [...addresses, to - from, ...this.numbers];
  }

  private makeState(settings: Settings): void {
    for (const { name, shape, initial } of this.optimizer.state(settings)) {
      if (initial === 'gradient') continue;
      const at = this.place.state[name]! / 4;
      this.floats.fill(initial, at, at + (shape === 'scalar' ? 1 : this.place.numel));
    }
  }

  /** Changes a scalar of the state, as the float32 that it is. */
  private advance(name: string, change: (value: number) => number): number {
    const address = this.place.state[name];
    if (address === undefined) return 0;
    this.floats[address / 4] = change(this.floats[address / 4]!);
    return this.floats[address / 4]!;
  }
}
