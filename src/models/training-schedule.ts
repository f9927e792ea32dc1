// How a job's hyperparameters change: by a scheduler, step by step or epoch by epoch.

import type { Settings } from '../nn/optim/optimizer.js';

export class Schedule {
  private groups: readonly Settings[];
  /** Of steps that are to come. */
  private readonly planned: (readonly Settings[])[] = [];
  private last: readonly Settings[];

  constructor(groups: readonly Settings[], _scheduler: unknown) {
    this.groups = groups;
    this.last = groups;
  }

  /** Of each parameter group, as of the last step. */
  get lr(): readonly number[] {
    return this.last.map(({ lr }) => lr);
  }

  /** The settings of the next steps. */
  ahead(steps: number): readonly (readonly Settings[])[] {
    while (this.planned.length < steps) this.planned.push(this.groups);
    return this.planned.slice(0, steps);
  }

  stepsDone(steps: number): void {
    this.last = this.planned[steps - 1]!;
    this.planned.splice(0, steps);
  }
}
