import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { Board } from '#src/runtime/board.js';
import { Helper, Leader } from '#src/runtime/crew.js';
import { Ring } from '#src/runtime/ring.js';

const SCRIPT = new URL('./crew-worker.mjs', import.meta.url);

interface Led {
  /** Parts that were not done when their step had ended. */
  readonly early: readonly (readonly number[])[];
  readonly errors: readonly (readonly [boolean, string])[];
  readonly helped: number;
}

async function lead(options: { helpers: number; steps: number; parts: number; fails?: boolean }) {
  const { helpers, steps, parts } = options;
  const stations = Array.from({ length: helpers + 1 }, () => ({ ring: new Ring(), board: new Board() }));
  for (const { ring } of stations) ring.reset();
  const counts = new Int32Array(new SharedArrayBuffer(4 * steps * parts));
  const start = (index: number) =>
    new Worker(SCRIPT, {
      workerData: {
        ...options,
        index,
        counts: counts.buffer,
        stations: stations.map(({ ring, board }) => ({ ring: ring.buffer, board: board.buffer })),
      },
    });
  const crew = Array.from({ length: helpers }, (_, i) => start(i + 1));
  await Promise.all(crew.map((worker) => once(worker, 'message')));
  const leader = start(0);
  const [led] = (await once(leader, 'message')) as [Led];
  await Promise.all([leader, ...crew].map((worker) => worker.terminate()));
  return { ...led, counts };
}

it('runs each part of thousands of steps exactly once, and ends no step before its parts', async () => {
  const { counts, early, errors, helped } = await lead({ helpers: 2, steps: 3000, parts: 5 });
  expect(counts.every((count) => count === 1)).toBe(true);
  expect(early).toEqual([]);
  expect(errors).toEqual([]);
  expect(helped).toBeGreaterThan(0);
});

it('throws what a part throws, with its kind, whoever met it; other steps are not touched', async () => {
  const { early, errors } = await lead({ helpers: 2, steps: 1000, parts: 3, fails: true });
  expect(errors).toEqual(
    Array.from({ length: 200 }, (_, i) => [true, `part 2 of step ${i * 5} at the leader`]),
  );
  // Besides the part that failed, a step that fails may leave parts undone.
  expect(early.every(([step]) => step! % 5 === 0)).toBe(true);
});

function station() {
  const ring = new Ring();
  ring.reset();
  return { ring, board: new Board() };
}

it('waits for nobody who has not begun: with all others asleep the leader does every part', () => {
  const stations = [station(), station(), station()];
  const leader = new Leader(stations, 0);
  leader.entry = 0;
  const done: number[] = [];
  leader.share(0, 7, (part) => done.push(part));
  expect(done.sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

it('takes nothing of a plan that it does not know', () => {
  const stations = [station(), station()];
  stations[0]!.ring.submit('forward', { plan: 3, segment: 0, arena: 0, bindings: [] });
  stations[0]!.board.open(0, 0, 4);
  const ran: number[] = [];
  const known = new Set<number>();
  const helper = new Helper({
    stations,
    index: 1,
    knows: (plan) => known.has(plan),
    prepare: () => (_step, part) => ran.push(part),
  });
  expect(helper.help()).toBe(false);
  expect(stations[0]!.board.remaining).toBe(4);
  known.add(3);
  expect(helper.help()).toBe(true);
  expect(ran.sort()).toEqual([0, 1, 2, 3]);
});

it('does again what a helper could not do, and nothing else: parts may stand where their input stood', () => {
  const stations = [station(), station()];
  stations[0]!.ring.submit('forward', { plan: 3, segment: 0, arena: 0, bindings: [] });
  const ran: number[] = [];
  let prepared = 0;
  const helper = new Helper({
    stations,
    index: 1,
    knows: () => true,
    prepare: () => {
      // As where the plan it had looked for was another by the time that it had a part.
      if (prepared++ === 0) throw new Error('not known here');
      return (_step, part) => ran.push(part);
    },
  });
  const leader = new Leader(stations, 0);
  leader.entry = 0;
  leader.share(0, 5, (part) => {
    ran.push(part);
    if (ran.length === 1) helper.help();
  });
  expect(ran.sort()).toEqual([0, 1, 2, 3, 4]);
  expect(stations[1]!.ring.figure('parts')).toBe(4);
});

it('takes one part more at most when there is an entry of its own', () => {
  const stations = [station(), station()];
  const entry = { plan: 3, segment: 0, arena: 0, bindings: [] };
  stations[0]!.ring.submit('forward', entry);
  stations[0]!.board.open(0, 0, 5);
  const own = stations[1]!.ring;
  const ran: number[] = [];
  const run = (_step: number, part: number): void => {
    if (ran.push(part) === 2) own.submit('forward', entry);
  };
  const helper = new Helper({ stations, index: 1, knows: () => true, prepare: () => run });
  expect(helper.help()).toBe(true);
  expect(ran).toEqual([4, 3]);
  expect(own.helping).toBeUndefined();
  expect(own.figure('parts')).toBe(2);
});
