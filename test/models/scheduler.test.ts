import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Group } from '#src/models/group.js';
import { Line, type Task } from '#src/models/queue.js';
import { Scheduler, type SchedulerOptions } from '#src/models/scheduler.js';
import type { Terms } from '#src/models/terms.js';

interface Member {
  readonly id: number;
  readonly size: number;
  readonly task: Task;
}

interface Batch {
  readonly ids: readonly number[];
  readonly rows: number;
  done(): void;
}

/** A scheduler whose batches run until they are told to end. */
function stage(options: Partial<SchedulerOptions> = {}) {
  const scheduler = new Scheduler({
    room: 1,
    maxDelayUs: 0,
    maxBatchRows: 8,
    queue: { perModel: 1000, total: 1000 },
    ...options,
  });
  const line = new Line('model net');
  const running = new Set<Batch>();
  const batches: Batch[] = [];
  const left: number[] = [];
  const refused: unknown[] = [];
  const run = (members: readonly Member[]): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        running.delete(batch);
        for (const { task } of members) task.end('done');
        resolve();
      };
      const rows = members.reduce((sum, { size }) => sum + size, 0);
      const batch = { ids: members.map(({ id }) => id), rows, done };
      batches.push(batch);
      running.add(batch);
    });
  const group = (of: { here?: boolean; alone?: boolean } = {}): Group<Member> =>
    new Group({
      here: false,
      alone: false,
      maxRows: scheduler.maxBatchRows,
      ...of,
      run,
      left: ({ id }) => left.push(id),
    });
  let next = 0;
  const add = (to: Group<Member>, terms: Terms = {}, rows = 1): number => {
    const id = next++;
    const task = scheduler.queue.enter(line, terms, (error) => refused.push({ id, ...error }));
    scheduler.add(to, { id, size: rows, task });
    return id;
  };
  const ran = (): readonly (readonly number[])[] => batches.map(({ ids }) => ids);
  return { scheduler, line, group, add, batches, running, left, refused, ran };
}

