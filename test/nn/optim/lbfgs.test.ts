// LBFGS against PyTorch's on two functions, from the same points with the same options.

import { describe, expect, it } from 'vitest';
import { Lbfgs, lbfgsTensors, type LbfgsPlace, type LbfgsState } from '#src/nn/optim/lbfgs.js';
import type { LbfgsSettings } from '#src/nn/optim/lbfgs-options.js';
import { numel } from '#src/tensor/shape.js';
import { Arena, bits } from '../../kernels/instance.js';
import { fixture } from './fixture.js';
import { settingsFor } from './updates.js';

const arena = new Arena();

type Gradient = (x: Float32Array, gradient: Float32Array) => number;

const FUNCTIONS: Record<'quadratic' | 'rosenbrock', Gradient> = {
  quadratic(x, gradient) {
    let loss = 0;
    for (const [i, value] of x.entries()) {
      const curvature = 1 + (9 * i) / (x.length - 1);
      loss += 0.5 * curvature * (value - 1) ** 2;
      gradient[i] = curvature * (value - 1);
    }
    return loss;
  },
  rosenbrock(x, gradient) {
    const exact = new Float64Array(x.length);
    let loss = 0;
    for (let i = 0; i + 1 < x.length; i++) {
      const [a, b] = [x[i]!, x[i + 1]!];
      loss += 100 * (b - a ** 2) ** 2 + (1 - a) ** 2;
      exact[i]! += -400 * a * (b - a ** 2) - 2 * (1 - a);
      exact[i + 1]! += 200 * (b - a ** 2);
    }
    gradient.set(exact);
    return loss;
  },
};

/** Two parameters that hold one vector between them, as a model's do. */
class Problem {
  private readonly optimizer: Lbfgs;
  private readonly place: LbfgsPlace;
  readonly settings: LbfgsSettings;
  private readonly x: number;
  private readonly gradient: number;
  private readonly n: number;
  private readonly evaluate: Gradient;

  constructor(name: 'quadratic' | 'rosenbrock', start: readonly number[], options: object) {
    arena.clear();
    this.n = start.length;
    this.evaluate = FUNCTIONS[name];
    this.settings = settingsFor('LBFGS', options) as LbfgsSettings;
    this.x = arena.place(Float32Array.from(start));
    this.gradient = arena.space(this.n);
    const tensors = Object.entries(lbfgsTensors(this.n, this.settings));
    this.place = Object.fromEntries(
      tensors.map(([tensor, shape]) => [tensor, arena.space(numel(shape))]),
    ) as unknown as LbfgsPlace;
    this.optimizer = this.made();
  }

  made(state?: LbfgsState): Lbfgs {
    const [x, gradient, n] = [this.x, this.gradient, this.n];
    const parameters = [
      { parameter: x, gradient, numel: 1 },
      { parameter: x + 4, gradient: gradient + 4, numel: n - 1 },
    ];
    return new Lbfgs(arena.kernels, parameters, this.place, state);
  }

  step(optimizer = this.optimizer): number {
    const [x, gradient] = [arena.floats(this.x, this.n), arena.floats(this.gradient, this.n)];
    return optimizer.step(() => this.evaluate(x, gradient), this.settings);
  }

  get state(): LbfgsState {
    return this.optimizer.state;
  }

  get point(): Float32Array {
    return arena.read(this.x, this.n);
  }
}

describe.each(
  fixture.minimised.map((run) => ({ ...run, n: run.start.length, shown: JSON.stringify(run.options) })),
)('$function of $n with $shown', (run) => {
  const made = (): Problem => new Problem(run.function, run.start, run.options);

  it("goes PyTorch's way, in as many evaluations, until float32's rounding counts", () => {
    const problem = made();
    let compared = 0;
    for (const [step, loss] of run.losses.entries()) {
      // PyTorch ran in float64.
      const next = run.losses[step + 1];
      if (next === undefined || next < 1e-2) break;
      expect(Math.abs(problem.step() - loss)).toBeLessThanOrEqual(3e-3 * loss);
      expect(problem.state).toMatchObject({ func_evals: run.func_evals[step], n_iter: run.n_iter[step] });
      for (const [i, value] of run.points[step]!.entries())
        expect(Math.abs(problem.point[i]! - value)).toBeLessThanOrEqual(1e-3 * (1 + Math.abs(value)));
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
    expect(arena.intact()).toBe(true);
  });

  it('with its state taken up again at every step leaves the same bits', () => {
    const whole = made();
    for (let step = 0; step < 6; step++) whole.step();
    const expected = bits(whole.point);
    const problem = made();
    let optimizer = problem.made();
    for (let step = 0; step < 6; step++) {
      problem.step(optimizer);
      optimizer = problem.made(JSON.parse(JSON.stringify(optimizer.state)) as LbfgsState);
    }
    expect(bits(problem.point)).toEqual(expected);
  });
});

describe('LBFGS', () => {
  it.each([
    ['quadratic', Array.from({ length: 65 }, (_, i) => i % 7)],
    ['rosenbrock', [-1.2, 1]],
    ['rosenbrock', Array.from({ length: 17 }, (_, i) => 0.5 + (i % 3) / 2)],
  ] as const)('with the line search finds the minimum of the %s function', (name, start) => {
    const problem = new Problem(name, start, { line_search_fn: 'strong_wolfe', max_iter: 300 });
    problem.step();
    expect(problem.step()).toBeLessThan(1e-6);
    expect(Math.max(...problem.point.map((value) => Math.abs(value - 1)))).toBeLessThan(1e-2);
  });

  it('keeps no more than history_size steps, the newest', () => {
    const problem = new Problem('rosenbrock', [-1.2, 1], { history_size: 3, line_search_fn: 'strong_wolfe' });
    problem.step();
    expect([...problem.state.order].sort()).toEqual([0, 1, 2]);
    expect(problem.state.ro).toHaveLength(3);
    expect(arena.intact()).toBe(true);
  });

  it('does nothing at a minimum', () => {
    const problem = new Problem('quadratic', [1, 1, 1], {});
    expect(problem.step()).toBe(0);
    expect(problem.state).toMatchObject({ func_evals: 1, n_iter: 0 });
    expect([...problem.point]).toEqual([1, 1, 1]);
  });
});
