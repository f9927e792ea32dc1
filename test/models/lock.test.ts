import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadWriteLock } from '#src/models/lock.js';

interface Step {
  exclusive: boolean;
  turns: number;
}

function shared<T>(lock: ReadWriteLock, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    lock.share(
      () =>
        void work()
          .then(resolve, reject)
          .finally(() => lock.unshare()),
    );
  });
}

describe('the read-write lock', () => {
  it('never lets an exclusive holder overlap with anyone, and starts holders in order of arrival', async () => {
    const step = fc.record<Step>({ exclusive: fc.boolean(), turns: fc.integer({ min: 0, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const lock = new ReadWriteLock();
        const started: number[] = [];
        let readers = 0;
        let writers = 0;
        const work = async (index: number, { exclusive, turns }: Step): Promise<void> => {
          started.push(index);
          if (exclusive) writers++;
          else readers++;
          expect(writers === 0 || (writers === 1 && readers === 0)).toBe(true);
          for (let i = 0; i < turns; i++) await Promise.resolve();
          if (exclusive) writers--;
          else readers--;
        };
        await Promise.all(
          steps.map((step, i) =>
            step.exclusive ? lock.exclusive(() => work(i, step)) : shared(lock, () => work(i, step)),
          ),
        );
        expect(started).toEqual(steps.map((_, i) => i));
      }),
      { numRuns: 100 },
    );
  });

  it('lets shared holders run together', async () => {
    const lock = new ReadWriteLock();
    let release!: () => void;
    const first = shared(lock, () => new Promise<void>((resolve) => (release = resolve)));
    await shared(lock, () => Promise.resolve());
    release();
    await first;
  });

  it('goes on after work that throws', async () => {
    const lock = new ReadWriteLock();
    await expect(lock.exclusive(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await shared(lock, () => Promise.resolve(7))).toBe(7);
  });

  it('lets in any number of waiters that leave at once', async () => {
    const lock = new ReadWriteLock();
    const many = 100_000;
    let entered = 0;
    await lock.exclusive(() => {
      for (let i = 0; i < many; i++) {
        lock.share(() => {
          entered++;
          lock.unshare();
        });
      }
    });
    expect(entered).toBe(many);
    expect(await lock.exclusive(() => 'alone')).toBe('alone');
  });
});
