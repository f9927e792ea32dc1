// Data sets in memory, with real workers: what is kept, what is counted, what a reader of one gets.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Selected, Selection } from '#src/datasets/select.js';
import { byteLength, numel } from '#src/tensor/shape.js';
import type { HeldTensor } from '#src/runtime/held-tensor.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from '../models/engine.js';

const KiB = 1024;
let engine: Engine;

beforeEach(async () => {
  engine = await startEngine({ limits: { maxDatasets: 3, datasetsLimitBytes: 64 * KiB } });
});
afterEach(() => engine.stop());

/** So many float32 rows of one column, all of one value. */
const floats = (rows: number, value = 0) => ({ x: { shape: [rows], data: Array<number>(rows).fill(value) } });

/** What a reader writes for itself, by a worker, into memory of its own. */
async function gathered({ columns, shape, dtype }: Selected, rows?: number[]): Promise<number[]> {
  const { memory, pool } = engine;
  const own = [rows?.length ?? shape[0]!, ...shape.slice(1)];
  const region = memory.allocate(byteLength(own, dtype));
  const target = { segment: region.segment, address: region.address, dtype };
  await pool.call('gatherRows', { columns, target, ...(rows && { rows }) });
  const values = Array.from(memory.tensor(region, own, dtype).data as Float32Array, Number);
  memory.release(region);
  return values;
}

describe('a selection', () => {
  const columns = {
    a: [1, 2, 3],
    b: [10, 20, 30],
    wide: [
      [0.5, 1.5],
      [2.5, 3.5],
      [4.5, 5.5],
    ],
    deep: { shape: [3, 2, 2], data: Array.from({ length: 12 }, (_, i) => i) },
    flat: { shape: [3, 1, 2], data: [100, 101, 102, 103, 104, 105] },
    label: { dtype: 'int64', shape: [3], data: [2, 0, 1] },
    on: { dtype: 'bool', shape: [3], data: [true, false, true] },
  };
  beforeEach(() => engine.datasets.put('d', columns));
  const select = (inputs: string | string[], targets?: string | string[]) =>
    engine.datasets.select({ dataset: 'd', inputs, targets }) as Selection &
      Record<'inputs' | 'targets', Selected>;

  it('of one name is the column as it is, of a list of columns of [rows] they are the rows of [rows, k] in its order', async () => {
    const selection = select(['b', 'a'], 'label');
    const { inputs, targets, rows } = selection;
    expect(rows).toBe(3);
    expect(inputs).toMatchObject({ shape: [3, 2], dtype: 'float32' });
    expect(targets).toMatchObject({ shape: [3], dtype: 'int64' });
    expect(await gathered(inputs)).toEqual([10, 1, 20, 2, 30, 3]);
    expect(await gathered(inputs, [2, 2, 0])).toEqual([30, 3, 30, 3, 10, 1]);
    expect(await gathered(targets)).toEqual([2, 0, 1]);
    expect(select('wide').inputs.shape).toEqual([3, 2]);
    expect(select(['a']).inputs.shape).toEqual([3, 1]);
    selection.release();
  });

  it('of a list of wider columns joins them on dimension 1, where one of [rows] is one of [rows, 1]', async () => {
    const { inputs, targets } = select(['wide', 'a', 'wide'], ['deep', 'flat']);
    expect(inputs.shape).toEqual([3, 5]);
    expect(await gathered(inputs, [1])).toEqual([2.5, 3.5, 2, 2.5, 3.5]);
    expect(targets.shape).toEqual([3, 3, 2]);
    expect(await gathered(targets, [2])).toEqual([8, 9, 10, 11, 104, 105]);
  });

  it('of several dtypes is float32', async () => {
    const { inputs } = select(['on', 'label', 'a']);
    expect(inputs.dtype).toBe('float32');
    expect(await gathered(inputs)).toEqual([1, 2, 1, 0, 0, 2, 1, 1, 3]);
    expect(select(['on', 'on']).inputs.dtype).toBe('bool');
  });

  it('may be read as int64 where its floats are whole', async () => {
    const { inputs } = select('b');
    expect(await gathered({ ...inputs, dtype: 'int64' })).toEqual([10, 20, 30]);
    const broken = gathered({ ...select('wide').inputs, dtype: 'int64' });
    await expect(broken).rejects.toThrow('column "wide", row 0: 0.5 is no int64');
  });

  it('names what is not there, and what is near', () => {
    expect(() => engine.datasets.select({ dataset: 'dd', inputs: 'a' })).toThrow(
      'there is no data set named "dd": did you mean "d"?',
    );
    expect(() => select(['a', 'wid'], 'lable')).toThrow(
      'data set "d" has no column "wid": did you mean "wide"? (and 1 more)',
    );
    expect(() => select(['__proto__'])).toThrow('no column "__proto__"');
    expect(() => select('a', [])).toThrow('targets: names no column');
    expect(() => select(['wide', 'deep', 'flat'])).toThrow(
      'inputs[1]: "deep" of [3, 2, 2] does not stand beside "wide" of [3, 2] (and 1 more)',
    );
  });

  it('of an object of names are a tensor for each', async () => {
    const { inputs } = engine.datasets.select({ dataset: 'd', inputs: { left: ['b', 'a'], right: 'label' } });
    const { left, right } = inputs as Record<string, Selected>;
    expect(await gathered(left!)).toEqual([10, 1, 20, 2, 30, 3]);
    expect(await gathered(right!)).toEqual([2, 0, 1]);
  });

  it('that is refused holds nothing', () => {
    const { memory } = engine;
    for (const inputs of [['nothing'], [], ['wide', 'deep']]) expect(() => select(inputs)).toThrow();
    engine.datasets.delete('d');
    expect(memory.bytesInUse).toBe(0);
  });
});

