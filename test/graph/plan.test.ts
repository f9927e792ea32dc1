import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePlan, type Location, type Plan } from '#src/graph/plan.js';
import { packedBytes } from '#src/graph/panels.js';
import { address, runPart, runPlan, type Crew } from '#src/graph/run.js';
import { Tracer, type Value } from '#src/graph/tracer.js';
import { byteLength } from '#src/tensor/shape.js';
import { isPointwise } from '#src/graph/ops-pointwise.js';
import { Arena, noise } from '../kernels/instance.js';

const { kernels, memory } = new Arena();
const ARENA = 65536;

type Layer = { op: 'linear'; out: number } | { op: 'relu' | 'tanh' | 'softmax' | 'flatten' };

const layer: fc.Arbitrary<Layer> = fc.oneof(
  fc.record({ op: fc.constant('linear' as const), out: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    op: fc.constantFrom('relu' as const, 'tanh' as const, 'softmax' as const, 'flatten' as const),
  }),
);

/** A chain of layers with weights of one value each, and the plan of it. */
function chain(layers: readonly Layer[], rows: number, features: number) {
  const tracer = new Tracer();
  const input = { shape: [rows, features], dtype: 'float32' as const };
  const weights: { shape: number[]; dtype: 'float32' }[] = [];
  let value: Value = tracer.input(input);
  for (const { op, ...rest } of layers) {
    if (op === 'linear') {
      const weight = {
        shape: [(rest as { out: number }).out, value.shape.at(-1)!],
        dtype: 'float32' as const,
      };
      weights.push(weight);
      value = tracer.apply('linear', [value, tracer.read(weight), null], {});
    } else if (op === 'softmax') value = tracer.apply('softmax', [value], { dim: -1 });
    else if (op === 'flatten') value = tracer.apply('flatten', [value], { startDim: 1, endDim: -1 });
    else value = tracer.apply(op, [value], {});
  }
  return { plan: makePlan(tracer.graph(value), kernels), weights };
}

function arenaOf(location: Location): number {
  if (!('arena' in location)) throw new Error('not in the arena');
  return location.arena;
}

/** A step's output and scratch must not touch what it reads, nor each other; an activation may stand in its input's place. */
function overlaps(plan: Plan): boolean {
  const apart = (a: [number, number], b: [number, number]): boolean =>
    a[0] + a[1] <= b[0] || b[0] + b[1] <= a[0];
  return plan.steps.some((step) => {
    const output: [number, number] = [arenaOf(step.to), byteLength(step.output.shape, step.output.dtype)];
    const scratch: [number, number] = [step.scratch, Math.max(1, step.parts * step.scratchStride)];
    if (!apart(output, scratch)) return true;
    return step.from.some((place, i) => {
      if (!place || !('arena' in place)) return false;
      const operand = step.inputs[i]!;
      const input: [number, number] = [place.arena, byteLength(operand.shape, operand.dtype)];
      if (!apart(scratch, input)) return true;
      return place.arena === arenaOf(step.to) ? !isPointwise(step.op) : !apart(output, input);
    });
  });
}

/** Lays out a plan's bindings behind its arena: weights of noise, the input, and the panels if wanted. */
function bind(plan: Plan, weights: readonly { shape: number[] }[], withPanels: boolean) {
  const floats = new Float32Array(memory.buffer);
  let next = ARENA + plan.arenaBytes;
  const take = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 64) * 64;
    return at;
  };
  const place = (count: number, seed: number): number => {
    const at = take(count * 4);
    floats.set(noise(count, seed), at / 4);
    return at;
  };
  const bindings = weights.map(({ shape }, i) => place(shape[0]! * shape[1]!, i + 2));
  const input = place(
    plan.inputs[0]!.shape.reduce((a, b) => a * b, 1),
    1,
  );
  const panels = plan.packed.map((index) => {
    const [n, k] = weights[index]!.shape as [number, number];
    const at = take(packedBytes(n, k));
    kernels.pack(bindings[index]!, at, n, k);
    return withPanels ? at : 0;
  });
  expect(next).toBeLessThan(memory.buffer.byteLength);
  return { arena: ARENA, bindings: [...bindings, input, ...panels] };
}

type Bound = ReturnType<typeof bind>;

/** Runs over an arena full of NaN; the output's bits. */
function outputOf(plan: Plan, place: Bound, run: (plan: Plan, place: Bound) => void): number[] {
  new Float32Array(memory.buffer).fill(Number.NaN, ARENA / 4, (ARENA + plan.arenaBytes) / 4);
  run(plan, place);
  const count = plan.outputs[0]!.shape.reduce((a, b) => a * b, 1);
  return [...new Uint32Array(memory.buffer, address(plan.outputs[0]!.at, place), count)];
}

const alone = (plan: Plan, place: Bound): void => runPlan(plan, kernels, place);

