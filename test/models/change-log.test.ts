import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeLog } from '#src/models/change-log.js';
import { change, changed, CountedSnapshot } from './watched-models.js';

const UNBOUNDED = { entries: Infinity, bytes: Infinity };

function snapshot(bytes = 8): CountedSnapshot {
  return new CountedSnapshot(new Array<number>(bytes / 4).fill(0));
}

describe('revisions', () => {
  it('are 1, 2, 3, ... and a hole or a repetition throws, taking nothing', () => {
    const log = new ChangeLog(UNBOUNDED);
    const taken = snapshot();
    expect(() => log.append(change(2, [changed({ snapshot: taken })]))).toThrow(
      'revision 2 cannot follow revision 0',
    );
    log.append(change(1));
    expect(() => log.append(change(1))).toThrow('revision 1 cannot follow revision 1');
    expect(() => log.append(change(3))).toThrow('revision 3 cannot follow revision 1');
    expect([log.revision, log.oldest, taken.releases]).toEqual([1, 1, 0]);
  });

  it('of an empty log: the last is 0, and the oldest that can be read is the next', () => {
    const log = new ChangeLog(UNBOUNDED);
    expect([log.revision, log.oldest, log.read(0)]).toEqual([0, 1, []]);
  });

  it('are read after a revision, in order, at most `limit` of them', () => {
    const log = new ChangeLog({ ...UNBOUNDED, entries: 4 });
    for (let revision = 1; revision <= 6; revision++) log.append(change(revision));
    const read = (after: number, limit?: number) => log.read(after, limit).map(({ revision }) => revision);
    expect(log.oldest).toBe(3);
    expect(read(2)).toEqual([3, 4, 5, 6]);
    expect(read(4, 1)).toEqual([5]);
    expect(read(6)).toEqual([]);
    expect(read(99)).toEqual([]);
    expect(read(0, 2)).toEqual([3, 4]);
  });
});

describe('bounds', () => {
  it('hold for any sequence of changes: entries and bytes within the limits, the newest always there, each dropped one released once', () => {
    const sizes = fc.array(
      fc.integer({ min: 0, max: 12 }).map((n) => 4 * n),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 100 }),
        sizes,
        (entries, bytes, all) => {
          const log = new ChangeLog({ entries, bytes });
          const snapshots = all.map(snapshot);
          for (const [i, taken] of snapshots.entries()) {
            log.append(change(i + 1, [changed({ snapshot: taken })]));
            const kept = log.read(0);
            expect(kept.map(({ revision }) => revision)).toEqual(
              Array.from({ length: kept.length }, (_, k) => log.oldest + k),
            );
            expect(kept.at(-1)?.revision).toBe(i + 1);
            expect(kept.length).toBeLessThanOrEqual(entries);
            expect(log.bytes).toBe(all.slice(log.oldest - 1, i + 1).reduce((sum, n) => sum + n, 0));
            if (kept.length > 1) expect(log.bytes).toBeLessThanOrEqual(bytes);
            expect(snapshots.slice(0, i + 1).map(({ releases }) => releases)).toEqual(
              snapshots.slice(0, i + 1).map((_, k) => (k + 1 < log.oldest ? 1 : 0)),
            );
          }
          log.clear();
          expect(snapshots.every(({ releases }) => releases === 1)).toBe(true);
          expect([log.bytes, log.revision, log.oldest]).toEqual([0, all.length, all.length + 1]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('count and release a snapshot that two parameters of a change share once', () => {
    const log = new ChangeLog(UNBOUNDED);
    const shared = snapshot(16);
    log.append(change(1, [changed({ snapshot: shared }), changed({ path: '1.weight', snapshot: shared })]));
    expect(log.bytes).toBe(16);
    log.clear();
    expect(shared.releases).toBe(1);
  });

  it('numbering goes on after clear', () => {
    const log = new ChangeLog(UNBOUNDED);
    log.append(change(1));
    log.clear();
    expect(() => log.append(change(1))).toThrow();
    log.append(change(2));
    expect([log.oldest, log.revision]).toEqual([2, 2]);
  });
});

describe('hold', () => {
  it('keeps a dropped change readable until the last hold is let go, and each counts once', () => {
    const log = new ChangeLog({ entries: 1, bytes: Infinity });
    const held = snapshot();
    log.append(change(1, [changed({ snapshot: held })]));
    const [first, second] = [log.hold(1)!, log.hold(1)!];
    log.append(change(2));
    expect(held.releases).toBe(0);
    first();
    first();
    expect(held.releases).toBe(0);
    second();
    expect(held.releases).toBe(1);
  });

  it('let go while the log still has the change leaves it to the log', () => {
    const log = new ChangeLog(UNBOUNDED);
    const held = snapshot();
    log.append(change(1, [changed({ snapshot: held })]));
    log.hold(1)!();
    expect(held.releases).toBe(0);
    log.clear();
    expect(held.releases).toBe(1);
  });

  it('of a revision that is not there is undefined', () => {
    const log = new ChangeLog({ entries: 1, bytes: Infinity });
    log.append(change(1));
    log.append(change(2));
    expect([0, 1, 3, -5].map((revision) => log.hold(revision))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('listeners', () => {
  it('are called after the append, in the appending call, and not once removed, be it by another listener', () => {
    const log = new ChangeLog(UNBOUNDED);
    const heard: string[] = [];
    const stopFirst = log.subscribe(({ revision }) => {
      heard.push(`first ${revision} of ${log.revision}`);
      stopFirst();
    });
    log.subscribe(({ revision }) => heard.push(`second ${revision}`));
    log.append(change(1));
    log.append(change(2));
    expect(heard).toEqual(['first 1 of 1', 'second 1', 'second 2']);
  });
});
