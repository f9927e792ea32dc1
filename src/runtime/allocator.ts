// Hands out ranges of an address space and takes them back: best fit by size class, neighbours joined at once.
// It knows addresses only; the memory behind them is memory.ts's business.

/** Cache lines: no two ranges share one. */
export const ALIGNMENT = 64;

interface Hole {
  start: number;
  end: number;
}

const sizeClass = (bytes: number): number => Math.floor(Math.log2(bytes));

export class Allocator {
  readonly end: number;
  /** Everything from here on was never used. */
  private top: number;
  private readonly byStart = new Map<number, Hole>();
  private readonly byEnd = new Map<number, Hole>();
  private readonly classes: Set<Hole>[] = Array.from({ length: 54 }, () => new Set<Hole>());

  /** Addresses from `start` (a multiple of ALIGNMENT) to `end`, the end excluded. */
  constructor(start: number, end: number) {
    this.top = start;
    this.end = end;
  }

  /** The bytes that a request really takes. */
  static size(bytes: number): number {
    return Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
  }

  /** The address of `bytes` free bytes, or undefined where no range is long enough. */
  take(bytes: number): number | undefined {
    const need = Allocator.size(bytes);
    const hole = this.smallestHole(need);
    if (!hole) {
      if (this.top + need > this.end) return undefined;
      const at = this.top;
      this.top += need;
      return at;
    }
    this.remove(hole);
    if (hole.end - hole.start > need) this.insert({ start: hole.start + need, end: hole.end });
    return hole.start;
  }

  /** Takes back what `take(bytes)` gave. */
  give(start: number, bytes: number): void {
    const hole: Hole = { start, end: start + Allocator.size(bytes) };
    const before = this.byEnd.get(hole.start);
    const after = this.byStart.get(hole.end);
    if (before) {
      this.remove(before);
      hole.start = before.start;
    }
    if (after) {
      this.remove(after);
      hole.end = after.end;
    }
    if (hole.end === this.top) this.top = hole.start;
    else this.insert(hole);
  }

  /** The first address past every range in use. */
  get highWater(): number {
    return this.top;
  }

  private smallestHole(need: number): Hole | undefined {
    const first = sizeClass(need);
    let best: Hole | undefined;
    for (const hole of this.classes[first]!) {
      if (hole.end - hole.start >= need && (!best || hole.end - hole.start < best.end - best.start))
        best = hole;
      if (best && best.end - best.start === need) return best;
    }
    for (let i = first + 1; !best && i < this.classes.length; i++)
      best = this.classes[i]!.values().next().value;
    return best;
  }

  private insert(hole: Hole): void {
    this.byStart.set(hole.start, hole);
    this.byEnd.set(hole.end, hole);
    this.classes[sizeClass(hole.end - hole.start)]!.add(hole);
  }

  private remove(hole: Hole): void {
    this.byStart.delete(hole.start);
    this.byEnd.delete(hole.end);
    this.classes[sizeClass(hole.end - hole.start)]!.delete(hole);
  }
}
