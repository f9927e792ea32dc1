import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyPatch, checkPatchOp, type PatchOp } from '#src/tensor/patch.js';
import { numel } from '#src/tensor/shape.js';

type Outcome<T> = T | { error: string };
interface Fixtures {
  /** The elements that the scalars meet, as float32's bits. */
  base: number[];
  /** tensor: i + 0.5; value: (i + 1) * 0.1, in float32. */
  writes: ({ shape: number[]; index: string; op: PatchOp['op']; value: number[] } & Outcome<{
    data: number[];
  }>)[];
  scalars: ({ op: PatchOp['op']; value?: number; min?: number; max?: number } & Outcome<{
    bits: number[];
  }>)[];
  /** tensor: int64 [5, -7, 2^53 - 1, 0]. */
  integers: ({ op: PatchOp['op']; value: number } & Outcome<{ data: string[] }>)[];
}
const fixtures = JSON.parse(readFileSync('test/fixtures/indexing.json', 'utf8')) as Fixtures;

const asText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

describe('tensor[index] = value, and the in-place ops', () => {
  it.each(
    fixtures.writes.map(
      (each) => [`${asText(each.shape)}[${each.index}] ${each.op} ${asText(each.value)}`, each] as const,
    ),
  )('%s: what PyTorch makes of it, or says', (_, { shape, index, op, value, ...outcome }) => {
    const found = checkPatchOp(shape, { op, index, value: { shape: value } });
    if ('error' in outcome) {
      expect(found.map(({ message }) => message)).toEqual([outcome.error]);
      return;
    }
    expect(found).toEqual([]);
    const data = Float32Array.from({ length: numel(shape) }, (_, i) => i + 0.5);
    const operand = Float32Array.from(
      { length: numel(value) },
      (_, i) => Math.fround(i + 1) * Math.fround(0.1),
    );
    applyPatch(data, shape, { op, index, value: { shape: value, data: operand } });
    expect([...data]).toEqual(outcome.data);
  });

  it.each(fixtures.scalars)(
    '$op $value $min $max: PyTorch’s bits (one NaN for all), or its words',
    ({ op, value, min, max, ...outcome }) => {
      const data = new Float32Array(new SharedArrayBuffer(fixtures.base.length * 4));
      new Int32Array(data.buffer).set(fixtures.base);
      const patch = {
        op,
        ...(value !== undefined && { value }),
        ...(min !== undefined && { min }),
        ...(max !== undefined && { max }),
      };
      const found = checkPatchOp([data.length], patch);
      if ('error' in outcome) {
        expect(found.map(({ message }) => message)).toEqual([outcome.error]);
        return;
      }
      expect(found).toEqual([]);
      applyPatch(data, [data.length], patch);
      expect(data).toEqual(new Float32Array(Int32Array.from(outcome.bits).buffer));
    },
  );

  it.each(fixtures.integers)(
    'int64 $op $value: PyTorch’s integers, or its words',
    ({ op, value, ...outcome }) => {
      const data = BigInt64Array.of(5n, -7n, 2n ** 53n - 1n, 0n);
      const found = checkPatchOp([4], { op, value }, 'int64');
      if ('error' in outcome) {
        expect(found.map(({ message }) => message)).toEqual([outcome.error]);
        return;
      }
      expect(found).toEqual([]);
      applyPatch(data, [4], { op, value });
      expect([...data].map(String)).toEqual(outcome.data);
    },
  );

  it('wrap int32, as PyTorch does', () => {
    const data = Int32Array.of(2 ** 31 - 1, 123456789);
    applyPatch(data, [2], { op: 'add', value: 1 });
    expect([...data]).toEqual([-(2 ** 31), 123456790]);
    applyPatch(data, [2], { op: 'mul', value: 123456789 });
    expect([...data]).toEqual([-(2 ** 31), Number(BigInt.asIntN(32, 123456790n * 123456789n))]);
  });
});

describe('clamp and map', () => {
  it('reach what is indexed and nothing else', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    applyPatch(data, [2, 3], { op: 'clamp', index: ':,1', min: 3, max: 4 });
    expect([...data]).toEqual([1, 3, 3, 4, 4, 6]);
    const seen: number[][] = [];
    const negate = (expression: string, w: Float32Array): void => {
      seen.push([...w]);
      expect(expression).toBe('-w');
      for (let i = 0; i < w.length; i++) w[i] = -w[i]!;
    };
    applyPatch(data, [2, 3], { op: 'map', index: ':,::2', expression: '-w' }, negate);
    applyPatch(data, [2, 3], { op: 'map', index: '1', expression: '-w' }, negate);
    expect(seen).toEqual([[1, 3, 4, 6], [-4, 4, -6]]); // prettier-ignore
    expect([...data]).toEqual([-1, 3, -3, 4, -4, 6]);
  });
});

describe('a patch that cannot be done', () => {
  it('is told by field, whether text, range, value or op is wrong', () => {
    const paths = (op: object) => checkPatchOp([2, 3], op as PatchOp).map(({ path }) => path);
    expect(paths({ op: 'set', index: '0,', value: 1 })).toEqual([]);
    expect(paths({ op: 'set', index: '0;', value: 1 })).toEqual(['index']);
    expect(paths({ op: 'set', index: '0,3', value: 1 })).toEqual(['index']);
    expect(paths({ op: 'add' })).toEqual(['value']);
    expect(paths({ op: 'map' })).toEqual(['expression']);
    expect(paths({ op: 'clamp', min: 1e39, max: -1e39 })).toEqual(['min', 'max']);
    expect(paths({ op: 'toString', value: 1 })).toEqual(['op']);
    expect(checkPatchOp([2], { op: 'mull', value: 1 } as unknown as PatchOp)[0]!.message).toMatch(
      /did you mean mul\?$/,
    );
  });

  it('is told so for dtypes that cannot hold its result', () => {
    const messages = (op: PatchOp, dtype: 'int64' | 'bool') =>
      checkPatchOp([2], op, dtype).map(({ message }) => message);
    expect(messages({ op: 'clamp', min: 1.5 }, 'int64')).toEqual([
      "result type Float can't be cast to the desired output type Long",
    ]);
    expect(messages({ op: 'set', value: 1e300 }, 'int64')).toEqual([
      'value cannot be converted to type int64_t without overflow',
    ]);
    expect(messages({ op: 'add', value: 1 }, 'bool')).toEqual([
      "result type Long can't be cast to the desired output type Bool",
    ]);
    expect(messages({ op: 'map', expression: 'w' }, 'int64')).toHaveLength(1);
  });

  it('never takes back a float32 that an answer printed: the largest is 3.4028235e38', () => {
    expect(checkPatchOp([2], { op: 'set', value: 3.4028235e38 })).toEqual([]);
  });
});
