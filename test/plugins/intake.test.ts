import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Line, Queue } from '#src/models/queue.js';
import { Intake, TURN_BYTES } from '#src/plugins/intake.js';

const HALF = TURN_BYTES / 2;

function stage() {
  const queue = new Queue({ perModel: 100, total: 100 });
  const line = new Line('net');
  const intake = new Intake();
  const entered: number[] = [];
  let next = 0;
  /** Whether it was let in at once. */
  const arrive = (size: number, terms = {}): boolean => {
    const id = next++;
    const now = intake.admits(size);
    if (now) entered.push(id);
    else
      intake.wait({ task: queue.enter(line, terms, () => undefined), size, enter: () => entered.push(id) });
    return now;
  };
  return { queue, intake, arrive, entered };
}

describe('the intake', () => {
  it('lets in so many bytes in a turn, the others in the next ones, in order', async () => {
    const { queue, arrive, entered } = stage();
    for (const size of [HALF, HALF, 1, HALF, HALF, 1]) arrive(size);
    expect(entered).toEqual([0, 1]);
    expect(queue.depth).toBe(4);
    await turn();
    expect(entered).toEqual([0, 1, 2, 3]);
    await turn();
    expect(entered).toEqual([0, 1, 2, 3, 4, 5]);
    expect(queue.depth).toBe(0);
  });

  it('lets in a larger body, alone', async () => {
    const { arrive, entered } = stage();
    for (const size of [1, 10 * TURN_BYTES, 1]) arrive(size);
    expect(entered).toEqual([0]);
    await turn();
    expect(entered).toEqual([0, 1]);
    await turn();
    expect(entered).toEqual([0, 1, 2]);
  });

  it('lets nobody pass who waits, nor those in who are gone', async () => {
    const { arrive, entered } = stage();
    arrive(TURN_BYTES);
    arrive(HALF, { gone: () => true });
    arrive(HALF, { priority: 'low' });
    arrive(HALF);
    await turn();
    expect(arrive(1)).toBe(false);
    await turn();
    expect(entered).toEqual([0, 3, 2, 4]);
  });

  it('is open again when nothing came for a turn', async () => {
    const { arrive } = stage();
    arrive(TURN_BYTES);
    await turn();
    expect(arrive(TURN_BYTES)).toBe(true);
  });
});
