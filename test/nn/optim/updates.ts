// Parameters with their gradients and their optimizer's state in an arena, updated as a training job does.

import { ParameterUpdate, type Place } from '#src/nn/optim/update.js';
import { ELEMENTWISE, type ElementwiseName } from '#src/nn/optim/table.js';
import type { Settings } from '#src/nn/optim/optimizer.js';
import { parseOptimizer } from '#src/nn/optim/spec.js';
import type { Arena } from '../../kernels/instance.js';

/** Boundaries of ranges: [0, ..., numel]. */
export type Cuts = (numel: number) => readonly number[];
const whole: Cuts = (numel) => [0, numel];

export function settingsFor(name: string, options: object): Settings {
  const parsed = parseOptimizer({ name, ...options }, 'optimizer');
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return parsed.value.settings;
}

export class Updated {
  readonly place: Place;
  private readonly arena: Arena;
  private update: ParameterUpdate;
  private readonly name: ElementwiseName;

  constructor(
    arena: Arena,
    start: Float32Array,
    { name, settings }: { name: ElementwiseName; settings: Settings },
  ) {
    this.arena = arena;
    this.name = name;
    const state = ELEMENTWISE[name].state(settings).map(({ name: tensor, shape }) => {
      return [tensor, arena.space(shape === 'scalar' ? 1 : start.length)] as const;
    });
    this.place = {
      parameter: arena.place(start),
      gradient: arena.space(start.length),
      state: Object.fromEntries(state),
      numel: start.length,
    };
    this.update = this.made(true);
  }

  private made(first: boolean): ParameterUpdate {
    const memory = new Float32Array(this.arena.memory.buffer);
    return new ParameterUpdate(this.name, this.place, { memory, first });
  }

  /** As after a restart: what the update knows is what stands in the memory. */
  restore(): void {
    this.update = this.made(false);
  }

  step(gradient: Float32Array, settings: Settings, cuts = whole): void {
    this.arena.floats(this.place.gradient, this.place.numel).set(gradient);
    this.update.begin(settings);
    const at = cuts(this.place.numel);
    for (let i = 1; i < at.length; i++) this.update.update(this.arena.kernels, at[i - 1], at[i]);
  }

  get values(): Float32Array {
    return this.arena.read(this.place.parameter, this.place.numel);
  }

  state(tensor: string, numel = this.place.numel): Float32Array {
    return this.arena.read(this.place.state[tensor]!, numel);
  }
}
