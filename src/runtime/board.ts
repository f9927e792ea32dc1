// Where a worker hangs out the parts of one step for others to take. One board for each worker.
// The invariant: what the board says is true for whoever has claimed a part, until that part is done: the leader
// changes nothing while a claimed part is not done. So a claim comes first, and reading second.

/** Two cache lines, as they are fetched. */
const APART = 32;
/** Parts that nobody has claimed; 0 or less: none. */
const REMAINING = 0;
/** Parts that others have done. */
const DONE = APART;
/** A bit for each part that could not be done. */
const FAILED = APART + 1;
const ENTRY = 2 * APART;
const STEP = 2 * APART + 1;
const WORDS = 3 * APART;

/** The most parts of one step: a word has so many bits. */
export const MAX_PARTS = 32;

export class Board {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;

  /** A new board, or one that another thread made. */
  constructor(buffer = new SharedArrayBuffer(4 * WORDS)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
  }

  /** The entry of the leader's ring whose plan runs, and which of its steps. Every part before was done. */
  open(entry: number, step: number, parts: number): void {
    const { words } = this;
    words[ENTRY] = entry;
    words[STEP] = step;
    Atomics.store(words, FAILED, 0);
    Atomics.store(words, DONE, 0);
    Atomics.store(words, REMAINING, parts);
  }

  /** Parts that nobody has claimed. */
  get remaining(): number {
    return Math.max(0, Atomics.load(this.words, REMAINING));
  }

  /** The part that is now the caller's alone; undefined when all are taken. */
  claim(): number | undefined {
    // Looked at first, so that the count never wraps however often there is nothing.
    const remaining = this.remaining > 0 ? Atomics.sub(this.words, REMAINING, 1) : 0;
    return remaining > 0 ? remaining - 1 : undefined;
  }

  /** Nothing can be claimed from now on. How many parts nobody had claimed. */
  shut(): number {
    return Math.max(0, Atomics.exchange(this.words, REMAINING, 0));
  }

  /** For whoever claimed a part, or as a guess of what a claim would bring. */
  get entry(): number {
    return this.words[ENTRY]!;
  }

  get step(): number {
    return this.words[STEP]!;
  }

  /** A part that somebody else than the leader claimed is done, or could not be. */
  finish(part: number, failed: boolean): void {
    if (failed) Atomics.or(this.words, FAILED, 1 << part);
    Atomics.add(this.words, DONE, 1);
    Atomics.notify(this.words, DONE);
  }

  get done(): number {
    return Atomics.load(this.words, DONE);
  }

  /** Of a step whose parts are done as far as they could be. */
  get anyFailed(): boolean {
    return Atomics.load(this.words, FAILED) !== 0;
  }

  failed(part: number): boolean {
    return (Atomics.load(this.words, FAILED) & (1 << part)) !== 0;
  }

  /** Sleeps unless more than `done` parts are done. */
  sleep(done: number): void {
    Atomics.wait(this.words, DONE, done);
  }
}
