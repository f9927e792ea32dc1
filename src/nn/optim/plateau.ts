// ReduceLROnPlateau: the rate is multiplied by a factor when a metric has not got better for a while.

import { float } from './arguments.js';
import { numberOf } from '../options.js';
import type { SchedulerDefinition, SchedulerOptions } from './scheduler.js';

interface Plateau extends SchedulerOptions {
  mode: 'min' | 'max';
  factor: number;
  patience: number;
  threshold: number;
  threshold_mode: 'rel' | 'abs';
  cooldown: number;
  min_lr: number | readonly number[];
  eps: number;
}

function isBetter({ mode, threshold, threshold_mode }: Plateau, metric: number, best: number): boolean {
  if (mode === 'min') return metric < (threshold_mode === 'rel' ? best * (1 - threshold) : best - threshold);
  return metric > (threshold_mode === 'rel' ? best * (threshold + 1) : best + threshold);
}

export const ReduceLROnPlateau: SchedulerDefinition = {
  options: [
    { name: 'mode', kind: 'string', choices: ['min', 'max'], default: 'min' },
    float('factor', 0.1),
    { name: 'patience', kind: 'int', minimum: 0, default: 10 },
    float('threshold', 1e-4),
    { name: 'threshold_mode', kind: 'string', choices: ['rel', 'abs'], default: 'rel' },
    { name: 'cooldown', kind: 'int', minimum: 0, default: 0 },
    { name: 'min_lr', kind: 'floats', lengths: { minimum: 1, maximum: 1000 }, orOne: true, default: 0 },
    float('eps', 1e-8),
  ],
  byMetric: true,
  check: ({ factor }) => (numberOf(factor!) >= 1 ? ['Factor should be < 1.0.'] : []),
  fit: ({ min_lr }, groups) =>
    Array.isArray(min_lr) && min_lr.length !== groups.length
      ? [`expected ${groups.length} min_lrs, got ${min_lr.length}`]
      : [],
  begin: ({ mode }) => ({
    best: mode === 'min' ? 'Infinity' : '-Infinity',
    cooldown_counter: 0,
    num_bad_epochs: 0,
  }),
  advance(options, state, groups, metric) {
    const { factor, patience, cooldown, min_lr, eps } = options as Plateau;
    let [bad, cooling] = [state.num_bad_epochs as number, state.cooldown_counter as number];
    if (isBetter(options as Plateau, metric!, Number(state.best))) {
      state.best = Number.isFinite(metric) ? metric! : String(metric);
      bad = 0;
    } else {
      bad++;
    }
    if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
    if (bad > patience) {
      for (const [at, group] of groups.entries()) {
        const least = typeof min_lr === 'number' ? min_lr : min_lr[at]!;
        const reduced = Math.max(group.lr * factor, least);
        if (group.lr - reduced > eps) group.lr = reduced;
      }
      [cooling, bad] = [cooldown, 0];
    }
    [state.num_bad_epochs, state.cooldown_counter] = [bad, cooling];
  },
};
