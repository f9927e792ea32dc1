// What the main thread and one worker share: a ring of entries, counts that say who is how far, and the worker's figures.
// The ring is the order; the port beside it carries what an entry cannot hold. Counts wrap at 2^32 and are only compared
// for equality.

import type { PlanId } from './protocol.js';

/**
 * Entries given to a worker ahead of its answers: enough to hide their way (half as many take 1.6 times as long for
 * calls of a microsecond, bench/dispatch), few enough to be moved elsewhere. A power of two.
 */
export const SLOTS = 8;

/** A forward with more stored tensors goes as a message. */
export const MAX_BINDINGS = 506;

/** Two cache lines, as they are fetched: what different threads write stands apart. */
const APART = 32;
const BELL = 0;
const SUBMITTED = APART;
const POSTED = APART + 1;
const STARTED = 2 * APART;
const FINISHED = 2 * APART + 1;
const STATE = 2 * APART + 2;
const HELPING = 2 * APART + 3;
const FIGURES = 3 * APART;
const FIRST_SLOT = 4 * APART;

// A slot's words. A worker's answer takes the place of the kind.
const KIND = 0;
const MESSAGES = 1;
const PLAN = 2;
const SEGMENT = 3;
const ARENA = 4;
const COUNT = 5;
const BINDINGS = 6;
const SLOT_WORDS = BINDINGS + MAX_BINDINGS;

const BYTES = 4 * (FIRST_SLOT + SLOTS * SLOT_WORDS);

/** What an entry asks for: the forward in it, or the request that was posted just before it. */
export type Kind = 'forward' | 'message';
const KINDS: readonly Kind[] = ['forward', 'message'];

/** How an entry ended: with null as its result, or with the answer that was posted just before. */
export type Ending = 'null' | 'message';
const ENDINGS: readonly Ending[] = ['null', 'message'];

/** What a worker does: one that leads has parts for others, one that rests can be called to take them. */
export type State = 'asleep' | 'spinning' | 'working' | 'leading';
const STATES: readonly State[] = ['asleep', 'spinning', 'working', 'leading'];

/** What workers count, in seconds and times. They outlive the worker. */
const FIGURE_NAMES = ['busySeconds', 'calls', 'planSeconds', 'plans', 'parts', 'spins', 'sleeps'] as const;
export type Figure = (typeof FIGURE_NAMES)[number];

export interface RingForward {
  readonly plan: PlanId;
  readonly segment: number;
  readonly arena: number;
  readonly bindings: readonly number[];
}

const slotOf = (entry: number): number => FIRST_SLOT + (entry & (SLOTS - 1)) * SLOT_WORDS;

export class Ring {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly numbers: Uint32Array;
  private readonly figures: Float64Array;

