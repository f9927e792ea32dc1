// What a learning rate scheduler is, and one at work: `next` after each epoch (or step, as the job counts), in PyTorch's
// chained form, float64. It changes its groups' settings; what else it remembers is plain data, to be stored as JSON.

import type { OptionDefinition } from '../layer.js';
import type { Options } from '../options.js';
import type { Setting, Settings } from './optimizer.js';

export type SchedulerOptions = Readonly<Record<string, Setting>>;

/** JSON as it stands; infinities are strings. */
export interface SchedulerState {
  last_epoch: number;
  base_lrs: number[];
  [name: string]: number | string | number[];
}

export interface SchedulerDefinition {
  /** In the order of PyTorch's constructor. */
  readonly options: readonly OptionDefinition[];
  /** What PyTorch's constructor raises, in its words. */
  check?(options: Options): string[];
  /** What does not fit the optimizer's groups, in PyTorch's words. */
  fit?(options: SchedulerOptions, groups: readonly Settings[]): string[];
  /** Makes the state that is its own; may change what the groups start from. Absent: there is none. */
  begin?(options: SchedulerOptions, groups: readonly Settings[]): Record<string, number | string | number[]>;
  /** Sets the groups' rates for `state.last_epoch`: 0 where it has just begun. Throws ScheduleError. */
  advance(
    options: SchedulerOptions,
    state: SchedulerState,
    groups: readonly Settings[],
    metric?: number,
  ): void;
  /** It is not advanced at its beginning, and needs a metric at every `next`. */
  readonly byMetric?: true;
}

/** A schedule that has no further step, or lacks what it needs. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

export class Scheduler {
  readonly state: SchedulerState;
  private readonly definition: SchedulerDefinition;
  private readonly options: SchedulerOptions;
  private readonly groups: readonly Settings[];

  /**
   * `groups`: settings that the optimizer's steps read, changed from here on. With the `state` of an earlier one it goes
   * on where that stood; the groups have to be as that left them.
   */
  constructor(
    { definition, options }: { definition: SchedulerDefinition; options: SchedulerOptions },
    groups: readonly Settings[],
    state?: SchedulerState,
  ) {
    this.definition = definition;
    this.options = options;
    this.groups = groups;
    this.state = state === undefined ? this.begin() : structuredClone(state);
  }

  /** The rates of the groups as they are now. */
  get rates(): number[] {
    return this.groups.map(({ lr }) => lr);
  }

  /** Goes on to the next epoch's rates, one for each group. `metric`: what ReduceLROnPlateau watches. */
  next(metric?: number): number[] {
    if (this.definition.byMetric && metric === undefined)
      throw new ScheduleError('the scheduler needs a metric at every step');
    this.state.last_epoch++;
    this.definition.advance(this.options, this.state, this.groups, metric);
    return this.rates;
  }

  private begin(): SchedulerState {
    const { definition, options, groups } = this;
    const own = definition.begin?.(options, groups);
    if (definition.byMetric) return { last_epoch: 0, base_lrs: this.rates, ...own };
    const base = groups.map((group) => (group.initial_lr ??= group.lr));
    const state: SchedulerState = { last_epoch: 0, base_lrs: base, ...own };
    definition.advance(options, state, groups);
    return state;
  }
}
