import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { inspectTensor, writeTensor } from '#src/tensor/json.js';
import { numbersOf, placedList } from '#src/tensor/placed-list.js';

/** A list whose numbers, as they stand in memory, are not those of its text: so it shows who looks where. */
function listOf(text: string, shape: number[], stand: number[]) {
  let looked = 0;
  const [min, max] = [Math.min(...stand), Math.max(...stand)];
  const floats = Float32Array.from(stand);
  const integral = stand.every(Number.isInteger);
  const list = placedList({ shape, floats, integral, booleans: false, min, max }, () => {
    looked++;
    return text;
  });
  return { list, looked: () => looked };
}

describe('a placed list', () => {
  it('is the array of its text to whoever looks inside, which is parsed once', () => {
    const { list, looked } = listOf('[[1,2],[3,"NaN"]]', [2, 2], [0, 0, 0, 0]);
    expect(Array.isArray(list)).toBe(true);
    expect(list.length).toBe(2);
    expect(looked()).toBe(0);
    expect([...list]).toEqual([[1, 2], [3, 'NaN']]); // prettier-ignore
    expect(JSON.stringify({ list })).toBe('{"list":[[1,2],[3,"NaN"]]}');
    expect(list.map((row) => (row as unknown[]).length)).toEqual([2, 2]);
    expect(Object.entries(list)).toHaveLength(2);
    expect(0 in list && !(2 in list)).toBe(true);
    expect(looked()).toBe(1);
  });

  it('can be changed as any array', () => {
    const { list } = listOf('[1,2,3]', [3], [1, 2, 3]);
    list.push(4);
    list[0] = 0;
    expect(Reflect.deleteProperty(list, 1)).toBe(true);
    expect([list.length, list[0], 1 in list, list[3]]).toEqual([4, 0, false, 4]);
    expect(numbersOf(list)).toBe(undefined);
    expect(Object.isFrozen(Object.freeze(listOf('[1]', [1], [1]).list))).toBe(true);
  });

  it('is a list to schemas, in their words', () => {
    const { list } = listOf('[1,2,3]', [3], [1, 2, 3]);
    expect(z.array(z.number()).parse(list)).toEqual([1, 2, 3]);
    expect(z.string().safeParse(list).error).toEqual(z.string().safeParse([1, 2, 3]).error);
  });

  it('becomes a tensor without its text', () => {
    const { list, looked } = listOf('[9,9,9,9]', [4], [1, -2, 3, 4]);
    for (const value of [list, { shape: [2, 2], data: list }]) {
      expect(inspectTensor(value, 'x').integral).toBe(true);
      for (const target of [new Float32Array(4), new Int32Array(4)]) {
        writeTensor(value, target, 'x');
        expect([...target]).toEqual([1, -2, 3, 4]);
      }
      const wide = new BigInt64Array(6).subarray(1, 5);
      writeTensor(value, wide, 'x');
      expect([...wide]).toEqual([1n, -2n, 3n, 4n]);
    }
    expect(looked()).toBe(0);
  });

  it('is asked for its text where float32 does not tell its numbers, or lists are wanted otherwise', () => {
    const large = listOf('[16777217]', [1], [16777216]);
    Object.assign(numbersOf(large.list)!, { max: 16777217 });
    const target = new BigInt64Array(1);
    writeTensor(large.list, target, 'x');
    expect([target[0], large.looked()]).toEqual([16777217n, 1]);

    const nested = listOf('[[1,2],[3,4]]', [2, 2], [1, 2, 3, 4]);
    const value = { shape: [4, 1], data: nested.list };
    expect(() => inspectTensor(value, 'x')).toThrow('x.data: expected sequence of length 4 at dim 0 (got 2)');
    expect(nested.looked()).toBe(0); // its length is known
    expect(() => inspectTensor({ shape: [2, 1], data: nested.list }, 'x')).toThrow(
      'x.data[0]: expected sequence',
    );
    expect(nested.looked()).toBe(1);
  });

  it('is nothing of the kind where it is another value', () => {
    expect([null, undefined, 1, 'x', [1], {}].map(numbersOf)).toEqual(Array(6).fill(undefined));
  });
});