  /** A new ring, or one that another thread made. */
  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.numbers = new Uint32Array(buffer);
    this.figures = new Float64Array(buffer, 4 * FIGURES, FIGURE_NAMES.length);
  }

  // The main thread's side.

  /** Before a worker starts; no other is alive on this ring. What was submitted and not answered is dropped. */
  reset(): void {
    const { words } = this;
    Atomics.store(words, STARTED, words[SUBMITTED]!);
    Atomics.store(words, FINISHED, words[SUBMITTED]!);
    Atomics.store(words, POSTED, 0);
    Atomics.store(words, HELPING, 0);
    this.state = 'asleep';
  }

  /** A message is on the port. */
  posted(): void {
    Atomics.add(this.words, POSTED, 1);
    this.ring();
  }

  /**
   * The caller has at most SLOTS entries that are not answered. `plan` is what the entry runs, for those who help, and
   * all of it where the kind is `forward`.
   */
  submit(kind: Kind, plan: RingForward | undefined): void {
    const { words, numbers } = this;
    const entry = words[SUBMITTED]!;
    const slot = slotOf(entry);
    words[slot + KIND] = KINDS.indexOf(kind);
    words[slot + MESSAGES] = words[POSTED]!;
    numbers[slot + PLAN] = plan?.plan ?? 0;
    if (plan) {
      const { bindings } = plan;
      numbers[slot + SEGMENT] = plan.segment;
      numbers[slot + ARENA] = plan.arena;
      numbers[slot + COUNT] = bindings.length;
      for (let i = 0; i < bindings.length; i++) numbers[slot + BINDINGS + i] = bindings[i]!;
    }
    Atomics.store(words, SUBMITTED, (entry + 1) | 0);
    this.ring();
  }

  /** How many entries were ever answered. */
  get finished(): number {
    return Atomics.load(this.words, FINISHED);
  }

  /** Of an entry that was answered and whose slot is not taken again. */
  endingOf(entry: number): Ending {
    return ENDINGS[this.words[slotOf(entry) + KIND]!]!;
  }

  /** An entry was begun and not answered. */
  get busy(): boolean {
    return Atomics.load(this.words, STARTED) !== Atomics.load(this.words, FINISHED);
  }

  figure(name: Figure): number {
    return this.figures[FIGURE_NAMES.indexOf(name)]!;
  }

  // The worker's side.

  get submittedAny(): boolean {
    return Atomics.load(this.words, SUBMITTED) !== this.words[FINISHED];
  }

  /** Another entry waits behind the one that runs. */
  get submittedMore(): boolean {
    return ((Atomics.load(this.words, SUBMITTED) - this.words[FINISHED]!) | 0) > 1;
  }

  get postedCount(): number {
    return Atomics.load(this.words, POSTED);
  }

  /** The number of the entry that now counts as begun. */
  begin(): number {
    const entry = this.words[FINISHED]!;
    Atomics.store(this.words, STARTED, (entry + 1) | 0);
    return entry;
  }

  kindOf(entry: number): Kind {
    return KINDS[this.words[slotOf(entry) + KIND]!]!;
  }

  /** How many messages were posted before the entry was submitted. */
  messagesBefore(entry: number): number {
    return this.words[slotOf(entry) + MESSAGES]!;
  }

  planOf(entry: number): PlanId {
    return this.numbers[slotOf(entry) + PLAN]!;
  }

  forwardAt(entry: number): RingForward {
    const { numbers } = this;
    const slot = slotOf(entry);
    const bindings: number[] = [];
    for (let i = 0; i < numbers[slot + COUNT]!; i++) bindings.push(numbers[slot + BINDINGS + i]!);
    return {
      plan: numbers[slot + PLAN]!,
      segment: numbers[slot + SEGMENT]!,
      arena: numbers[slot + ARENA]!,
      bindings,
    };
  }

  finish(entry: number, ending: Ending): void {
    this.words[slotOf(entry) + KIND] = ENDINGS.indexOf(ending);
    Atomics.store(this.words, FINISHED, (entry + 1) | 0);
  }

  count(name: Figure, by = 1): void {
    this.figures[FIGURE_NAMES.indexOf(name)]! += by;
  }

  // Both sides, and other workers.

  /** Wakes the worker. */
  ring(): void {
    Atomics.add(this.words, BELL, 1);
    Atomics.notify(this.words, BELL);
  }

  /** Changes with each ring of the bell. */
  get rung(): number {
    return Atomics.load(this.words, BELL);
  }

  /** Sleeps unless the bell has rung since `rung` was read. */
  sleep(rung: number): void {
    Atomics.wait(this.words, BELL, rung);
  }

  get state(): State {
    return STATES[Atomics.load(this.words, STATE)]!;
  }

  set state(state: State) {
    Atomics.store(this.words, STATE, STATES.indexOf(state));
  }

  /** The number of the worker in whose step this one takes a part. */
  get helping(): number | undefined {
    const helping = Atomics.load(this.words, HELPING);
    return helping === 0 ? undefined : helping - 1;
  }

  set helping(leader: number | undefined) {
    Atomics.store(this.words, HELPING, leader === undefined ? 0 : leader + 1);
  }
}
