// Schedules against PyTorch's, over 200 steps of two groups.

import { describe, expect, it } from 'vitest';
import type { Settings } from '#src/nn/optim/optimizer.js';
import { Scheduler, ScheduleError, type SchedulerState } from '#src/nn/optim/scheduler.js';
import { parseScheduler, type SchedulerSpec } from '#src/nn/optim/schedulers.js';
import { fixture } from './fixture.js';
import { settingsFor } from './updates.js';

function parsed(name: string, options: object): SchedulerSpec {
  const spec = parseScheduler({ name, ...options }, 'scheduler');
  if ('faults' in spec) throw new Error(JSON.stringify(spec.faults));
  return spec.value;
}

function faults(given: unknown): string[] {
  const spec = parseScheduler(given, 'scheduler');
  return 'faults' in spec ? spec.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

function groupsOf(optimizer: string): Settings[] {
  const momentum = optimizer === 'SGD' ? { momentum: 0.9 } : {};
  return [0.1, 0.02].map((lr) => settingsFor(optimizer, { lr, ...momentum }));
}

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  for (const [at, value] of expected.entries())
    expect(Math.abs(actual[at]! - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value) + 1e-17);
}

const momentumOf = ({ betas, momentum }: Settings): number => betas?.[0] ?? momentum!;

describe.each(
  fixture.schedules.map((schedule) => ({ ...schedule, shown: JSON.stringify(schedule.options) })),
)('$name $shown of $optimizer', ({ optimizer, name, options, rates, momenta, metrics }) => {
  const { definition, options: checked } = parsed(name, options);

  it("has PyTorch's rates (and momenta) within 1e-12 over 200 steps", () => {
    const groups = groupsOf(optimizer);
    expect(definition.fit?.(checked, groups) ?? []).toEqual([]);
    const scheduler = new Scheduler({ definition, options: checked }, groups);
    for (const [step, expected] of rates.entries()) {
      expectNear(step === 0 ? scheduler.rates : scheduler.next(metrics?.[step]), expected);
      if (momenta) expectNear(groups.map(momentumOf), momenta[step]!);
    }
  });

  it('goes on from its state, written as JSON at every step, as if it had never stopped', () => {
    let groups = groupsOf(optimizer);
    let scheduler = new Scheduler({ definition, options: checked }, groups);
    const whole = new Scheduler({ definition, options: checked }, groupsOf(optimizer));
    for (let step = 1; step <= 200; step++) {
      groups = JSON.parse(JSON.stringify(groups)) as Settings[];
      const state = JSON.parse(JSON.stringify(scheduler.state)) as SchedulerState;
      scheduler = new Scheduler({ definition, options: checked }, groups, state);
      expect(scheduler.next(metrics?.[step])).toEqual(whole.next(metrics?.[step]));
    }
  });
});

describe("what PyTorch's constructors raise is refused in their words", () => {
  it.each(fixture.schedules_refused.map(({ name, options, message }) => [name, options, message] as const))(
    '%s %j',
    (name, options, message) => {
      const spec = parseScheduler({ name, ...options }, 'scheduler');
      const told =
        'faults' in spec
          ? spec.faults.map((fault) => fault.message)
          : spec.value.definition.fit!(spec.value.options, groupsOf('SGD'));
      expect(told).toEqual([message]);
    },
  );
});

describe('a scheduler', () => {
  it.each([
    [7, ['scheduler: must be an object with a name and options, got 7']],
    [{ step_size: 3 }, ["scheduler.name: must be a scheduler's name, got nothing"]],
    [{ name: 'StepRL' }, ['scheduler.name: unknown scheduler "StepRL"; did you mean StepLR?']],
    [{ name: '__proto__' }, [expect.stringContaining('unknown scheduler "__proto__"; known are StepLR')]],
    [
      { name: 'lr_scheduler.StepLR', step_sise: 3, gamma: 'x' },
      [
        'scheduler.step_sise: unknown option of StepLR; did you mean step_size?',
        'scheduler.step_size: StepLR needs step_size',
        'scheduler.gamma: must be a number, got "x"',
      ],
    ],
    [
      { name: 'OneCycleLR', max_lr: 'high', total_steps: 0 },
      [
        'scheduler.max_lr: must be a number or a list of 1 to 1000 numbers, got "high"',
        'scheduler.total_steps: must be an integer from 1 to 2147483647 or null, got 0',
      ],
    ],
    [
      { name: 'ExponentialLR', gamma: 0.9, last_epoch: 5 },
      ['scheduler.last_epoch: only -1 is supported, got 5'],
    ],
  ])('%j is refused with everything that is wrong', (given, messages) => {
    expect(faults(given)).toEqual(messages);
  });

  it('cycles no momentum that an optimizer does not have', () => {
    const { definition, options } = parsed('OneCycleLR', { max_lr: 0.1, total_steps: 10 });
    expect(definition.fit!(options, groupsOf('Adagrad'))).toEqual([
      'optimizer must support momentum or beta1 with `cycle_momentum` option enabled',
    ]);
  });

  it('ends with an error where its steps do', () => {
    const scheduler = new Scheduler(parsed('OneCycleLR', { max_lr: 0.1, total_steps: 3 }), groupsOf('SGD'));
    for (let step = 0; step < 3; step++) scheduler.next();
    expect(() => scheduler.next()).toThrow(
      new ScheduleError('Tried to step 4 times. The specified number of total steps is 3'),
    );
  });

  it('without a metric says that it needs one', () => {
    const scheduler = new Scheduler(parsed('ReduceLROnPlateau', {}), groupsOf('SGD'));
    expect(() => scheduler.next()).toThrow(ScheduleError);
  });

  it('takes an infinite metric for what it is', () => {
    const groups = groupsOf('SGD');
    const spec = parsed('ReduceLROnPlateau', { patience: 0 });
    const scheduler = new Scheduler(spec, groups);
    scheduler.next(-Infinity);
    const state = JSON.parse(JSON.stringify(scheduler.state)) as SchedulerState;
    expect(new Scheduler(spec, groups, state).next(-1e300)).toEqual([0.1 * 0.1, 0.02 * 0.1]);
  });
});
