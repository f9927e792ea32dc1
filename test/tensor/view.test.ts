import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numel, type Shape } from '#src/tensor/shape.js';
import {
  BroadcastError,
  broadcastShapes,
  broadcastStrides,
  expandStrides,
  forEachRow,
  gather,
  type View,
  wholeView,
} from '#src/tensor/view.js';

const arange = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

/** Every index of a shape, the last dimension fastest. */
function* indices(shape: Shape): Generator<number[]> {
  if (shape.length === 0) yield [];
  for (let i = 0; i < (shape[0] ?? 0); i++) for (const rest of indices(shape.slice(1))) yield [i, ...rest];
}

function placeOf({ strides, offset }: Pick<View, 'strides' | 'offset'>, index: readonly number[]): number {
  return index.reduce((at, i, dim) => at + i * strides[dim]!, offset);
}

/** A view of whichever strides, and the length of memory that it needs. */
const views = fc
  .array(fc.record({ extent: fc.integer({ min: 0, max: 4 }), stride: fc.integer({ min: 0, max: 12 }) }), {
    maxLength: 4,
  })
  .chain((dims) =>
    fc.nat({ max: 5 }).map((offset): View => ({
      shape: dims.map(({ extent }) => extent),
      strides: dims.map(({ stride }) => stride),
      offset,
    })),
  );

/** A shape, and one that broadcasts to it: some extents 1, some leading dimensions gone. */
const stretched = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }).chain((target) =>
  fc.record({
    target: fc.constant(target),
    shape: fc
      .tuple(fc.nat({ max: target.length }), ...target.map(() => fc.boolean()))
      .map(([dropped, ...ones]) => target.map((extent, i) => (ones[i] ? 1 : extent)).slice(dropped)),
  }),
);

describe('a view', () => {
  it('is gathered element by element in row-major order, whatever its strides', () => {
    fc.assert(
      fc.property(views, (view) => {
        const expected = [...indices(view.shape)].map((index) => placeOf(view, index));
        const gathered = gather({ dtype: 'float32', data: arange(200) }, view);
        expect(gathered.shape).toEqual(view.shape);
        expect([...gathered.data]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('that is contiguous is walked in one row', () => {
    let rows = 0;
    forEachRow(wholeView([3, 1, 4, 5]), wholeView([3, 1, 4, 5]), ({ count }) => {
      rows++;
      expect(count).toBe(60);
    });
    expect(rows).toBe(1);
  });

  it('keeps int64 as it is', () => {
    const data = BigInt64Array.of(1n, 2n ** 60n, 3n, 4n);
    expect([...gather({ dtype: 'int64', data }, { shape: [2], strides: [2], offset: 1 }).data]).toEqual([
      2n ** 60n,
      4n,
    ]);
  });
});

describe('broadcasting', () => {
  it('repeats a value along its dimensions of extent 1 and those it does not have', () => {
    fc.assert(
      fc.property(stretched, ({ target, shape }) => {
        const strides = broadcastStrides(shape, target);
        const own = wholeView(shape);
        for (const index of indices(target)) {
          const there = index.slice(target.length - shape.length).map((i, dim) => (shape[dim] === 1 ? 0 : i));
          expect(placeOf({ strides, offset: 0 }, index)).toBe(placeOf(own, there));
        }
        expect(expandStrides(shape, target)).toEqual(strides);
      }),
      { numRuns: 300 },
    );
  });

  it('is of no order: both ways the same shape, or both ways refused', () => {
    const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
    const attempt = (a: Shape, b: Shape) => {
      try {
        return broadcastShapes(a, b);
      } catch (error) {
        expect(error).toBeInstanceOf(BroadcastError);
        return undefined;
      }
    };
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        expect(attempt(a, b)).toEqual(attempt(b, a));
      }),
    );
  });

  it('of a value with more dimensions drops leading 1s when it is set, and only then', () => {
    expect(numel(expandStrides([1, 1, 3], [3]))).toBe(1);
    expect(() => broadcastStrides([1, 1, 3], [3])).toThrow(BroadcastError);
    expect(() => expandStrides([2, 3], [3])).toThrow(BroadcastError);
  });
});
