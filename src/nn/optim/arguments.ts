// The options that optimizers share, and PyTorch's checks of them in PyTorch's words.

import { flag, float, nullable } from '../layers/arguments.js';
import type { OptionDefinition } from '../layer.js';
import { numberOf, pythonRepr, type Options, type OptionValue } from '../options.js';

export { flag, float, nullable };

export function pair(name: string, value: readonly [number, number]): OptionDefinition {
  return { name, kind: 'floats', lengths: { minimum: 2, maximum: 2 }, default: value };
}

/** PyTorch's schedulers resume by it; here a schedule is resumed by its state. */
export const lastEpoch: OptionDefinition = { name: 'last_epoch', kind: 'int', default: -1, supported: [-1] };

/** Which of PyTorch's implementations runs; there is one here, so that only the defaults say something true. */
const IMPLEMENTATIONS = {
  foreach: { ...nullable({ name: 'foreach', kind: 'bool' }), supported: [null, false] },
  fused: { ...nullable({ name: 'fused', kind: 'bool' }), supported: [null, false] },
  capturable: { ...flag('capturable', false), supported: [false] },
  differentiable: { ...flag('differentiable', false), supported: [false] },
} satisfies Record<string, OptionDefinition>;

export function implementation(...names: (keyof typeof IMPLEMENTATIONS)[]): OptionDefinition[] {
  return names.map((name) => IMPLEMENTATIONS[name]);
}

export const maximize = flag('maximize', false);

/** What PyTorch calls an option in its messages where it is not `<name> value`. */
const SPOKEN = new Map([
  ['lr', 'learning rate'],
  ['eps', 'epsilon value'],
]);

/** `Invalid learning rate: -1` where the option is negative or NaN. */
export function notNegative(options: Options, ...names: string[]): string[] {
  return names.flatMap((name) => (0 <= numberOf(options[name]!) ? [] : [invalid(name, options[name]!)]));
}

export function invalid(name: string, value: OptionValue): string {
  return `Invalid ${SPOKEN.get(name) ?? `${name} value`}: ${pythonRepr(value)}`;
}

export function badBetas({ betas }: Options): string[] {
  return (betas as OptionValue[]).flatMap((beta, index) =>
    numberOf(beta) >= 0 && numberOf(beta) < 1
      ? []
      : [`Invalid beta parameter at index ${index}: ${pythonRepr(beta)}`],
  );
}
