// torch.optim.lr_scheduler's schedules, and the table of all schedulers. Their formulas are PyTorch's recursive ones, so
// that a rate that is changed from outside is taken from there on.

import type { Fault } from '../../errors.js';
import { didYouMean } from '../../nearest.js';
import { float, lastEpoch } from './arguments.js';
import type { OptionDefinition } from '../layer.js';
import { MAX_INT, numberOf, shown, type Options } from '../options.js';
import { OneCycleLR } from './one-cycle.js';
import { ReduceLROnPlateau } from './plateau.js';
import type { SchedulerDefinition, SchedulerOptions } from './scheduler.js';
import { checkedSettings, faulty, type Checked } from './settings.js';

/** What a rate follows from, besides the options. */
interface Epoch {
  /** 0: the schedule begins. */
  readonly epoch: number;
  readonly lr: number;
  /** The group's rate before the schedule. */
  readonly base: number;
}

type Numbers = Readonly<Record<string, number>>;

function int(name: string, minimum: number, value?: number): OptionDefinition {
  return { name, kind: 'int', minimum, ...(value !== undefined && { default: value }) };
}

/** A schedule whose rates follow from the epoch and the rate before, each group for itself. */
function recursive(
  options: readonly OptionDefinition[],
  rate: (options: Numbers, epoch: Epoch) => number,
  check?: (options: Options) => string[],
): SchedulerDefinition {
  return {
    options: [...options, lastEpoch],
    ...(check && { check }),
    advance(given, { last_epoch: epoch, base_lrs }, groups) {
      for (const [at, group] of groups.entries())
        group.lr = rate(given as Numbers, { epoch, lr: group.lr, base: base_lrs[at]! });
    },
  };
}

const StepLR = recursive([int('step_size', 1), float('gamma', 0.1)], ({ step_size, gamma }, { epoch, lr }) =>
  epoch === 0 || epoch % step_size! !== 0 ? lr : lr * gamma!,
);

const MultiStepLR: SchedulerDefinition = {
  options: [
    { name: 'milestones', kind: 'ints', minimum: 0, lengths: { minimum: 0, maximum: 10_000 } },
    float('gamma', 0.1),
    lastEpoch,
  ],
  advance({ milestones, gamma }, { last_epoch }, groups) {
    const times = [milestones as number | readonly number[]]
      .flat()
      .filter((epoch) => epoch === last_epoch).length;
    if (times === 0) return;
    for (const group of groups) group.lr *= (gamma as number) ** times;
  },
};

const ConstantLR = recursive(
  [float('factor', 1 / 3), int('total_iters', 0, 5)],
  ({ factor, total_iters }, { epoch, lr }) => {
    if (epoch === 0) return lr * factor!;
    return epoch === total_iters ? lr * (1 / factor!) : lr;
  },
  ({ factor }) =>
    numberOf(factor!) > 1 || numberOf(factor!) < 0
      ? ['Constant multiplicative factor expected to be between 0 and 1.']
      : [],
);

const LinearLR = recursive(
  [float('start_factor', 1 / 3), float('end_factor', 1), int('total_iters', 0, 5)],
  ({ start_factor: start, end_factor: end, total_iters: total }, { epoch, lr }) => {
    if (epoch === 0) return lr * start!;
    if (epoch > total!) return lr;
    return lr * (1 + (end! - start!) / (total! * start! + (epoch - 1) * (end! - start!)));
  },
  ({ start_factor, end_factor }) => {
    const [start, end] = [numberOf(start_factor!), numberOf(end_factor!)];
    const faults: string[] = [];
    if (!(start > 0 && start <= 1))
      faults.push('Starting multiplicative factor expected to be greater than 0 and less or equal to 1.');
    if (!(end >= 0 && end <= 1)) faults.push('Ending multiplicative factor expected to be between 0 and 1.');
    return faults;
  },
);

const ExponentialLR = recursive([{ name: 'gamma', kind: 'float' }], ({ gamma }, { epoch, lr }) =>
  epoch === 0 ? lr : lr * gamma!,
);

const PolynomialLR = recursive(
  [int('total_iters', 1, 5), float('power', 1)],
  ({ total_iters: total, power }, { epoch, lr }) => {
    if (epoch === 0 || epoch > total!) return lr;
    return lr * ((1 - epoch / total!) / (1 - (epoch - 1) / total!)) ** power!;
  },
);

const CosineAnnealingLR = recursive(
  [int('T_max', 1), float('eta_min', 0)],
  ({ T_max: half, eta_min: least }, { epoch, lr, base }) => {
    if (epoch === 0) return lr;
    // From its lowest point there is no ratio to go on by.
    if ((epoch - 1 - half!) % (2 * half!) === 0)
      return lr + ((base - least!) * (1 - Math.cos(Math.PI / half!))) / 2;
    const now = 1 + Math.cos((Math.PI * epoch) / half!);
    const before = 1 + Math.cos((Math.PI * (epoch - 1)) / half!);
    return (now / before) * (lr - least!) + least!;
  },
);

const CosineAnnealingWarmRestarts: SchedulerDefinition = {
  options: [int('T_0', 1), int('T_mult', 1, 1), float('eta_min', 0), lastEpoch],
  begin: ({ T_0 }) => ({ T_cur: -1, T_i: T_0 as number }),
  advance(options, state, groups) {
    const { T_mult, eta_min: least } = options as Numbers;
    let [now, cycle] = [(state.T_cur as number) + 1, state.T_i as number];
    if (now >= cycle) [now, cycle] = [now % cycle, Math.min(cycle * T_mult!, MAX_INT)];
    [state.T_cur, state.T_i] = [now, cycle];
    for (const [at, group] of groups.entries())
      group.lr = least! + ((state.base_lrs[at]! - least!) * (1 + Math.cos((Math.PI * now) / cycle))) / 2;
  },
};

const TYPES = {
  StepLR,
  MultiStepLR,
  ConstantLR,
  LinearLR,
  ExponentialLR,
  PolynomialLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  OneCycleLR,
  ReduceLROnPlateau,
} satisfies Record<string, SchedulerDefinition>;

export type SchedulerName = keyof typeof TYPES;

/** The one table of schedulers, by PyTorch's names. */
export const SCHEDULERS: Readonly<Record<SchedulerName, SchedulerDefinition>> = TYPES;

export interface SchedulerSpec {
  readonly name: SchedulerName;
  readonly definition: SchedulerDefinition;
  readonly options: SchedulerOptions;
}

/** A scheduler as a client writes it: `{"name": "StepLR", "step_size": 30}`. Everything wrong is reported at once. */
export function parseScheduler(given: unknown, path: string): Checked<SchedulerSpec> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return faulty(path, `must be an object with a name and options, got ${shown(given)}`);
  const { name: written, ...options } = given as Record<string, unknown>;
  if (typeof written !== 'string')
    return faulty(`${path}.name`, `must be a scheduler's name, got ${shown(written)}`);
  const plain = written.replace(/^(torch\.)?(optim\.)?(lr_scheduler\.)?/, '');
  const names = Object.keys(SCHEDULERS);
  if (!Object.hasOwn(SCHEDULERS, plain)) {
    const hint = didYouMean(plain, names) || `; known are ${names.join(', ')}`;
    return faulty(`${path}.name`, `unknown scheduler ${shown(written)}${hint}`);
  }
  const name = plain as SchedulerName;
  const definition = SCHEDULERS[name];
  const faults: Fault[] = [];
  const settings = checkedSettings({ type: name, definition }, options, path, faults);
  return faults.length > 0 ? { faults } : { value: { name, definition, options: settings } };
}
