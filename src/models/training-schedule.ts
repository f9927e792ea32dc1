// How a job's hyperparameters change: by a scheduler, step by step or epoch by epoch.

import type { Settings } from '../nn/optim/optimizer.js';
import { Scheduler } from '../nn/optim/scheduler.js';
import type { SchedulerSpec } from '../nn/optim/schedulers.js';

/** When the scheduler goes on. */
export const PACES = ['epoch', 'step'] as const;
export type Pace = (typeof PACES)[number];

export interface Scheduled {
  readonly spec: SchedulerSpec;
  readonly pace: Pace;
}

/** A cycle without a length is as long as the training. */
function withLength(spec: SchedulerSpec, steps: () => number): SchedulerSpec {
  const { total_steps, epochs, steps_per_epoch } = spec.options;
  const open = [total_steps, epochs, steps_per_epoch].every((value) => value === undefined || value === null);
  if (spec.name !== 'OneCycleLR' || !open) return spec;
  return { ...spec, options: { ...spec.options, total_steps: steps() } };
}

export class Schedule {
  private readonly groups: readonly Settings[];
  private readonly scheduler: Scheduler | undefined;
  private readonly pace: Pace;
  /** Of steps that are to come. */
  private readonly planned: (readonly Settings[])[] = [];
  private last: readonly Settings[];
  private begun = false;

  /** `groups`: the settings of each parameter group, which the schedule changes from here on. `steps`: of the training. */
  constructor(groups: readonly Settings[], scheduled: Scheduled | undefined, steps: () => number) {
    this.groups = groups;
    this.scheduler = scheduled && new Scheduler(withLength(scheduled.spec, steps), groups);
    this.pace = scheduled?.pace ?? 'epoch';
    this.last = this.snapshot();
  }

  /** Of each parameter group, as of the last step. */
  get lr(): readonly number[] {
    return this.last.map(({ lr }) => lr);
  }

  /** The settings of the next steps. Throws ScheduleError where the schedule ends before. */
  ahead(steps: number): readonly (readonly Settings[])[] {
    while (this.planned.length < steps) {
      if (this.begun && this.pace === 'step') this.scheduler?.next();
      this.begun = true;
      this.planned.push(this.snapshot());
    }
    return this.planned.slice(0, steps);
  }

  stepsDone(steps: number): void {
    this.last = this.planned[steps - 1]!;
    this.planned.splice(0, steps);
  }

  /** `metric`: what the epoch came to. */
  epochDone(metric: number): void {
    if (this.pace === 'epoch') this.scheduler?.next(metric);
  }

  private snapshot(): readonly Settings[] {
    return this.groups.map((settings) => ({ ...settings }));
  }
}
