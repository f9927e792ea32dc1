// Several workers at one step. The one whose plan it is leads: it hangs the step's parts on its board and takes parts
// itself; workers with nothing to do take others. The leader waits for parts that somebody has begun, never for somebody
// to begin, so a step is never slower than alone by more than the calling.

import type { Crew } from '../graph/run.js';
import type { PlanId } from './protocol.js';
import { MAX_PARTS, type Board } from './board.js';
import type { Ring, RingForward, State } from './ring.js';
import { Trust } from './trust.js';

/** Work that is left for less than this is done sooner than a worker that sleeps has begun (bench/dispatch). */
const WAKE_MS = 0.03;
/** So many parts are more work than that, whatever they are: each is some 10 µs at least (graph/plan.ts). */
const WAKE_PARTS = 8;
/** Looks at the board before the leader sleeps: some 20 µs, as long as most parts take. */
const LOOKS = 8192;

export interface Station {
  readonly ring: Ring;
  readonly board: Board;
}

export class Leader implements Crew {
  /** The entry that runs; undefined where the plan is not in the ring, where helpers could not find it. */
  entry: number | undefined;
  private readonly ring: Ring;
  private readonly board: Board;
  private readonly others: readonly Ring[];
  private readonly trust = new Trust();

  constructor(stations: readonly Station[], index: number) {
    ({ ring: this.ring, board: this.board } = stations[index]!);
    this.others = [...stations.slice(index + 1), ...stations.slice(0, index)].map(({ ring }) => ring);
  }

  /** Has every part run once, here or elsewhere; throws what a part throws. The parts may not depend on each other. */
  share(step: number, parts: number, run: (part: number) => void): void {
    const { board, entry, trust } = this;
    const alone = entry === undefined || parts === 1 || parts > MAX_PARTS || this.others.length === 0;
    if (alone || !trust.ask()) {
      for (let part = 0; part < parts; part++) run(part);
      return;
    }
    this.ring.state = 'leading';
    board.open(entry, step, parts);
    const start = performance.now();
    this.call('spinning', parts - 1);
    if (parts >= WAKE_PARTS) this.call('asleep', parts - 1);
    let here = 0;
    let ended = start;
    try {
      for (let part = board.claim(); part !== undefined; part = board.claim()) {
        here++;
        run(part);
        ended = performance.now();
        const left = here === 1 ? board.remaining : 0;
        if ((ended - start) * left > WAKE_MS) this.call('asleep', left);
      }
    } finally {
      // Parts that were claimed elsewhere are awaited also when one threw here: they write to the arena.
      this.waitFor(parts - board.shut() - here);
    }
    if (here > 0 && here < parts) trust.learn(performance.now() - start, ((ended - start) / here) * parts);
    if (!board.anyFailed) return;
    // Those parts alone, as a step in place may be done once: an error is then thrown with its kind and text, and what
    // was not the plan's fault (a helper had not heard of the plan) does no harm.
    for (let part = 0; part < parts; part++) if (board.failed(part)) run(part);
  }

  private call(state: State, wanted: number): void {
    for (const ring of this.others) {
      if (wanted <= 0) return;
      if (ring.state !== state) continue;
      ring.ring();
      wanted--;
    }
  }

  /** A helper that dies in its part never finishes it: then the pool ends this thread too. */
  private waitFor(elsewhere: number): void {
    const { board } = this;
    for (let i = 0; i < LOOKS; i++) if (board.done === elsewhere) return;
    for (let done = board.done; done !== elsewhere; done = board.done) board.sleep(done);
  }
}

export interface HelperOptions {
  readonly stations: readonly Station[];
  readonly index: number;
  readonly knows: (plan: PlanId) => boolean;
  /** Throws where the plan is not known. */
  readonly prepare: (forward: RingForward) => (step: number, part: number) => void;
}

export class Helper {
  private readonly options: HelperOptions;

  constructor(options: HelperOptions) {
    this.options = options;
  }

  /** Takes parts as long as there are any and no entry of its own waits. Whether there were. */
  help(): boolean {
    const { stations, index, knows } = this.options;
    const own = stations[index]!.ring;
    let helped = false;
    for (let leader = 0; leader < stations.length; leader++) {
      const { ring, board } = stations[leader]!;
      if (leader === index || board.remaining === 0 || !knows(ring.planOf(board.entry))) continue;
      own.state = 'working';
      // Said before the claim, so that whoever shuts the board sees who may be at a part of it.
      own.helping = leader;
      if (this.takeParts(own, ring, board)) helped = true;
      own.helping = undefined;
    }
    return helped;
  }

  private takeParts(own: Ring, ring: Ring, board: Board): boolean {
    const start = performance.now();
    let taken = 0;
    let entry: number | undefined;
    let run: ((step: number, part: number) => void) | undefined;
    for (let part = board.claim(); part !== undefined; part = board.claim()) {
      taken++;
      let failed = false;
      try {
        if (!run || entry !== board.entry) {
          entry = board.entry;
          run = this.options.prepare(ring.forwardAt(entry));
        }
        run(board.step, part);
      } catch {
        // The leader runs the part again and meets the same error.
        failed = true;
      }
      board.finish(part, failed);
      if (own.submittedAny) break;
    }
    own.count('parts', taken);
    if (taken > 0) own.count('busySeconds', (performance.now() - start) / 1000);
    return taken > 0;
  }
}
