import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_BINDINGS, Ring, SLOTS, type RingForward } from '#src/runtime/ring.js';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const forward = fc.record({
  plan: address,
  segment: fc.nat(255),
  arena: address,
  bindings: fc.array(address, { maxLength: MAX_BINDINGS, size: 'max' }),
});

/** The other thread's view of the same memory. */
const across = (ring: Ring): Ring => new Ring(ring.buffer);

it('gives the worker every entry as it was submitted, in order, however far each side is ahead', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(forward, { nil: undefined }), { maxLength: 30 }),
      fc.array(fc.nat(SLOTS)),
      (entries, takes) => {
        const ring = new Ring();
        const worker = across(ring);
        ring.reset();
        const seen: (RingForward | undefined)[] = [];
        let submitted = 0;
        const take = (): void => {
          const entry = worker.begin();
          seen.push(worker.kindOf(entry) === 'forward' ? worker.forwardAt(entry) : undefined);
          worker.finish(entry, entry % 2 === 0 ? 'null' : 'message');
          expect(ring.endingOf(entry)).toBe(entry % 2 === 0 ? 'null' : 'message');
        };
        for (const most of takes) {
          while (submitted < entries.length && submitted - seen.length < SLOTS)
            submit(ring, entries[submitted++]);
          for (let i = 0; i < most && worker.submittedAny; i++) take();
        }
        while (submitted < entries.length || worker.submittedAny) {
          if (worker.submittedAny) take();
          else submit(ring, entries[submitted++]);
        }
        expect(seen).toEqual(entries);
        expect(ring.finished).toBe(entries.length);
      },
    ),
  );
});

const submit = (ring: Ring, forward: RingForward | undefined): void =>
  ring.submit(forward ? 'forward' : 'message', forward);

it('says of each entry how many messages come before it', () => {
  const ring = new Ring();
  ring.reset();
  submit(ring, undefined);
  ring.posted();
  ring.posted();
  submit(ring, undefined);
  const worker = across(ring);
  const counts = [0, 1].map(() => {
    const entry = worker.begin();
    worker.finish(entry, 'null');
    return worker.messagesBefore(entry);
  });
  expect(counts).toEqual([0, 2]);
});

it('tells an entry that was begun from one that waits', () => {
  const ring = new Ring();
  ring.reset();
  submit(ring, undefined);
  expect(ring.busy).toBe(false);
  const entry = across(ring).begin();
  expect(ring.busy).toBe(true);
  across(ring).finish(entry, 'null');
  expect(ring.busy).toBe(false);
});

it('is empty for the worker that comes after a lost one, and keeps what was counted', () => {
  const ring = new Ring();
  ring.reset();
  ring.posted();
  submit(ring, undefined);
  const lost = across(ring);
  lost.count('calls');
  lost.begin();
  lost.helping = 3;
  ring.reset();
  const next = across(ring);
  expect([next.submittedAny, next.postedCount, ring.busy, ring.helping]).toEqual([
    false,
    0,
    false,
    undefined,
  ]);
  expect(ring.figure('calls')).toBe(1);
});
