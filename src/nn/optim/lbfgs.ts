// LBFGS at work (Liu & Nocedal 1989): the last steps and gradients' changes stand for the inverse Hessian.
// It evaluates the loss itself, several times a step. Vectors stand in the kernels' memory, where the caller gave them a
// place; the rest of the state is plain data. Formulas: torch.optim.LBFGS; sums run in float64 and in one order.

import type { Kernels } from '../../graph/kernels.js';
import type { Shape } from '../../tensor/shape.js';
import type { LbfgsSettings } from './lbfgs-options.js';
import { strongWolfe, type Line, type Point } from './line-search.js';

/** One of the parameters that are optimized together: addresses in bytes. */
export interface LbfgsParameter {
  readonly parameter: number;
  readonly gradient: number;
  readonly numel: number;
}

/** Where the state's vectors stand, and room that nothing is kept in from one step to the next. */
export type LbfgsPlace = Readonly<
  Record<'d' | 'prev_flat_grad' | 'old_dirs' | 'old_stps' | 'scratch', number>
>;

/** What `LbfgsPlace` has to have room for: float32 tensors, for `numel` elements of all parameters together. */
export function lbfgsTensors(
  numel: number,
  { history_size }: LbfgsSettings,
): Record<keyof LbfgsPlace, Shape> {
  const history: Shape = [history_size, numel];
  return { d: [numel], prev_flat_grad: [numel], old_dirs: history, old_stps: history, scratch: [4, numel] };
}

/** Numbers are float32, so that they are kept as tensors without loss. */
export interface LbfgsState {
  n_iter: number;
  func_evals: number;
  t: number;
  H_diag: number;
  prev_loss: number;
  /** One for each remembered step, the oldest first, as are the rows of old_dirs and old_stps that `order` names. */
  ro: number[];
  order: number[];
}

/** The least curvature that is remembered. */
const MIN_CURVATURE = 1e-10;

export class Lbfgs {
  readonly state: LbfgsState;
  private readonly kernels: Kernels;
  private readonly parameters: readonly LbfgsParameter[];
  private readonly place: LbfgsPlace;
  private readonly n: number;
  /** Of the parameters, before a line search; and three gradients, of which one is the current point's. */
  private readonly before: number;
  private readonly gradients: readonly number[];

  /** `state`: of an earlier one, whose vectors stand at `place`. */
  constructor(
    kernels: Kernels,
    parameters: readonly LbfgsParameter[],
    place: LbfgsPlace,
    state?: LbfgsState,
  ) {
    this.kernels = kernels;
    this.parameters = parameters;
    this.place = place;
    this.n = parameters.reduce((sum, { numel }) => sum + numel, 0);
    const [before, ...gradients] = [0, 1, 2, 3].map((row) => place.scratch + row * this.n * 4);
    this.before = before!;
    this.gradients = gradients;
    const fresh = { n_iter: 0, func_evals: 0, t: 0, H_diag: 1, prev_loss: 0, ro: [], order: [] };
    this.state = structuredClone(state ?? fresh);
  }

  /**
   * Up to `max_iter` steps. `evaluate` answers the loss of the parameters as they are, and leaves their gradients at the
   * addresses given; the first of these losses is answered.
   */
  step(evaluate: () => number, settings: LbfgsSettings): number {
    const { kernels, n, state } = this;
    const { lr, max_iter, max_eval, tolerance_grad, tolerance_change } = settings;
    let gradient = this.gradients[0]!;
    const firstLoss = this.evaluate(evaluate, gradient);
    let loss = firstLoss;
    let evaluations = 1;
    if (kernels.max_abs(gradient, n) <= tolerance_grad) return firstLoss;
    for (let iteration = 1; iteration <= max_iter; iteration++) {
      state.n_iter++;
      this.direct(gradient, settings.history_size);
      kernels.copy(gradient, this.place.prev_flat_grad, n * 4);
      state.prev_loss = Math.fround(loss);
      const before = loss;
      state.t = Math.fround(state.n_iter === 1 ? this.firstStep(gradient) * lr : lr);
      const slope = kernels.dot(gradient, this.place.d, n);
      if (slope > -tolerance_change) break;
      if (settings.line_search_fn === null) {
        this.move(state.t);
        if (iteration < max_iter) {
          loss = this.evaluate(evaluate, gradient);
          evaluations++;
        }
      } else {
        const start: Point = { t: 0, loss, slope, gradient };
        const found = strongWolfe(this.line(evaluate), start, state.t, max_eval - evaluations);
        ({ loss, gradient } = found.point);
        evaluations += found.evaluations;
        state.t = Math.fround(found.point.t);
        this.move(state.t);
      }
      const done =
        evaluations >= max_eval ||
        kernels.max_abs(gradient, n) <= tolerance_grad ||
        kernels.max_abs(this.place.d, n) * Math.abs(state.t) <= tolerance_change ||
        Math.abs(loss - before) < tolerance_change;
      if (done) break;
    }
    return firstLoss;
  }