describe('a data set that somebody reads', () => {
  it('stays as it was when it is replaced or deleted, until its last reader lets go', async () => {
    const { datasets, memory } = engine;
    await datasets.put('d', floats(16 * 64, 1));
    const [first, second] = [0, 1].map(() => datasets.select({ dataset: 'd', inputs: 'x' }));
    await datasets.put('d', floats(16, 2));
    const third = datasets.select({ dataset: 'd', inputs: 'x' });
    datasets.delete('d');
    expect(datasets.size).toBe(0);
    expect(datasets.bytes).toBe(4096 + 64);
    first!.release();
    expect(new Set(await gathered(second!.inputs as Selected))).toEqual(new Set([1]));
    expect(third.rows).toBe(16);
    second!.release();
    expect([datasets.bytes, memory.bytesInUse]).toEqual([64, 64]);
    third.release();
    expect([datasets.bytes, memory.bytesInUse]).toEqual([0, 0]);
  });
});

describe('quotas', () => {
  it('bound the number of data sets; a name that is there may be put again', async () => {
    const { datasets } = engine;
    for (const name of ['a', 'b', 'c']) await datasets.put(name, floats(1));
    await expect(datasets.put('d', floats(1))).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: 'the quota is exceeded: 3 data sets are there already',
    });
    expect(await datasets.put('c', floats(2))).toMatchObject({ created: false, summary: { version: 2 } });
    datasets.delete('a');
    expect(await datasets.put('d', floats(1))).toMatchObject({ created: true, summary: { version: 1 } });
  });

  it('bound the number also where many are put at once', async () => {
    const { datasets } = engine;
    const puts = Array.from({ length: 8 }, (_, i) => datasets.put(`d${i}`, floats(1)));
    const settled = await Promise.allSettled(puts);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect([datasets.size, datasets.bytes]).toEqual([3, 3 * 64]);
  });

  it('bound the bytes of all, those of deleted ones that are still read too', async () => {
    const { datasets, memory } = engine;
    await datasets.put('a', floats(8 * KiB));
    const reader = datasets.select({ dataset: 'a', inputs: 'x' });
    datasets.delete('a');
    const refused = datasets.put('b', floats(8 * KiB + 1));
    await expect(refused).rejects.toThrow(
      'the quota is exceeded: 32832 bytes do not fit into the 65536 bytes of data sets, 32768 of which are taken',
    );
    reader.release();
    await datasets.put('b', floats(8 * KiB + 1));
    expect(memory.bytesInUse).toBe(32_832);
  });

  it('and memory are as before where a put fails, at whichever step', async () => {
    const { datasets, memory } = engine;
    await datasets.put('d', floats(4, 7));
    const before = [datasets.bytes, memory.bytesInUse, (await datasets.read('d', {})).version];
    const bad: Record<string, unknown>[] = [
      {},
      { x: [1], y: [1, 2] },
      { x: 1 },
      { x: [] },
      { '': [1] },
      { x: [[1], [1, 2]] },
      { x: ['a'] },
      { x: { dtype: 'int64', shape: [1], data: [0.5] } },
      { ...floats(4), y: { dtype: 'bool', shape: [4], data: [0, 1, 2, 3] } },
      { ['x'.repeat(257)]: [1] },
    ];
    for (const columns of bad) await expect(datasets.put('d', columns)).rejects.toThrow();
    const { version, values } = await datasets.read('d', { rows: '0:2' });
    expect([datasets.bytes, memory.bytesInUse, version]).toEqual(before);
    expect(values!.x!.data).toEqual(Float32Array.of(7, 7));
  });
});

