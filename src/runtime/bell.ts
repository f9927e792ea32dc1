// Wakes an event loop from other threads: they ring, it listens.
// However often it rings before the loop comes round, it is heard once.

export class Bell {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private listening = false;

  /** A new bell, or one that another thread made. */
  constructor(buffer = new SharedArrayBuffer(4)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
  }

  ring(): void {
    Atomics.add(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }

  /** Read before looking for what a ring announces: rings from then on are heard. */
  get rung(): number {
    return Atomics.load(this.words, 0);
  }

  /**
   * Calls back once the bell has rung since `rung` was read; while it listens already, this does nothing.
   * What is pending does not keep the process alive on Node 20 to 24, and may on later ones.
   */
  listen(rung: number, callback: () => void): void {
    if (this.listening) return;
    this.listening = true;
    const heard = () => {
      this.listening = false;
      callback();
    };
    const wait = Atomics.waitAsync(this.words, 0, rung);
    // Rung already: the loop still comes round before it is heard, so that workers cannot keep it to themselves.
    if (wait.async) void wait.value.then(heard);
    else setImmediate(heard);
  }
}