  /** There is no curvature yet to tell how far. */
  private firstStep(gradient: number): number {
    const inverse = 1 / this.kernels.sum_abs(gradient, this.n);
    return inverse < 1 ? inverse : 1;
  }

  /** The loss here, and all gradients one after the other at an address. */
  private evaluate(evaluate: () => number, gradient: number): number {
    const loss = evaluate();
    this.state.func_evals++;
    let offset = gradient;
    for (const { gradient: from, numel } of this.parameters) {
      this.kernels.copy(from, offset, numel * 4);
      offset += numel * 4;
    }
    return loss;
  }

  /** Goes so far along the direction. */
  private move(t: number): void {
    let offset = this.place.d;
    for (const { parameter, numel } of this.parameters) {
      this.kernels.axpy(offset, parameter, numel, t);
      offset += numel * 4;
    }
  }

  private line(evaluate: () => number): Line {
    const { kernels, n, parameters, before, place } = this;
    const copyParameters = (copy: (parameter: number, kept: number, bytes: number) => void): void => {
      let offset = before;
      for (const { parameter, numel } of parameters) {
        copy(parameter, offset, numel * 4);
        offset += numel * 4;
      }
    };
    copyParameters((parameter, kept, bytes) => kernels.copy(parameter, kept, bytes));
    return {
      length: kernels.max_abs(place.d, n),
      gradients: this.gradients,
      evaluate: (t, gradient) => {
        this.move(t);
        const loss = this.evaluate(evaluate, gradient);
        copyParameters((parameter, kept, bytes) => kernels.copy(kept, parameter, bytes));
        return { t, loss, slope: kernels.dot(gradient, place.d, n), gradient };
      },
    };
  }

  /** Remembers the last step, and makes the next direction of the gradient. */
  private direct(gradient: number, historySize: number): void {
    const { kernels, n, place, state } = this;
    const { d } = place;
    if (state.n_iter === 1) {
      kernels.scale(gradient, d, n, -1);
      return;
    }
    this.remember(gradient, historySize);
    const { order, ro } = state;
    const row = (vector: 'old_dirs' | 'old_stps', at: number): number => place[vector] + order[at]! * n * 4;
    const alphas: number[] = [];
    kernels.scale(gradient, d, n, -1);
    for (let at = order.length - 1; at >= 0; at--) {
      alphas[at] = kernels.dot(row('old_stps', at), d, n) * ro[at]!;
      kernels.axpy(row('old_dirs', at), d, n, -alphas[at]!);
    }
    kernels.scale(d, d, n, state.H_diag);
    for (let at = 0; at < order.length; at++) {
      const beta = kernels.dot(row('old_dirs', at), d, n) * ro[at]!;
      kernels.axpy(row('old_stps', at), d, n, alphas[at]! - beta);
    }
  }

  /** Adds the last step and the gradient's change over it, in the place of the oldest when there is no other. */
  private remember(gradient: number, historySize: number): void {
    const { kernels, n, place, state } = this;
    // Both are made where what they are made of is not needed any more.
    const [change, step] = [place.prev_flat_grad, place.d];
    kernels.scale(change, change, n, -1);
    kernels.axpy(gradient, change, n, 1);
    kernels.scale(step, step, n, state.t);
    const curvature = kernels.dot(change, step, n);
    if (!(curvature > MIN_CURVATURE)) return;
    let row = state.order.length;
    if (row === historySize) {
      row = state.order.shift()!;
      state.ro.shift();
    }
    state.order.push(row);
    state.ro.push(Math.fround(1 / curvature));
    state.H_diag = Math.fround(curvature / kernels.dot(change, change, n));
    kernels.copy(change, place.old_dirs + row * n * 4, n * 4);
    kernels.copy(step, place.old_stps + row * n * 4, n * 4);
  }
}