describe('a plan', () => {
  it('never lets a step write over what it reads, and stays inside its arena', () => {
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (layers, rows) => {
        const { plan } = chain(layers, rows, 7);
        expect(overlaps(plan)).toBe(false);
        for (const { to, output } of plan.steps) {
          expect(arenaOf(to) + byteLength(output.shape, output.dtype)).toBeLessThanOrEqual(plan.arenaBytes);
        }
      }),
    );
  });

  it('needs memory for the widest pair of layers, not for all of them', () => {
    const deep = chain(
      Array.from({ length: 50 }, () => ({ op: 'relu' as const })),
      64,
      256,
    );
    expect(deep.plan.arenaBytes).toBeLessThanOrEqual(2 * 64 * 256 * 4);
  });

  it('gives the same bits when it runs again over what an earlier run left behind', () => {
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 8 }), (layers) => {
        const { plan, weights } = chain(layers, 3, 5);
        const place = bind(plan, weights, true);
        expect(outputOf(plan, place, alone)).toEqual(outputOf(plan, place, alone));
      }),
      { numRuns: 50 },
    );
  });

  it('has no step for layers that only view their input', () => {
    const { plan } = chain([{ op: 'flatten' }, { op: 'flatten' }], 2, 3);
    expect(plan.steps).toEqual([]);
    expect(plan.outputs[0]!.at).toEqual({ bound: plan.inputBinding });
  });

  it('gives the same bits with panels, without them, and part by part in any order', () => {
    const wide: Layer[] = [
      { op: 'linear', out: 300 },
      { op: 'tanh' },
      { op: 'linear', out: 520 },
      { op: 'relu' },
      { op: 'relu' },
      { op: 'linear', out: 7 },
    ];
    for (const rows of [1, 5, 600]) {
      const { plan, weights } = chain(wide, rows, 500);
      const place = bind(plan, weights, true);
      const expected = outputOf(plan, place, alone);
      let shared = 0;
      const backwards: Crew = {
        share(step, parts, run) {
          shared++;
          for (let part = parts - 1; part >= 0; part--) {
            if (part % 2) run(part);
            else runPart(plan, kernels, place, { step, part });
          }
        },
      };
      const withCrew = (p: Plan, at: Bound): void => runPlan(p, kernels, at, backwards);
      expect(outputOf(plan, place, withCrew)).toEqual(expected);
      if (rows > 100) expect(shared).toBeGreaterThan(0);
      const without = bind(plan, weights, false);
      expect(outputOf(plan, without, alone)).toEqual(expected);
      expect(outputOf(plan, without, withCrew)).toEqual(expected);
    }
  });

  it("applies an activation in its product's step, and never one whose input somebody else reads", () => {
    const { plan } = chain([{ op: 'linear', out: 8 }, { op: 'tanh' }, { op: 'linear', out: 1 }], 2, 4);
    expect(plan.steps.map(({ op, activation }) => [op, activation?.name])).toEqual([
      ['linear', 'tanh'],
      ['linear', undefined],
    ]);
    const tracer = new Tracer();
    const input = tracer.input({ shape: [2, 4], dtype: 'float32' });
    const product = tracer.apply(
      'linear',
      [input, tracer.read({ shape: [4, 4], dtype: 'float32' }), null],
      {},
    );
    tracer.apply('relu', [product], {});
    const again = tracer.apply(
      'linear',
      [product, tracer.read({ shape: [4, 4], dtype: 'float32' }), null],
      {},
    );
    expect(makePlan(tracer.graph(again), kernels).steps.map(({ op }) => op)).toEqual([
      'linear',
      'relu',
      'linear',
    ]);
  });

  it('needs at its peak what two layers beside each other need, whatever the depth', () => {
    const layers = (depth: number): Layer[] =>
      Array.from({ length: depth }, () => [
        { op: 'linear' as const, out: 256 },
        { op: 'tanh' as const },
      ]).flat();
    const [shallow, deep] = [chain(layers(2), 64, 256).plan, chain(layers(40), 64, 256).plan];
    const scratch = 65_536; // of a product whose weight has no panels
    expect(deep.arenaBytes).toBe(shallow.arenaBytes);
    expect(deep.arenaBytes).toBeLessThanOrEqual(2 * 64 * 256 * 4 + scratch);
  });

  it('allocates nothing where it runs', () => {
    const { plan, weights } = chain([{ op: 'linear', out: 40 }, { op: 'tanh' }, { op: 'softmax' }], 3, 30);
    const place = bind(plan, weights, true);
    const thousand = (): void => {
      for (let i = 0; i < 1000; i++) runPlan(plan, kernels, place);
    };
    for (let i = 0; i < 30; i++) thousand();
    const before = process.memoryUsage().heapUsed;
    thousand();
    // The engine's own boxed numbers remain: a few bytes a step.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1000 * 2 * 128);
  });

  it('knows whether the rows of its input keep to themselves', () => {
    const rowwise = (shape: number[], build: (tracer: Tracer, x: Value) => Value): boolean => {
      const tracer = new Tracer();
      const output = build(tracer, tracer.input({ shape, dtype: 'float32' }));
      return makePlan(tracer.graph(output), kernels).rowwise;
    };
    const weight = { shape: [3, 4], dtype: 'float32' as const };
    const linear = (tracer: Tracer, x: Value): Value =>
      tracer.apply('linear', [x, tracer.read(weight), null], {});
    expect(rowwise([5, 4], linear)).toBe(true);
    expect(rowwise([4], linear)).toBe(false);
    expect(rowwise([5, 4], (tracer, x) => tracer.apply('softmax', [x], { dim: 1 }))).toBe(true);
    expect(rowwise([5, 4], (tracer, x) => tracer.apply('softmax', [x], { dim: -2 }))).toBe(false);
    expect(rowwise([5, 2, 2], (tracer, x) => tracer.apply('softmax', [x], { dim: null }))).toBe(false);
    const flatten = (startDim: number) => (tracer: Tracer, x: Value) =>
      tracer.apply('flatten', [x], { startDim, endDim: -1 });
    expect(rowwise([5, 2, 2], flatten(1))).toBe(true);
    expect(rowwise([5, 2, 2], flatten(0))).toBe(false);
    const norm = (normalizedShape: number[]) => (tracer: Tracer, x: Value) =>
      tracer.apply('layer_norm', [x, null, null], { normalizedShape, eps: 1e-5 });
    expect(rowwise([5, 4], norm([4]))).toBe(true);
    expect(rowwise([5, 4], norm([5, 4]))).toBe(false);
    expect(rowwise([5, 4], (tracer, x) => linear(tracer, tracer.apply('softmax', [x], { dim: 0 })))).toBe(
      false,
    );
  });
});
