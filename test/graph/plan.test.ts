import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePlan, runPlan, type Plan } from '#src/graph/plan.js';
import { Tracer, type Value } from '#src/graph/tracer.js';
import { byteLength } from '#src/tensor/shape.js';
import { Arena } from '../kernels/instance.js';

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
  let value: Value = { ...input, source: { from: 'input' } };
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
  return { plan: makePlan(tracer.graph(input, value), kernels), weights };
}

/** A step's output and scratch must not touch what it reads, nor each other. */
function overlaps(plan: Plan): boolean {
  const apart = (a: [number, number], b: [number, number]): boolean =>
    a[0] + a[1] <= b[0] || b[0] + b[1] <= a[0];
  return plan.steps.some((step) => {
    const output: [number, number] = [step.to, byteLength(step.output.shape, step.output.dtype)];
    return step.from.some((place, i) => {
      if (!place || !('arena' in place)) return false;
      const operand = step.inputs[i]!;
      return !apart(output, [place.arena, byteLength(operand.shape, operand.dtype)]);
    });
  });
}

describe('a plan', () => {
  it('never lets a step write over what it reads, and stays inside its arena', () => {
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (layers, rows) => {
        const { plan } = chain(layers, rows, 7);
        expect(overlaps(plan)).toBe(false);
        for (const { to, output } of plan.steps) {
          expect(to + byteLength(output.shape, output.dtype)).toBeLessThanOrEqual(plan.arenaBytes);
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
        const floats = new Float32Array(memory.buffer);
        let next = ARENA + plan.arenaBytes;
        const bindings = weights.map(({ shape }) => {
          const at = next;
          const count = shape[0]! * shape[1]!;
          floats.subarray(at / 4, at / 4 + count).fill(0.25);
          next += Math.ceil((count * 4) / 64) * 64;
          return at;
        });
        const run = (): number[] => {
          for (let i = 0; i < 15; i++) floats[ARENA / 4 + i] = i / 3 - 2;
          runPlan(plan, kernels, ARENA, bindings);
          const at = 'arena' in plan.result ? ARENA + plan.result.arena : bindings[plan.result.stored]!;
          return [...floats.subarray(at / 4, at / 4 + plan.output.shape.reduce((a, b) => a * b, 1))];
        };
        const first = run();
        floats.subarray(ARENA / 4, (ARENA + plan.arenaBytes) / 4).fill(Number.NaN);
        expect(run()).toEqual(first);
      }),
      { numRuns: 50 },
    );
  });

  it('has no step for layers that only view their input', () => {
    const { plan } = chain([{ op: 'flatten' }, { op: 'flatten' }], 2, 3);
    expect(plan.steps).toEqual([]);
    expect(plan.result).toEqual({ arena: 0 });
  });
});
