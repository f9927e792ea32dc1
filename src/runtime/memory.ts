// Shared WebAssembly memories (segments) and the regions in use of them. Only the main thread allocates;
// workers map the same bytes. A region lives as long as somebody holds it: a model, its log, a request.

import type { DType } from '../tensor/dtype.js';
import { numel, type Shape } from '../tensor/shape.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { Allocator } from './allocator.js';
import { viewAt } from './memory-view.js';

const PAGE = 65536;
/** Kernels keep their constants in a segment's first page. */
const FIRST = PAGE;
const MAX_PAGES = 65536;
/** The last page stays unused, so that the address past a region never wraps to 0. */
const END = (MAX_PAGES - 1) * PAGE;
/** Memory grows by at least this much: each growth makes every thread refresh its views. */
const GROWTH = 256 * PAGE;

/** A range of a segment. `address` is in bytes from the segment's start. */
export interface Region {
  readonly segment: number;
  readonly address: number;
  readonly bytes: number;
}

/** There is no room for what was asked; nothing was taken. */
export class QuotaError extends Error {
  readonly bytes: number;
  readonly limitBytes: number;
  constructor(bytes: number, limitBytes: number) {
    super(`${bytes} bytes do not fit into the ${limitBytes} bytes of memory`);
    this.bytes = bytes;
    this.limitBytes = limitBytes;
  }
}

interface Segment {
  memory: WebAssembly.Memory;
  allocator: Allocator;
}

export class SharedMemory {
  readonly limitBytes: number;
  private readonly segments: Segment[] = [];
  private readonly holders = new Map<Region, number>();
  private readonly added: ((memory: WebAssembly.Memory) => void)[] = [];
  private used = 0;
  /** Called when there is no room; true means that some was made. */
  reclaim: () => boolean = () => false;

  constructor(options: { limitBytes: number }) {
    this.limitBytes = options.limitBytes;
  }

  /** The bytes of all regions that somebody holds. */
  get bytesInUse(): number {
    return this.used;
  }

  /** The memories so far, by segment number. */
  get memories(): readonly WebAssembly.Memory[] {
    return this.segments.map(({ memory }) => memory);
  }

  /** Tells of each segment made from now on. */
  onSegment(listener: (memory: WebAssembly.Memory) => void): void {
    this.added.push(listener);
  }

  /**
   * Takes `bytes` bytes, held once; what stood there before is still there. In any segment, or in the one given: all
   * that one kernel touches stands in one segment. Throws QuotaError.
   */
  allocate(bytes: number, segment?: number): Region {
    // What never fits is refused before anything is given up for it.
    const fits = bytes >= 0 && Allocator.size(bytes) <= Math.min(this.limitBytes, END - FIRST);
    if (!Number.isSafeInteger(bytes) || !fits) throw new QuotaError(bytes, this.limitBytes);
    do {
      const region = this.attempt(bytes, segment);
      if (region) return region;
    } while (this.reclaim());
    throw new QuotaError(bytes, this.limitBytes);
  }

  retain(region: Region): Region {
    this.holders.set(region, this.holders.get(region)! + 1);
    return region;
  }

  release(region: Region): void {
    const holders = this.holders.get(region);
    if (holders === undefined) throw new Error('a region was released twice');
    if (holders > 1) {
      this.holders.set(region, holders - 1);
      return;
    }
    this.holders.delete(region);
    this.used -= Allocator.size(region.bytes);
    this.segments[region.segment]!.allocator.give(region.address, region.bytes);
  }

  /** A region's bytes as a tensor: a view, right as long as the region is held and not written to. */
  tensor(region: Region, shape: Shape, dtype: DType): TensorValue {
    return this.view(region.segment, region.address, shape, dtype);
  }

  /** The same of any address that is held. */
  view(segment: number, address: number, shape: Shape, dtype: DType): TensorValue {
    const { memory } = this.segments[segment]!;
    return new TensorValue(dtype, shape, viewAt(memory, address, numel(shape), dtype));
  }

  /** As `allocate`, but nothing is given up to make room: undefined where there is none. */
  attempt(bytes: number, segment?: number): Region | undefined {
    if (this.used + Allocator.size(bytes) > this.limitBytes) return undefined;
    const candidates = segment === undefined ? this.segments.keys() : [segment];
    for (const index of candidates) {
      const { memory, allocator } = this.segments[index]!;
      const address = allocator.take(bytes);
      if (address === undefined) continue;
      const missing = allocator.highWater - memory.buffer.byteLength;
      if (missing > 0 && !grow(memory, missing, allocator.end)) {
        allocator.give(address, bytes);
        continue;
      }
      const region = { segment: index, address, bytes };
      this.holders.set(region, 1);
      this.used += Allocator.size(bytes);
      return region;
    }
    if (segment !== undefined || !this.addSegment()) return undefined;
    return this.attempt(bytes, this.segments.length - 1);
  }

  /** A segment reserves addresses, not memory: each is as long as 32 bits reach. */
  private addSegment(): boolean {
    if (this.segments.length > this.limitBytes / END) return false;
    const memory = new WebAssembly.Memory({ initial: 16, maximum: MAX_PAGES, shared: true });
    this.segments.push({ memory, allocator: new Allocator(FIRST, END) });
    for (const listener of this.added) listener(memory);
    return true;
  }
}

function grow(memory: WebAssembly.Memory, missing: number, end: number): boolean {
  const room = end - memory.buffer.byteLength;
  if (missing > room) return false;
  try {
    memory.grow(Math.ceil(Math.min(Math.max(missing, GROWTH), room) / PAGE));
    return true;
  } catch {
    return false;
  }
}
