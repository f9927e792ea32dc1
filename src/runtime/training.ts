// Training on a worker: rows of the data are copied into place, the plan computes the loss and its gradients, the
// optimizer changes the parameters where they stand. All of it in memory that belongs to one job.

import type { Kernels } from '../graph/kernels.js';
import type { Plan } from '../graph/plan.js';
import { runPlan, type Crew } from '../graph/run.js';
import { clipGradNorm, clipGradValue, totalNorm, type NormClip } from '../nn/optim/clip.js';
import { Lbfgs, type LbfgsPlace, type LbfgsState } from '../nn/optim/lbfgs.js';
import type { LbfgsSettings } from '../nn/optim/lbfgs-options.js';
import type { Settings } from '../nn/optim/optimizer.js';
import type { ElementwiseName } from '../nn/optim/table.js';
import { ParameterUpdate, type Place } from '../nn/optim/update.js';
import { viewAt } from './memory-view.js';
import type { PlanId } from './protocol.js';

/** Where an input of the plan comes from: rows of a tensor that stands in memory. */
export interface RowSource {
  readonly from: number;
  readonly to: number;
  readonly rowBytes: number;
}

/** A plan on rows of the data, batch after batch. */
interface Batches {
  readonly plan: PlanId;
  readonly segment: number;
  readonly arena: number;
  readonly bindings: readonly number[];
  readonly sources: readonly RowSource[];
  /** int32: the rows of the data in their order. */
  readonly order: number;
  /** Rows of each batch, and where in the order the first one begins. */
  readonly rows: number;
  readonly first: number;
  /** Address of the loss, a float32. */
  readonly loss: number;
}

export interface TrainOrder extends Batches {
  /** Hyperparameters of each step that is asked for, by parameter group. */
  readonly settings: readonly (readonly Settings[])[];
  readonly optimizer: ElementwiseName | LbfgsOrder;
  /** Whether the optimizer's state is there: what stands at its place is not read before. */
  readonly stateMade: boolean;
  readonly parameters: readonly { readonly group: number; readonly place: Place }[];
  readonly clip: Clip | null;
  /** Buffers that the plan gives new values: copied into place after each step. */
  readonly updates: readonly { readonly from: number; readonly to: number; readonly bytes: number }[];
  /** No step is begun later. */
  readonly budgetMs: number;
}

export interface Clip {
  readonly norm: NormClip | null;
  readonly value: number | null;
}

/** All parameters together; see src/nn/optim/lbfgs.ts. */
export interface LbfgsOrder {
  readonly place: LbfgsPlace;
  /** null: it begins. */
  readonly state: LbfgsState | null;
}

export interface TrainReport {
  /** One for each step that was made. */
  readonly losses: readonly number[];
  /** Total gradient norms, before clipping. */
  readonly norms: readonly number[];
  /** The last loss is not finite: that step changed no parameter. */
  readonly broken: boolean;
  /** Of LBFGS, after the last step. */
  readonly lbfgs?: LbfgsState;
}

export interface Bench {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly plan: Plan;
  readonly crew: Crew;
  /** Somebody waits for this worker. */
  readonly wanted: () => boolean;
}

/** Makes steps until all are made, time is up, or somebody else wants the worker: at least one. */
export function train(order: TrainOrder, bench: Bench): TrainReport {
  const { memory, wanted } = bench;
  const losses: number[] = [];
  const norms: number[] = [];
  const evaluation = evaluator(order, bench);
  const { optimizer } = order;
  const step = typeof optimizer === 'string' ? elementwise(order, bench) : lbfgs(optimizer, order, bench);
  const end = performance.now() + order.budgetMs;
  for (const [i, settings] of order.settings.entries()) {
    if (i > 0 && (performance.now() > end || wanted())) break;
    gather(memory, order, i);
    const loss = step.make(settings, evaluation.run);
    losses.push(loss);
    if (!Number.isFinite(loss)) return { losses, norms, broken: true };
    norms.push(evaluation.norm());
  }
  const state = step.state?.();
  return { losses, norms, broken: false, ...(state && { lbfgs: state }) };
}

interface Step {
  /** Makes a step, unless the loss is not finite; the loss before it. */
  make(settings: readonly Settings[], evaluate: () => number): number;
  state?(): LbfgsState;
}

