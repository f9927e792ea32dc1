// Wakes an event loop from other threads: they ring, it listens.
// However often it rings before the loop comes round, it is heard once.

import { Patience } from './patience.js';

/** A few times what being woken takes: on an idle machine a sleeping core is slow to wake (13 µs there and back so, 35 with 10 µs). */
const LONGEST_LOOK_MS = 0.05;

export class Bell {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly patience = new Patience(LONGEST_LOOK_MS);
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
   * Calls back once the bell has rung since `rung` was read; while it listens already, this does nothing. It looks at
   * the bell in each turn of the loop for a moment, then it waits to be woken. What is waited for does not keep the
   * process alive on Node 20 to 24, and may on later ones.
   */
  listen(rung: number, callback: () => void): void {
    if (this.listening) return;
    this.listening = true;
    const { patience } = this;
    const heard = () => {
      this.listening = false;
      callback();
    };
    const end = patience.ms > 0 ? performance.now() + patience.ms : 0;
    const look = () => {
      if (this.rung !== rung) {
        if (end > 0) patience.rewarded();
        heard();
      } else if (end > 0 && performance.now() < end) {
        setImmediate(look);
      } else {
        patience.disappointed();
        const wait = Atomics.waitAsync(this.words, 0, rung);
        if (wait.async) void wait.value.then(heard);
        else heard();
      }
    };
    // Not at once even if it has rung: the loop comes round first, so that workers cannot keep it to themselves.
    setImmediate(look);
  }
}
