// Statistics of tensors in shared memory, computed on workers, of any tensor no more than once. Long ones are looked at in
// parts, of which few are on their way at a time: forwards come in between. What is less than a block is looked at here.

import { edgesOf, type Bins } from '../tensor/bins.js';
import type { DType } from '../tensor/dtype.js';
import { numel, type Shape } from '../tensor/shape.js';
import {
  histogramOf,
  joined,
  NO_MOMENTS,
  statisticsOf,
  type Histogram,
  type Moments,
  type Statistics,
} from '../tensor/statistics.js';
import { isContiguous, type View } from '../tensor/view.js';
import { kernelModule } from './kernel-module.js';
import type { Region, SharedMemory } from './memory.js';
import type { Pool } from './pool.js';
import type { Placed } from './protocol.js';
import { BLOCK, Surveyor } from './surveyor.js';

/** Elements that a worker looks at in one call: a fraction of a millisecond (bench/statistics). */
export const PART = 64 * BLOCK;

/** Histograms of one tensor that are kept, of different bins. */
const MAX_KEPT = 8;

export interface SurveyOptions {
  /** Of a part of the tensor; absent: of all of it. */
  readonly view?: View | undefined;
  /** Absent: no histogram. */
  readonly bins?: Bins | undefined;
}

interface Target {
  readonly region: Region;
  readonly tensor: Placed;
  readonly view: View;
}

interface Known {
  moments?: Promise<Moments>;
  readonly histograms: Map<string, Promise<Histogram>>;
}

export class Surveys {
  private readonly pool: Pick<Pool, 'call' | 'size'>;
  private readonly memory: SharedMemory;
  /** Of whole tensors: a region that somebody reads is never written to. */
  private readonly known = new WeakMap<Region, Known>();
  private surveyor: Surveyor | undefined;
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(pool: Pick<Pool, 'call' | 'size'>, memory: SharedMemory) {
    this.pool = pool;
    this.memory = memory;
    this.free = pool.size;
  }

  /**
   * Of a tensor whose region the caller holds now; it is held here until it was looked at. Rejects with WorkerLostError or
   * PoolClosedError.
   */
  async statistics(
    region: Region,
    { shape, dtype }: { readonly shape: Shape; readonly dtype: DType },
    { view, bins }: SurveyOptions = {},
  ): Promise<Statistics> {
    this.memory.retain(region);
    try {
      const target = {
        region,
        tensor: { address: region.address, shape, dtype },
        view: view && !isContiguous(view) ? view : inOneRow(view, shape),
      };
      const seen = view ? view.shape : shape;
      const known = view ? { histograms: new Map<string, Promise<Histogram>>() } : this.knownOf(region);
      const moments = await this.moments(target, known);
      const statistics = statisticsOf(moments, { shape: seen, dtype });
      if (bins === undefined) return statistics;
      return { ...statistics, histogram: await this.histogram(target, known, { bins, moments }) };
    } finally {
      this.memory.release(region);
    }
  }

  private knownOf(region: Region): Known {
    let known = this.known.get(region);
    if (!known) this.known.set(region, (known = { histograms: new Map() }));
    return known;
  }

  private moments(target: Target, known: Known): Promise<Moments> {
    known.moments ??= this.countMoments(target).catch((error: unknown) => {
      // Whoever asks next asks another worker.
      delete known.moments;
      throw error;
    });
    return known.moments;
  }

  private histogram(
    target: Target,
    { histograms }: Known,
    { bins, moments }: { bins: Bins; moments: Moments },
  ): Promise<Histogram> {
    const key = JSON.stringify(bins);
    let made = histograms.get(key);
    if (!made) {
      made = this.countHistogram(target, bins, moments).catch((error: unknown) => {
        histograms.delete(key);
        throw error;
      });
      histograms.set(key, made);
      const [oldest] = histograms.keys();
      if (histograms.size > MAX_KEPT) histograms.delete(oldest!);
    }
    return made;
  }

  private async countMoments({ region, tensor, view }: Target): Promise<Moments> {
    const { segment } = region;
    const count = numel(view.shape);
    if (count <= BLOCK) return this.here.moments(this.valuesOf(region, tensor), { view, from: 0, to: count });
    const parts = await this.inParts(count, (part) =>
      this.pool.call('moments', { segment, tensor, stretch: { view, ...part } }),
    );
    return parts.reduce(joined, NO_MOMENTS);
  }

  private async countHistogram(
    { region, tensor, view }: Target,
    bins: Bins,
    moments: Moments,
  ): Promise<Histogram> {
    const { segment } = region;
    const edges = edgesOf(bins, moments, tensor.dtype);
    const order = { edges, even: typeof bins === 'number' };
    const count = numel(view.shape);
    if (count <= BLOCK) {
      const stretch = { view, from: 0, to: count };
      const counts = this.here.histogram(this.valuesOf(region, tensor), stretch, order);
      return histogramOf(edges, counts, tensor.dtype);
    }
    const parts = await this.inParts(count, (part) =>
      this.pool.call('histogram', { segment, tensor, stretch: { view, ...part }, bins: order }),
    );
    const counts = edges.slice(1).map((_, bin) => parts.reduce((sum, part) => sum + part[bin]!, 0));
    return histogramOf(edges, counts, tensor.dtype);
  }

  private valuesOf({ segment }: Region, { address, shape, dtype }: Placed) {
    return this.memory.view(segment, address, shape, dtype).data;
  }

  private get here(): Surveyor {
    return (this.surveyor ??= new Surveyor(kernelModule().code));
  }

  /** What is told of each part, in order; rejects once all have ended where one has failed: nobody reads on. */
  private async inParts<T>(
    count: number,
    call: (part: { from: number; to: number }) => Promise<T>,
  ): Promise<T[]> {
    const parts = Array.from({ length: Math.ceil(count / PART) }, (_, i) => ({
      from: i * PART,
      to: Math.min(count, (i + 1) * PART),
    }));
    const results = await Promise.allSettled(parts.map((part) => this.inTurn(() => call(part))));
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  /** As many at a time as there are workers. */
  private async inTurn<T>(call: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await call();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

function inOneRow(view: View | undefined, shape: Shape): View {
  return { shape: [numel(view ? view.shape : shape)], strides: [1], offset: view ? view.offset : 0 };
}
