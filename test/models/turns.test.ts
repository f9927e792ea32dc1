import { describe, expect, it } from 'vitest';
import { Turns } from '#src/models/turns.js';
import { QuotaError } from '#src/runtime/memory.js';

/** Work that ends when it is told to. */
function workload() {
  const begun: number[] = [];
  const ends = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  const work = (id: number) => (): Promise<number> => {
    begun.push(id);
    return new Promise((resolve, reject) => ends.set(id, { resolve: () => resolve(id), reject }));
  };
  /** Everything that follows from what was done has happened. */
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    begun,
    work,
    settled,
    end: (id: number) => ends.get(id)!.resolve(),
    fail: (id: number, error: Error) => ends.get(id)!.reject(error),
  };
}

describe('turns', () => {
  it('are had by so many at a time, in order of arrival, whether work ends well or not', async () => {
    const { begun, work, settled, end, fail } = workload();
    const turns = new Turns(2);
    const results = [1, 2, 3, 4].map((id) =>
      turns.take(work(id)).catch((error: unknown) => (error as Error).message),
    );
    await settled();
    expect(begun).toEqual([1, 2]);
    fail(2, new Error('no'));
    await settled();
    expect(begun).toEqual([1, 2, 3]);
    end(1);
    await settled();
    expect(begun).toEqual([1, 2, 3, 4]);
    end(3);
    end(4);
    expect(await Promise.all(results)).toEqual([1, 'no', 3, 4]);
  });

  it('are tried again for lack of memory once another is done, before others begin, and not alone', async () => {
    const { begun, work, settled, end, fail } = workload();
    const turns = new Turns(2);
    const results = [1, 2, 3].map((id) => turns.take(work(id)).catch((error: unknown) => error));
    await settled();
    fail(2, new QuotaError(10, 5));
    await settled();
    expect(begun).toEqual([1, 2]);
    end(1);
    await settled();
    expect(begun).toEqual([1, 2, 2]);
    fail(2, new QuotaError(10, 5));
    await settled();
    expect(begun).toEqual([1, 2, 2, 3]);
    end(3);
    const [first, second, third] = await Promise.all(results);
    expect([first, third]).toEqual([1, 3]);
    expect(second).toBeInstanceOf(QuotaError);
  });
});
