// Runs plans. What can be known before a run is found out once for each plan and thread; a run allocates nothing.

import type { Kernels } from './kernels.js';
import { OPS } from './ops.js';
import type { Addresses, Op, OpName, Run } from './op.js';
import type { Location, Plan, PlannedStep } from './plan.js';

/** Where a run's values stand: bytes in the kernels' memory. */
export interface Place {
  readonly arena: number;
  /** As the plan says (see Plan.inputBinding). */
  readonly bindings: ArrayLike<number>;
}

/** Threads that share the parts of a step. */
export interface Crew {
  /** Runs parts 0 ... parts - 1 of a step, each once, and returns when all are done. */
  share(step: number, parts: number, run: (part: number) => void): void;
}

/** Throws ValueError where a value is one that PyTorch refuses. */
export function runPlan(plan: Plan, kernels: Kernels, place: Place, crew?: Crew): void {
  const bound = boundSteps(plan);
  for (let i = 0; i < bound.length; i++) {
    const { step, run } = bound[i]!;
    if (crew && step.parts > 1 && mayShare(step, place)) {
      crew.share(i, step.parts, (part) => runPart(plan, kernels, place, { step: i, part }));
    } else {
      const at = addresses(step, place);
      for (let part = 0; part < step.parts; part++) run(kernels, scratchOf(at, step, place, part), part);
    }
  }
}

/** Without panels, parts of a product make some as they go along, all in the same scratch. */
function mayShare({ panels }: PlannedStep, { bindings }: Place): boolean {
  return panels === null || bindings[panels] !== 0;
}

/** Runs one part of one step. */
export function runPart(
  plan: Plan,
  kernels: Kernels,
  place: Place,
  { step: index, part }: { step: number; part: number },
): void {
  const { step, run } = boundSteps(plan)[index]!;
  run(kernels, scratchOf(addresses(step, place), step, place, part), part);
}

/** The address of a location. */
export function address(location: Location, { arena, bindings }: Place): number {
  return 'arena' in location ? arena + location.arena : bindings[location.bound]!;
}

interface BoundStep {
  readonly step: PlannedStep;
  readonly run: Run;
}

const known = new WeakMap<Plan, readonly BoundStep[]>();

function boundSteps(plan: Plan): readonly BoundStep[] {
  let bound = known.get(plan);
  if (!bound) {
    bound = plan.steps.map((step) => {
      const op: Op<OpName> = OPS[step.op];
      return { step, run: op.bind!(step, step.parts, step.activation) };
    });
    known.set(plan, bound);
  }
  return bound;
}

/** One for the thread: a step is done with it before the next begins. */
const shared: Addresses = { inputs: [], output: 0, scratch: 0, panels: 0 };

function addresses(step: PlannedStep, place: Place): Addresses {
  const { from } = step;
  for (let i = 0; i < from.length; i++) shared.inputs[i] = from[i] ? address(from[i]!, place) : 0;
  shared.output = address(step.to, place);
  shared.panels = step.panels === null ? 0 : place.bindings[step.panels]!;
  return shared;
}

function scratchOf(at: Addresses, step: PlannedStep, { arena }: Place, part: number): Addresses {
  at.scratch = arena + step.scratch + part * step.scratchStride;
  return at;
}