describe('the scheduler', () => {
  it('runs what arrives in one turn as one batch, and what arrives while there is no room as the next', async () => {
    const { group, add, batches, ran } = stage();
    const net = group();
    for (let i = 0; i < 3; i++) add(net);
    expect(ran()).toEqual([]);
    await turn();
    expect(ran()).toEqual([[0, 1, 2]]);
    add(net);
    await turn();
    add(net);
    await turn();
    expect(ran()).toHaveLength(1);
    batches[0]!.done();
    await turn();
    expect(ran()).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  it('cuts batches at the most rows; a member that has more goes alone', async () => {
    const { group, add, ran } = stage({ room: 9 });
    const net = group();
    for (const rows of [3, 3, 3, 20, 8, 1]) add(net, {}, rows);
    await turn();
    expect(ran()).toEqual([[0, 1], [2], [3], [4], [5]]);
  });

  it('shares what waits out among the room there is, in batches of 32 rows and more', async () => {
    const { group, add, batches } = stage({ room: 4, maxBatchRows: 256 });
    const net = group();
    for (let i = 0; i < 100; i++) add(net);
    await turn();
    expect(batches.map(({ rows }) => rows)).toEqual([32, 32, 32, 4]);
    for (const batch of batches) batch.done();
    await turn();
    for (let i = 0; i < 400; i++) add(net, {}, i % 2 === 0 ? 1 : 2);
    await turn();
    expect(batches.slice(4).map(({ rows }) => rows)).toEqual([150, 150, 150, 150]);
  });

  it('never puts members of two groups into one batch, nor two of a group whose members go alone', async () => {
    const { group, add, ran } = stage({ room: 9 });
    const [net, other, alone] = [group(), group(), group({ alone: true })];
    for (const to of [net, other, alone, net, other, alone]) add(to);
    await turn();
    expect(ran()).toEqual([[0, 3], [1, 4], [2], [5]]);
  });

  it('runs groups of this thread at the end of the turn, whether or not there is room', async () => {
    const { group, add, ran } = stage();
    const [away, here] = [group(), group({ here: true })];
    add(away);
    await turn();
    add(away);
    add(here);
    await turn();
    expect(ran()).toEqual([[0], [2]]);
  });

  it('runs a full batch of this thread at once, so that it does not fill the queue', async () => {
    const { scheduler, group, add, ran } = stage({ maxBatchRows: 2, queue: { perModel: 2, total: 2 } });
    const here = group({ here: true });
    for (let i = 0; i < 5; i++) add(here);
    expect(ran()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(scheduler.queue.depth).toBe(1);
    await turn();
    expect(ran()).toHaveLength(3);
  });

  it('lets those of higher priority go first, and passes nobody over who came a handicap earlier', async () => {
    const { group, add, batches, ran } = stage({ maxBatchRows: 1 });
    const net = group();
    const now = performance.now();
    add(net);
    await turn();
    for (const [priority, before] of [
      ['low', 500],
      ['normal', 0],
      ['high', 0],
      ['low', 1500],
      ['normal', 1500],
    ] as const)
      add(net, { priority, arrivedAt: now - before });
    for (let i = 0; i < 5; i++) {
      batches[i]!.done();
      await turn();
    }
    // By arrival and handicap: -1500, -1000, -500, 0, 500.
    expect(ran()).toEqual([[0], [5], [3], [4], [2], [1]]);
  });

  it('does not run who has hung up or whose time is over, and tells them from those it runs', async () => {
    const { scheduler, group, add, batches, refused, left, ran } = stage();
    const net = group();
    add(net);
    await turn();
    let gone = false;
    add(net, { gone: () => gone });
    add(net, { timeoutMs: 5, arrivedAt: performance.now() - 10 });
    add(net);
    gone = true;
    while (refused.length === 0) await turn();
    batches[0]!.done();
    await turn();
    expect(ran()).toEqual([[0], [3]]);
    expect(left.sort()).toEqual([1, 2]);
    expect(refused).toMatchObject([
      { id: 2, code: 'DEADLINE_EXCEEDED', status: 504 },
      { id: 1, code: 'CLIENT_GONE', status: 499 },
    ]);
    expect(scheduler.queue.depth).toBe(0);
    expect(scheduler.queue.tallies.requests).toMatchObject({ done: 1, expired: 1, cancelled: 1 });
  });

  it('waits for company as long as it may, and no longer when the batch is full', async () => {
    const { group, add, ran } = stage({ maxDelayUs: 10_000_000, maxBatchRows: 3, room: 9 });
    const net = group();
    add(net, {}, 2);
    await turn();
    expect(ran()).toEqual([]);
    add(net);
    await turn();
    expect(ran()).toEqual([[0, 1]]);
    add(net, { arrivedAt: performance.now() - 10_001 });
    await turn();
    expect(ran()).toEqual([[0, 1], [2]]);
  });

  it('goes on by itself when the time for company is over', async () => {
    const { group, add, ran } = stage({ maxDelayUs: 2500 });
    add(group());
    while (ran().length === 0) await turn();
    expect(ran()).toEqual([[0]]);
  });

  it('refuses who finds the queue full, and says when to come again', async () => {
    const { scheduler, line, group, add, ran } = stage({ queue: { perModel: 3, total: 100 } });
    const net = group();
    for (let i = 0; i < 3; i++) add(net);
    expect(() => add(net)).toThrow(
      expect.objectContaining({ code: 'OVERLOADED', status: 503, retryAfterSeconds: 1 }),
    );
    expect(() => add(net)).toThrow('3 requests wait for model net');
    expect(line.waiting).toBe(3);
    await turn();
    expect(ran()).toEqual([[0, 1, 2]]);
    expect(() => add(net)).not.toThrow();
    expect(scheduler.queue.tallies.requests.overloaded).toBe(2);
  });

  it('gives the place of who has hung up to who comes', () => {
    const { scheduler, group, add } = stage({ queue: { perModel: 3, total: 100 } });
    const net = group();
    let gone = false;
    for (let i = 0; i < 3; i++) add(net, { gone: () => gone });
    gone = true;
    expect(add(net)).toBe(3);
    expect(scheduler.queue.tallies.requests).toMatchObject({ overloaded: 0, cancelled: 3 });
  });

  it('bounds all models together', () => {
    const { scheduler, group, add } = stage({ queue: { perModel: 100, total: 2 } });
    add(group());
    scheduler.queue.enter(new Line('model other'), {}, () => undefined);
    expect(() => add(group())).toThrow('2 requests wait for all models');
  });

  it('runs everybody once, within room and rows, each group in order, however they arrive and batches end', async () => {
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.record({ group: fc.nat(2), rows: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 2, arbitrary: fc.constant('turn' as const) },
      { weight: 1, arbitrary: fc.constant('done' as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        async (events, room) => {
          const { scheduler, group, add, batches, running } = stage({ room });
          const groups = [group(), group(), group({ alone: true })];
          const expected: number[][] = [[], [], []];
          const settle = async (): Promise<void> => {
            await turn();
            expect(running.size).toBeLessThanOrEqual(room);
          };
          for (const given of events) {
            if (given === 'turn') await settle();
            else if (given === 'done') [...running][0]?.done();
            else expected[given.group]!.push(add(groups[given.group]!, {}, given.rows));
          }
          await settle();
          while (running.size > 0) {
            for (const batch of running) batch.done();
            await settle();
          }
          for (const ids of expected) {
            const ofGroup = batches.filter((batch) => ids.includes(batch.ids[0]!));
            expect(ofGroup.flatMap((batch) => batch.ids)).toEqual(ids);
            for (const batch of ofGroup) expect(batch.rows <= 8 || batch.ids.length === 1).toBe(true);
          }
          expect(batches.flatMap((batch) => batch.ids)).toHaveLength(expected.flat().length);
          expect(scheduler.queue.depth).toBe(0);
          expect(scheduler.batchesRunning).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('begins no batch while one lacks memory, so that those that have some come to their end', async () => {
    const { scheduler, group, add, batches, running, ran } = stage({ room: 3 });
    const nets = Array.from({ length: 6 }, () => group());
    for (const net of nets) add(net);
    await turn();
    expect(ran()).toEqual([[0], [1], [2]]);
    const again: boolean[] = [];
    const lacks = async (): Promise<void> => void again.push(await scheduler.anotherDone());
    void lacks();
    batches[1]!.done();
    // It has its try before the room is given to another, and finds too little still.
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(again).toEqual([true]);
    expect(ran()).toHaveLength(3);
    void lacks();
    await turn();
    expect(ran()).toHaveLength(3);
    batches[2]!.done();
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(again).toEqual([true, true]);
    await turn();
    // It found enough: the others go on.
    expect(running.size).toBe(3);
    expect(ran()).toEqual([[0], [1], [2], [3], [4]]);
  });
});
