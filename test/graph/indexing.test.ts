import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '#src/graph/gradient.js';
import { assigned, taken, takenShape } from '#src/graph/indexing.js';
import { makePlan } from '#src/graph/plan.js';
import { address, runPlan } from '#src/graph/run.js';
import { Tracer, type Value } from '#src/graph/tracer.js';
import { parseIndex, resolveDimensions, resolveIndex } from '#src/tensor/index-grammar.js';
import { applyPatch } from '#src/tensor/patch.js';
import { numel, type Shape } from '#src/tensor/shape.js';
import { gather } from '#src/tensor/view.js';
import { Arena } from '../kernels/instance.js';

const arena = new Arena();

/** What a graph makes of float32 tensors. */
function run(
  inputs: readonly { shape: Shape; data: Float32Array }[],
  trace: (tracer: Tracer, values: Value[]) => Value[],
) {
  arena.clear();
  const tracer = new Tracer();
  const values = inputs.map(({ shape }) => tracer.input({ shape, dtype: 'float32' }));
  const plan = makePlan(tracer.graph(...trace(tracer, values)), arena.kernels);
  const bindings = inputs.map(({ data }) => arena.place(data));
  const place = { arena: arena.scratch(plan.arenaBytes), bindings };
  runPlan(plan, arena.kernels, place);
  // What was given is as it was, and so is what stands beside it.
  expect(arena.intact()).toBe(true);
  inputs.forEach(({ data }, i) => expect(arena.read(bindings[i]!, data.length)).toEqual(data));
  return plan.outputs.map(({ at, shape }) => ({ shape, data: arena.read(address(at, place), numel(shape)) }));
}

const random = (shape: Shape, seed: number): Float32Array =>
  Float32Array.from({ length: numel(shape) }, (_, i) => Math.sin(seed + i * 1.7) * 3);

/** A shape, and an index of it: awkward extents, steps, integers, an ellipsis, parts without elements. */
const indexed = fc.array(fc.constantFrom(1, 2, 3, 5, 17), { minLength: 0, maxLength: 5 }).chain((shape) => {
  const bound = (extent: number) =>
    fc.option(fc.integer({ min: -extent - 1, max: extent + 1 }), { nil: undefined });
  const items = shape.map((extent) =>
    fc.oneof(
      { weight: 1, arbitrary: fc.integer({ min: -extent, max: extent - 1 }).map(String) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(bound(extent), bound(extent), fc.integer({ min: 1, max: 4 }))
          .map(([start, stop, step]) => `${start ?? ''}:${stop ?? ''}:${step}`),
      },
      { weight: 1, arbitrary: fc.constant(':') },
    ),
  );
  return fc.record({
    shape: fc.constant(shape),
    index: fc.tuple(...items).map((all) => (all.length > 0 ? all.join(',') : '...')),
  });
});

describe('an index in a graph', () => {
  it('takes what it takes of a tensor in memory, of any shape', () => {
    fc.assert(
      fc.property(indexed, ({ shape, index }) => {
        const data = random(shape, 1);
        const dims = resolveDimensions(parseIndex(index), shape);
        const [found] = run([{ shape, data }], ({ apply }, [x]) => [taken(apply, x!, dims)]);
        const wanted = gather({ dtype: 'float32', data }, resolveIndex(parseIndex(index), shape));
        expect(found!.shape).toEqual(wanted.shape);
        expect(found!.data).toEqual(wanted.data);
      }),
      { numRuns: 300 },
    );
  });

  it('is set as a patch sets it, and the rest stays to the bit', () => {
    fc.assert(
      fc.property(indexed, ({ shape, index }) => {
        const data = random(shape, 2);
        if (data.length > 0) data[0] = -0;
        const dims = resolveDimensions(parseIndex(index), shape);
        const part = { shape: takenShape(dims), data: random(takenShape(dims), 3) };
        const [found] = run([{ shape, data }, part], ({ apply }, [x, y]) => [assigned(apply, x!, dims, y!)]);
        const wanted = data.slice();
        applyPatch(wanted, shape, { op: 'set', index, value: part });
        expect(found!.shape).toEqual(shape);
        expect(new Uint32Array(found!.data.buffer, found!.data.byteOffset, data.length)).toEqual(
          new Uint32Array(wanted.buffer),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('passes gradients to the part that is set, and to the rest of what it is set in', () => {
    fc.assert(
      fc.property(indexed, ({ shape, index }) => {
        const dims = resolveDimensions(parseIndex(index), shape);
        const part = { shape: takenShape(dims), data: random(takenShape(dims), 3) };
        const gradient = { shape, data: random(shape, 4) };
        const [ofX, ofPart] = run(
          [{ shape, data: random(shape, 2) }, part, gradient],
          (tracer, [x, y, g]) => {
            const value = assigned(tracer.apply, x!, dims, y!);
            const grads = differentiate(tracer, [{ value, gradient: g! }], [x!, y!]);
            return grads.map(
              (grad, i) =>
                grad ?? tracer.apply('fill', [], { shape: i === 0 ? shape : part.shape, value: 0 }),
            );
          },
        );
        const rest = gradient.data.slice();
        applyPatch(rest, shape, { op: 'set', index, value: 0 });
        expect(ofX!.data).toEqual(rest);
        const wanted = gather(
          { dtype: 'float32', data: gradient.data },
          resolveIndex(parseIndex(index), shape),
        );
        expect(ofPart!.data).toEqual(wanted.data);
      }),
      { numRuns: 200 },
    );
  });
});
