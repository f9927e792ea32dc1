// OneCycleLR (Smith & Topin 2017): the rate rises to its maximum and falls to almost nothing, once; the momentum (or the
// first beta) goes the other way.

import { flag, float, lastEpoch, nullable } from './arguments.js';
import type { OptionDefinition } from '../layer.js';
import { numberOf, pythonRepr, type Options } from '../options.js';
import type { Settings } from './optimizer.js';
import { ScheduleError, type SchedulerDefinition, type SchedulerOptions } from './scheduler.js';

interface OneCycle extends SchedulerOptions {
  max_lr: number | readonly number[];
  total_steps: number | null;
  epochs: number | null;
  steps_per_epoch: number | null;
  pct_start: number;
  anneal_strategy: 'cos' | 'linear';
  cycle_momentum: boolean;
  base_momentum: number | readonly number[];
  max_momentum: number | readonly number[];
  div_factor: number;
  final_div_factor: number;
  three_phase: boolean;
}

const PER_GROUP = ['max_lr', 'max_momentum', 'base_momentum'] as const;

function perGroup(name: string, value?: number): OptionDefinition {
  const lengths = { minimum: 1, maximum: 1000 };
  return { name, kind: 'floats', lengths, orOne: true, ...(value !== undefined && { default: value }) };
}

function spread(value: number | readonly number[], groups: readonly Settings[]): number[] {
  return typeof value === 'number' ? groups.map(() => value) : [...value];
}

function stepsOf({ total_steps, epochs, steps_per_epoch }: OneCycle): number {
  return total_steps ?? epochs! * steps_per_epoch!;
}

/** Where a phase ends, and what it leads to from where the last one ended. */
interface Phase {
  readonly end: number;
  readonly rate: readonly [from: Rate, to: Rate];
  readonly momentum: readonly [from: Momentum, to: Momentum];
}
type Rate = 'base_lrs' | 'max_lrs' | 'min_lrs';
type Momentum = 'max_momenta' | 'base_momenta';

function phasesOf(options: OneCycle): Phase[] {
  const { pct_start, three_phase } = options;
  const total = stepsOf(options);
  const up: Phase = {
    end: pct_start * total - 1,
    rate: ['base_lrs', 'max_lrs'],
    momentum: ['max_momenta', 'base_momenta'],
  };
  if (!three_phase) {
    return [up, { end: total - 1, rate: ['max_lrs', 'min_lrs'], momentum: ['base_momenta', 'max_momenta'] }];
  }
  return [
    up,
    {
      end: 2 * pct_start * total - 2,
      rate: ['max_lrs', 'base_lrs'],
      momentum: ['base_momenta', 'max_momenta'],
    },
    { end: total - 1, rate: ['base_lrs', 'min_lrs'], momentum: ['max_momenta', 'max_momenta'] },
  ];
}

/** The phase of a step, and how far into it the step is. */
function phaseAt(options: OneCycle, step: number): { phase: Phase; part: number } {
  const phases = phasesOf(options);
  const at = phases.findIndex(({ end }, i) => step <= end || i === phases.length - 1);
  const start = phases[at - 1]?.end ?? 0;
  const phase = phases[at]!;
  if (phase.end === start)
    throw new ScheduleError(`a phase of the schedule has no steps (pct_start ${options.pct_start})`);
  return { phase, part: (step - start) / (phase.end - start) };
}

function between(strategy: 'cos' | 'linear', from: number, to: number, part: number): number {
  if (strategy === 'linear') return (to - from) * part + from;
  return to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1);
}

function cycleMomentum(group: Settings, momentum: number): void {
  if (group.betas === undefined) group.momentum = momentum;
  else group.betas = [momentum, ...group.betas.slice(1)];
}

export const OneCycleLR: SchedulerDefinition = {
  options: [
    perGroup('max_lr'),
    nullable({ name: 'total_steps', kind: 'int', minimum: 1 }),
    nullable({ name: 'epochs', kind: 'int', minimum: 1 }),
    nullable({ name: 'steps_per_epoch', kind: 'int', minimum: 1 }),
    float('pct_start', 0.3),
    { name: 'anneal_strategy', kind: 'string', choices: ['cos', 'linear'], default: 'cos' },
    flag('cycle_momentum', true),
    perGroup('base_momentum', 0.85),
    perGroup('max_momentum', 0.95),
    float('div_factor', 25),
    float('final_div_factor', 1e4),
    flag('three_phase', false),
    lastEpoch,
  ],
  check({ total_steps, epochs, steps_per_epoch, pct_start }: Options) {
    const faults: string[] = [];
    if (total_steps === null && (epochs === null || steps_per_epoch === null))
      faults.push('You must define either total_steps OR (epochs AND steps_per_epoch)');
    if (!(numberOf(pct_start!) >= 0 && numberOf(pct_start!) <= 1))
      faults.push(`Expected float between 0 and 1 pct_start, but got ${pythonRepr(pct_start!)}`);
    return faults;
  },
  fit(options, groups) {
    const faults = PER_GROUP.flatMap((name) => {
      const value = options[name];
      if (!Array.isArray(value) || value.length === groups.length) return [];
      const counts = `${name} has ${value.length} values, param_groups has ${groups.length}.`;
      return [`${name} must have the same length as optimizer.param_groups. ${counts}`];
    });
    const able = groups.every(({ momentum, betas }) => (momentum ?? betas) !== undefined);
    if (options.cycle_momentum === true && !able)
      faults.push('optimizer must support momentum or beta1 with `cycle_momentum` option enabled');
    return faults;
  },
  begin(given, groups) {
    const options = given as OneCycle;
    const max = spread(options.max_lr, groups);
    const momenta = {
      max_momenta: spread(options.max_momentum, groups),
      base_momenta: spread(options.base_momentum, groups),
    };
    for (const [at, group] of groups.entries()) {
      group.initial_lr = max[at]! / options.div_factor;
      if (options.cycle_momentum) cycleMomentum(group, momenta.max_momenta[at]!);
    }
    const min = groups.map((group) => group.initial_lr! / options.final_div_factor);
    return { max_lrs: max, min_lrs: min, ...momenta };
  },
  advance(given, state, groups) {
    const options = given as OneCycle;
    const [step, total] = [state.last_epoch, stepsOf(options)];
    if (step > total)
      throw new ScheduleError(`Tried to step ${step} times. The specified number of total steps is ${total}`);
    const { phase, part } = phaseAt(options, step);
    const value = ([from, to]: readonly [string, string], at: number): number => {
      const ends = [(state[from] as number[])[at]!, (state[to] as number[])[at]!] as const;
      return between(options.anneal_strategy, ...ends, part);
    };
    for (const [at, group] of groups.entries()) {
      group.lr = value(phase.rate, at);
      if (options.cycle_momentum) cycleMomentum(group, value(phase.momentum, at));
    }
  },
};
