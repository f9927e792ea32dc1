import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ValueError } from '#src/graph/op.js';
import { gatherRows, type GatherOrder, type PlacedColumn } from '#src/runtime/gather.js';
import { SharedMemory } from '#src/runtime/memory.js';
import { Pool } from '#src/runtime/pool.js';
import type { DType } from '#src/tensor/dtype.js';
import { byteLength, numel } from '#src/tensor/shape.js';

let memory: SharedMemory;
let pool: Pool;

beforeAll(async () => {
  memory = new SharedMemory({ limitBytes: 2 ** 24 });
  pool = new Pool({ workers: 1, memory, timeoutMs: 30_000 });
  await pool.ready();
});
afterAll(() => pool.close());

function place(name: string, dtype: DType, shape: number[], values: readonly number[]): PlacedColumn {
  const { segment, address } = memory.allocate(byteLength(shape, dtype));
  const { data } = memory.view(segment, address, shape, dtype);
  for (const [i, x] of values.entries()) data[i] = dtype === 'int64' ? BigInt(x) : x;
  return { name, dtype, shape, segment, address };
}

/** Reads rows on this thread, into memory that is not zero before. */
function read(columns: PlacedColumn[], dtype: DType, rows?: GatherOrder['rows']): unknown[] {
  const width = columns.reduce((sum, { shape }) => sum + numel(shape.slice(1)), 0);
  const count = rows && ('length' in rows ? rows.length : rows.count);
  const shape = [count ?? columns[0]!.shape[0]!, width];
  const { segment, address } = memory.allocate(byteLength(shape, dtype));
  const { data } = memory.view(segment, address, shape, dtype);
  data.fill((dtype === 'int64' ? 77n : 77) as never);
  const order: GatherOrder = { columns, target: { segment, address, dtype }, ...(rows && { rows }) };
  gatherRows((index) => memory.memories[index]!, order);
  return Array.from(data as Float32Array, Number);
}

describe('rows of columns', () => {
  it('are written side by side, in the order of the list, as often as they are in it', () => {
    const a = place('a', 'float32', [3], [0.5, 1.5, 2.5]);
    const b = place('b', 'float32', [3, 2], [10, 11, 20, 21, 30, 31]);
    expect(read([a, b], 'float32')).toEqual([0.5, 10, 11, 1.5, 20, 21, 2.5, 30, 31]);
    expect(read([b, a], 'float32', [2, 0, 2])).toEqual([30, 31, 2.5, 10, 11, 0.5, 30, 31, 2.5]);
    expect(read([a], 'float32', Int32Array.of(1))).toEqual([1.5]);
    expect(read([a, a], 'float32', [])).toEqual([]);
  });

  it('are those that indexing each number gives, for any columns, dtypes and rows', () => {
    const dtypes = fc.constantFrom<DType>('float32', 'int64', 'int32', 'bool');
    const columnsOf = (rows: number) =>
      fc.array(fc.tuple(dtypes, fc.nat(3)), { minLength: 1, maxLength: 4 }).map((given) =>
        given.map(([dtype, width], i) => {
          const values = Array.from({ length: rows * width }, (_, at) => (at * 7 + i) % 2);
          return { values, width, column: place(`c${i}`, dtype, [rows, width], values) };
        }),
      );
    const orders = fc.integer({ min: 1, max: 9 }).chain((all) => {
      const list = fc.option(fc.array(fc.nat(all - 1), { maxLength: 12 }), { nil: undefined });
      return fc.tuple(fc.constant(all), columnsOf(all), list, dtypes);
    });
    fc.assert(
      fc.property(orders, ([all, given, list, dtype]) => {
        const rows = list ?? Array.from({ length: all }, (_, i) => i);
        const expected = rows.flatMap((row) =>
          given.flatMap(({ values, width }) => values.slice(row * width, (row + 1) * width)),
        );
        expect(
          read(
            given.map(({ column }) => column),
            dtype,
            list,
          ),
        ).toEqual(expected);
      }),
    );
  });

  it('of a range are those of the list that it stands for', () => {
    const columns = [7, 40].map((width, i) => {
      const values = Array.from({ length: 10 * width }, (_, at) => 1000 * i + at);
      return place(`c${i}`, 'float32', [10, width], values);
    });
    for (const given of [columns, columns.slice(1)]) {
      for (const [from, count, step] of [
        [0, 10, 1],
        [3, 4, 1],
        [1, 3, 4],
        [9, 1, 5],
        [0, 0, 1],
      ] as const) {
        const list = Array.from({ length: count }, (_, i) => from + i * step);
        expect(read(given, 'float32', { from, count, step })).toEqual(read(given, 'float32', list));
      }
      expect(read(given, 'int64', { from: 2, count: 3 })).toEqual(read(given, 'float32', [2, 3, 4]));
    }
  });

  it('that are not there are refused', () => {
    const a = place('a', 'float32', [3], [1, 2, 3]);
    for (const row of [3, -1, 0.5, NaN]) {
      expect(() => read([a], 'float32', [0, row])).toThrow(new ValueError(`there is no row ${row} of 3`));
    }
    expect(() => read([a], 'float32', { from: 1, count: 3 })).toThrow('there is no row 3 of 3');
    expect(() => read([a], 'float32', { from: -1, count: 2 })).toThrow('there is no row -1 of 3');
  });
});