describe('what columns must be', () => {
  it('is told at once for all tensors that are none', async () => {
    const put = engine.datasets.put('d', { x: [[1], [1, 2]], y: [1], z: { shape: [2], data: [1] } });
    await expect(put).rejects.toMatchObject({
      faults: [
        { path: 'columns.x[1]' },
        { path: 'columns.z.data', message: 'expected sequence of length 2 at dim 0 (got 1)' },
      ],
    });
  });

  it('is at most ten thousand, counted before they are looked at', async () => {
    const names = Array.from({ length: 10_001 }, (_, i) => [`c${i}`, 'no tensor']);
    const put = engine.datasets.put('d', Object.fromEntries(names) as Record<string, unknown>);
    await expect(put).rejects.toThrow('columns: are 10001; 10000 are the most');
  });

  it('is told at once for all of them', async () => {
    const put = engine.datasets.put('d', { x: [1, 2], '': [1, 2], s: 3, y: [[1], [2], [3]] });
    await expect(put).rejects.toMatchObject({
      code: 'DATASET_INVALID',
      errors: [
        { path: 'columns[1]', message: 'has no name' },
        { path: 'columns.s', message: 'is a scalar: a column has rows, its dimension 0' },
        { path: 'columns.y', message: 'has 3 rows ([3, 1]), columns.x has 2' },
      ],
    });
  });
});

describe('rows', () => {
  const read = async (rows: string): Promise<TensorValue> => {
    const { values } = await engine.datasets.read('d', { rows, columns: ['w'] });
    return values!.w!;
  };
  const put = (shape: number[]) => {
    const data = Array.from({ length: numel(shape) }, (_, i) => i);
    return engine.datasets.put('d', { w: { shape, data } });
  };

  it('are those of the whole column by any index of one dimension', async () => {
    await put([5, 2, 1]);
    const rowsOf: Record<string, number[]> = {
      '0:2': [0, 1],
      ':': [0, 1, 2, 3, 4],
      '-2:': [3, 4],
      '::2': [0, 2, 4],
      '3:3': [],
      '1:100:3': [1, 4],
      '...': [0, 1, 2, 3, 4],
    };
    for (const [index, rows] of Object.entries(rowsOf)) {
      const { shape, data } = await read(index);
      expect(shape, index).toEqual([rows.length, 2, 1]);
      expect(Array.from(data as Float32Array)).toEqual(rows.flatMap((i) => [2 * i, 2 * i + 1]));
    }
    expect(await read('-1')).toMatchObject({ shape: [2, 1], data: Float32Array.of(8, 9) });
    await expect(read('0,0')).rejects.toThrow('too many indices for tensor of dimension 1');
    await expect(read('5')).rejects.toThrow('index 5 is out of bounds for dimension 0 with size 5');
    await expect(read('a')).rejects.toThrow('"a" has no meaning in an index');
  });

  it('that are many and apart are put together by a worker, in memory that is let go with them', async () => {
    const own = await startEngine();
    try {
      const shape = [30_000, 2];
      const data = Array.from({ length: 60_000 }, (_, i) => i);
      await own.datasets.put('d', { w: { shape, data } });
      const [held, calls] = [own.memory.bytesInUse, own.pool.figure('calls')];
      const { values } = await own.datasets.read('d', { rows: '1::3' });
      expect(own.pool.figure('calls')).toBe(calls + 1);
      expect(values!.w!.shape).toEqual([10_000, 2]);
      expect(Array.from(values!.w!.data as Float32Array)).toEqual(
        data.filter((_, i) => Math.floor(i / 2) % 3 === 1),
      );
      expect(own.memory.bytesInUse).toBeGreaterThan(held);
      (values!.w as HeldTensor).release();
      expect(own.memory.bytesInUse).toBe(held);
    } finally {
      await own.stop();
    }
  });
});
