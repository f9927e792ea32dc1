// What is wrong with a client's tensor: every fault with its place, up to a limit.

import type { Fault } from '../errors.js';

/** A list with a million wrong numbers is told in as few lines. */
const MAX_FAULTS = 20;

/** A client's tensor cannot be read. */
export class TensorError extends Error {
  override readonly name = 'TensorError';
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    super(faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; '));
    this.faults = faults;
  }
}

export interface FoundFaults {
  readonly told: readonly Fault[];
  readonly count: number;
}

/** Collects faults; those beyond the limit are counted and their texts never made. */
export class FaultList {
  private readonly faults: Fault[] = [];
  private count = 0;

  get empty(): boolean {
    return this.count === 0;
  }

  add(describe: () => Fault): void {
    if (this.count++ < MAX_FAULTS) this.faults.push(describe());
  }

  /** The first faults, and how many there are. */
  get found(): FoundFaults {
    return { told: this.faults, count: this.count };
  }

  /** Takes over what another list found, in a value that stands at `path` here. */
  addAll({ told, count }: FoundFaults, path: string): void {
    for (const fault of told) this.add(() => ({ ...fault, path: path + fault.path }));
    this.count += count - told.length;
  }

  /** Throws TensorError if there is any fault; `path` is where the number of those left out is told. */
  throwIfAny(path: string): void {
    if (this.empty) return;
    const more = this.count - this.faults.length;
    if (more > 0) this.faults.push({ path, message: `and ${more} more` });
    throw new TensorError(this.faults);
  }
}

/** A client's value in a message: as JSON, and short. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