describe('a conversion', () => {
  it('to int64 takes whole floats, and names the column, the row and the value of the first other one', () => {
    const whole = place('label', 'float32', [4], [3, -0, -5, 2 ** 60]);
    expect(read([whole], 'int64')).toEqual([3, 0, -5, 2 ** 60]);
    const broken = place('y', 'float32', [4], [3, 1, 0.5, NaN]);
    expect(() => read([broken], 'int64')).toThrow(new ValueError('column "y", row 2: 0.5 is no int64'));
    expect(() => read([broken], 'int64', [3, 2])).toThrow('column "y", row 3: NaN is no int64');
    expect(read([broken], 'int64', [1, 0])).toEqual([1, 3]);
    const beyond = place('y', 'float32', [2], [2 ** 63, -(2 ** 63)]);
    expect(() => read([beyond], 'int64')).toThrow('row 0: 9223372036854776000 is no int64');
    expect(read([beyond], 'int64', [1])).toEqual([-(2 ** 63)]);
  });

  it('to float32 takes the nearest number, to int32 and bool only what they have', () => {
    const large = place('n', 'int64', [2], [2 ** 24 + 1, -(2 ** 31)]);
    expect(read([large], 'float32')).toEqual([2 ** 24, -(2 ** 31)]);
    expect(read([large], 'int32')).toEqual([2 ** 24 + 1, -(2 ** 31)]);
    expect(() => read([place('n', 'int64', [1], [2 ** 31])], 'int32')).toThrow(
      'row 0: 2147483648 is no int32',
    );
    expect(() => read([place('b', 'int32', [2], [1, 2])], 'bool')).toThrow('row 1: 2 is no bool');
  });
});

describe('the call of a worker', () => {
  it('writes what this thread would, and rejects with ValueError', async () => {
    const a = place('a', 'float32', [3], [1, 2, 3]);
    const { segment, address } = memory.allocate(16);
    await pool.call('gatherRows', {
      columns: [a],
      target: { segment, address, dtype: 'int64' },
      rows: Int32Array.of(2, 1),
    });
    expect(memory.view(segment, address, [2], 'int64').data).toEqual(BigInt64Array.of(3n, 2n));
    const lost = pool.call('gatherRows', { columns: [a], target: { segment, address, dtype: 'bool' } });
    await expect(lost).rejects.toThrow(new ValueError('column "a", row 1: 2 is no bool'));
  });
});