/** Runs the plan: the loss, the gradients where they stand, clipped, and the next values of buffers. */
function evaluator(order: TrainOrder, { memory, kernels, plan, crew }: Bench) {
  const gradients = order.parameters.map(({ place: { gradient, numel } }) => ({ address: gradient, numel }));
  const losses = viewAt(memory, order.loss, 1, 'float32') as Float32Array;
  const { norm: normClip = null, value = null } = order.clip ?? {};
  let norm = 0;
  const run = (): number => {
    runPlan(plan, kernels, order, crew);
    const loss = losses[0]!;
    if (!Number.isFinite(loss)) return loss;
    norm = normClip ? clipGradNorm(kernels, gradients, normClip) : totalNorm(kernels, gradients);
    if (value !== null) clipGradValue(kernels, gradients, value);
    for (const { from, to, bytes } of order.updates) kernels.copy(from, to, bytes);
    return loss;
  };
  return { run, norm: () => norm };
}

function elementwise({ parameters, optimizer, stateMade }: TrainOrder, { memory, kernels }: Bench): Step {
  const floats = new Float32Array(memory.buffer);
  const updates = parameters.map(({ group, place }) => ({
    group,
    update: new ParameterUpdate(optimizer as ElementwiseName, place, { memory: floats, first: !stateMade }),
  }));
  return {
    make(settings, evaluate) {
      const loss = evaluate();
      if (!Number.isFinite(loss)) return loss;
      for (const { group, update } of updates) {
        update.begin(settings[group]!);
        update.update(kernels);
      }
      return loss;
    },
  };
}

function lbfgs({ place, state }: LbfgsOrder, { parameters }: TrainOrder, { kernels }: Bench): Step {
  const places = parameters.map((parameter) => parameter.place);
  const optimizer = new Lbfgs(kernels, places, place, state ?? undefined);
  return {
    make: ([settings], evaluate) => optimizer.step(evaluate, settings as LbfgsSettings),
    state: () => optimizer.state,
  };
}

export interface EvaluateOrder extends Batches {
  readonly count: number;
  readonly accuracy: Accuracy | null;
}

/** How outputs are right: the largest of a row is the target's number, or each is on the target's side of a threshold. */
export type Accuracy = {
  readonly output: number;
  readonly target: number;
} & ({ readonly classes: number } | { readonly threshold: number; readonly perRow: number });

export interface Evaluation {
  /** Of each batch. */
  readonly losses: readonly number[];
  readonly right: number;
  readonly judged: number;
}

/** Losses of batches, and how many of their outputs are right. */
export function evaluate(
  order: EvaluateOrder,
  { memory, kernels, plan, crew }: Omit<Bench, 'wanted'>,
): Evaluation {
  const losses: number[] = [];
  let [right, judged] = [0, 0];
  for (let i = 0; i < order.count; i++) {
    gather(memory, order, i);
    runPlan(plan, kernels, order, crew);
    losses.push(viewAt(memory, order.loss, 1, 'float32')[0]!);
    if (!order.accuracy) continue;
    const { accuracy, rows } = order;
    judged += 'classes' in accuracy ? rows : rows * accuracy.perRow;
    right += rightOnes(memory, accuracy, rows);
  }
  return { losses, right, judged };
}

function rightOnes(memory: WebAssembly.Memory, accuracy: Accuracy, rows: number): number {
  let right = 0;
  if ('classes' in accuracy) {
    const { classes } = accuracy;
    const outputs = viewAt(memory, accuracy.output, rows * classes, 'float32') as Float32Array;
    const targets = viewAt(memory, accuracy.target, rows, 'int64') as BigInt64Array;
    for (let i = 0; i < rows; i++) {
      let best = i * classes;
      for (let j = best + 1; j < (i + 1) * classes; j++) if (outputs[j]! > outputs[best]!) best = j;
      if (best - i * classes === Number(targets[i])) right++;
    }
    return right;
  }
  const count = rows * accuracy.perRow;
  const outputs = viewAt(memory, accuracy.output, count, 'float32') as Float32Array;
  const targets = viewAt(memory, accuracy.target, count, 'float32') as Float32Array;
  for (let i = 0; i < count; i++) if (outputs[i]! > accuracy.threshold === targets[i]! > 0.5) right++;
  return right;
}

/** Copies the rows of a batch; those that stand one after another in one piece. */
function gather(memory: WebAssembly.Memory, { order, rows, first, sources }: Batches, batch: number): void {
  const numbers = viewAt(memory, order + 4 * (first + batch * rows), rows, 'int32') as Int32Array;
  const bytes = new Uint8Array(memory.buffer);
  for (let i = 0; i < rows;) {
    let run = 1;
    while (i + run < rows && numbers[i + run] === numbers[i]! + run) run++;
    for (const { from, to, rowBytes } of sources) {
      const start = from + numbers[i]! * rowBytes;
      bytes.copyWithin(to + i * rowBytes, start, start + run * rowBytes);
    }
    i += run;
  }
}
