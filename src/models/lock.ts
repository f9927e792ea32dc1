// A lock in order of arrival: shared holders go together, an exclusive one goes alone.
// No reader starves a writer and no writer a reader: whoever comes later waits behind whoever waits already.

interface Waiter {
  readonly exclusive: boolean;
  readonly go: () => void;
}

export class ReadWriteLock {
  private readonly waiting: Waiter[] = [];
  private readers = 0;
  private writing = false;
  private letting = false;

  /**
   * Calls `go` once it is among the shared holders: at once, where nobody is in the way. `unshare` ends what began there.
   * Callbacks, as each forward comes through here: a promise more for each costs more than a small network.
   */
  share(go: () => void): void {
    if (this.writing || this.waiting.length > 0) {
      this.waiting.push({ exclusive: false, go });
      return;
    }
    this.readers++;
    go();
  }

  unshare(): void {
    this.readers--;
    this.next();
  }

  /** Runs `work` alone. */
  async exclusive<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.writing || this.readers > 0 || this.waiting.length > 0) {
      await new Promise<void>((go) => this.waiting.push({ exclusive: true, go }));
    } else {
      this.writing = true;
    }
    try {
      return await work();
    } finally {
      this.writing = false;
      this.next();
    }
  }

  /**
   * Lets in whoever may go; a place is taken here, before the waiter's own code runs. A waiter that leaves in that code
   * comes back here: the loop below goes on for it, as thousands that are refused one after another would fill the stack.
   */
  private next(): void {
    if (this.letting) return;
    this.letting = true;
    try {
      for (let first = this.waiting[0]; first && !this.writing; first = this.waiting[0]) {
        if (first.exclusive) {
          if (this.readers > 0) return;
          this.writing = true;
        } else {
          this.readers++;
        }
        this.waiting.shift();
        first.go();
      }
    } finally {
      this.letting = false;
    }
  }
}
