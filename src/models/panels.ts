// The weights of one model as products read them (see Kernels.pack): made once for each value of a weight, by a worker,
// when a plan first wants them. They can always be made again, so that they are given up when memory is short.

import { matrixOf, packedBytes } from '../graph/panels.js';
import type { Parameter } from '../nn/module.js';
import type { Region } from '../runtime/memory.js';
import type { Workplace } from './draft.js';
import type { Tensors } from './tensors.js';

interface Packed {
  /** The values that the panels hold. */
  readonly of: Region;
  readonly region: Region;
  ready: boolean;
}

export class Panels {
  private readonly workplace: Workplace;
  private readonly tensors: Tensors;
  private readonly packed = new Map<Parameter, Packed>();
  private making: Promise<void> | undefined;

  constructor(workplace: Workplace, tensors: Tensors) {
    this.workplace = workplace;
    this.tensors = tensors;
  }

  /** Bytes of all panels. */
  get bytes(): number {
    let bytes = 0;
    for (const { region } of this.packed.values()) bytes += region.bytes;
    return bytes;
  }

  /** Whether there is anything to make for these weights. */
  lack(weights: readonly Parameter[]): boolean {
    return weights.some((weight) => !this.packed.get(weight)?.ready);
  }

  /** Makes the panels that are missing, as far as there is room. The weights must not change meanwhile. */
  async make(weights: readonly Parameter[]): Promise<void> {
    await this.making;
    const { memory, pool, segment } = this.workplace;
    const made: [Parameter, Packed][] = [];
    for (const weight of weights) {
      if (this.packed.has(weight)) continue;
      const { n, k } = matrixOf(weight.shape);
      const region = memory.attempt(packedBytes(n, k), segment);
      if (region) made.push([weight, { of: this.tensors.get(weight).region, region, ready: false }]);
    }
    if (made.length === 0) return;
    for (const [weight, packed] of made) this.packed.set(weight, packed);
    const steps = made.map(([{ shape }, { of, region }]) => {
      const { n, k } = matrixOf(shape);
      return { kind: 'pack' as const, from: of.address, to: region.address, n, k };
    });
    const ready = pool.call('edit', { segment: segment!, steps }).then(
      () => {
        for (const [, packed] of made) packed.ready = true;
      },
      // The worker was lost: products do without, until somebody asks again.
      () => {
        for (const [weight] of made) this.drop(weight);
      },
    );
    this.making = ready.then(() => (this.making = undefined));
    await this.making;
  }

  /** The panels' regions, held once more for the caller; undefined where there are none. */
  hold(weights: readonly Parameter[]): readonly (Region | undefined)[] {
    return weights.map((weight) => {
      const packed = this.packed.get(weight);
      return packed?.ready ? this.workplace.memory.retain(packed.region) : undefined;
    });
  }

  /** Lets go of panels whose weights have other values now, or are gone. */
  prune(): void {
    for (const [weight, { of }] of this.packed)
      if (this.tensors.find(weight)?.region !== of) this.drop(weight);
  }

  /** Lets go of all; those in the making stay. */
  clear(): void {
    for (const [weight, { ready }] of this.packed) if (ready) this.drop(weight);
  }

  private drop(weight: Parameter): void {
    const packed = this.packed.get(weight);
    if (packed) this.workplace.memory.release(packed.region);
    this.packed.delete(weight);
  }
}
