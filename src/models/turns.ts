// Work that is not done in batches: by so many at a time, in order of arrival. What finds no memory may find it when
// another is done, and is tried again then, before others begin.

import { QuotaError } from '../runtime/memory.js';

export class Turns {
  private readonly room: number;
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** Those that lack memory, and hold none. */
  private readonly lacking: (() => void)[] = [];

  constructor(room: number) {
    this.room = room;
  }

  /** What `work` gives; it may be begun again where it throws a QuotaError. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.room && this.lacking.length === 0) this.running++;
    else await new Promise<void>((begin) => this.waiting.push(begin));
    try {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          const alone = this.running - this.lacking.length <= 1;
          if (!(error instanceof QuotaError) || alone) throw error;
          await new Promise<void>((again) => this.lacking.push(again));
        }
      }
    } finally {
      this.leave();
    }
  }

  private leave(): void {
    this.running--;
    if (this.lacking.length > 0) {
      for (const again of this.lacking.splice(0)) again();
      return;
    }
    while (this.running < this.room && this.waiting.length > 0) {
      this.running++;
      this.waiting.shift()!();
    }
  }
}
