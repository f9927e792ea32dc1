// Data sets over real sockets: each kind of body, what is wrong with one, what is answered, the memory that they take.

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { npyFile } from '#src/tensor/npy.js';
import { TensorValue } from '#src/tensor/tensor-value.js';
import { startServer, type TestAnswer, type TestServer } from '../server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    env: { WEIGHTROOM_BODY_LIMIT_BYTES: '4MiB', WEIGHTROOM_BODIES_LIMIT_BYTES: '8MiB' },
    limits: { datasetsLimitBytes: 16 * 2 ** 20 },
  });
});
afterAll(() => server.stop());
afterEach(async () => {
  const { body } = await server.request('GET', '/v1/datasets');
  for (const { name } of (body as { datasets: { name: string }[] }).datasets) {
    await server.request('DELETE', `/v1/datasets/${name}`);
  }
  // Whatever a test did: nothing is held of its bodies and data sets.
  expect(server.engine.memory.bytesInUse).toBe(0);
  expect(server.engine.datasets.bytes).toBe(0);
});

interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

async function put(
  name: string,
  type: string,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
) {
  const answer = await fetch(`${server.url}/v1/datasets/${name}`, {
    method: 'PUT',
    headers: { 'content-type': type, ...headers },
    ...(body !== undefined && { body }),
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

async function valuesOf(
  name: string,
  query = 'rows=:',
): Promise<Record<string, { shape: number[]; dtype: string; data: unknown[] }>> {
  const { status, body } = await server.request('GET', `/v1/datasets/${name}?${query}`);
  expect(status).toBe(200);
  return (body as { values: Record<string, { shape: number[]; dtype: string; data: unknown[] }> }).values;
}

const { archives, arrays } = JSON.parse(
  readFileSync(new URL('../fixtures/npy.json', import.meta.url), 'utf8'),
) as { archives: Record<string, string>; arrays: Record<string, { npy: string }> };

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

describe('a data set of JSON', () => {
  const columns = {
    x: [
      [1, 2],
      [3, 4],
    ],
    y: { dtype: 'int64', shape: [2], data: [0, 1] },
    whole: [5, 6],
  };

  it('has its columns in order: float32, also where all numbers are whole, unless they say otherwise', async () => {
    const answer = await server.request('PUT', '/v1/datasets/d', { columns });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe('/v1/datasets/d');
    expect(answer.body).toEqual({
      name: 'd',
      epoch: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      version: 1,
      rows: 2,
      bytes: 16 + 16 + 8,
      columns: [
        { name: 'x', shape: [2, 2], dtype: 'float32' },
        { name: 'y', shape: [2], dtype: 'int64' },
        { name: 'whole', shape: [2], dtype: 'float32' },
      ],
    });
    expect((await server.request('GET', '/v1/datasets/d')).body).toEqual(answer.body);
    expect(await valuesOf('d', 'rows=1')).toEqual({
      x: { shape: [2], dtype: 'float32', data: [3, 4] },
      y: { shape: [], dtype: 'int64', data: [1] },
      whole: { shape: [], dtype: 'float32', data: [6] },
    });
  });

  it('is replaced with its next version, and has another epoch when it is made again', async () => {
    const [first, second] = [
      await server.request('PUT', '/v1/datasets/d', { columns }),
      await server.request('PUT', '/v1/datasets/d', { columns: { z: [1] } }),
    ] as [TestAnswer, TestAnswer];
    expect(second.status).toBe(200);
    expect(second.headers.get('location')).toBeNull();
    const { epoch } = first.body as { epoch: string };
    expect(second.body).toMatchObject({ epoch, version: 2, rows: 1 });
    expect(second.headers.get('etag')).toBe(`"${epoch}-2"`);
    expect((await server.request('GET', '/v1/datasets/d')).headers.get('etag')).toBe(`"${epoch}-2"`);
    expect((await server.request('DELETE', '/v1/datasets/d')).status).toBe(204);
    expect((await server.request('GET', '/v1/datasets/d')).status).toBe(404);
    const again = await server.request('PUT', '/v1/datasets/d', { columns });
    expect(again.status).toBe(201);
    expect(again.body).toMatchObject({ version: 1 });
    expect((again.body as { epoch: string }).epoch).not.toBe(epoch);
  });

  it('that is large is read by a worker, bit for bit, and read back by rows in place', async () => {
    const x = Array.from({ length: 60_000 }, (_, i) => Math.fround(Math.sin(i)));
    const { status } = await server.request('PUT', '/v1/datasets/d', {
      columns: { x: { shape: [6000, 10], data: x } },
    });
    expect(status).toBe(201);
    const { x: part } = await valuesOf('d', 'rows=1000:2000');
    expect(part!.shape).toEqual([1000, 10]);
    expect(part!.data.map((value) => Math.fround(value as number))).toEqual(x.slice(10_000, 20_000));
  });

  it.each([
    ['no columns', {}, 'INVALID_REQUEST', 'columns: must be an object of tensors by name'],
    ['a list', { columns: [] }, 'INVALID_REQUEST', 'must be an object of tensors by name'],
    ['another field', { columns: { x: [1] }, dtype: 'int64' }, 'INVALID_REQUEST', 'dtype'],
    ['ragged lists', { columns: { x: [[1], [2, 3]] } }, 'TENSOR_INVALID', 'columns.x[1]'],
    [
      'columns of other lengths',
      { columns: { x: [1], y: [1, 2] } },
      'DATASET_INVALID',
      'columns.y: has 2 rows',
    ],
    ['no rows', { columns: { x: [] } }, 'DATASET_INVALID', 'columns: have no rows'],
  ])('with %s is refused', async (_what, body, code, detail) => {
    const answer = await server.request('PUT', '/v1/datasets/d', body);
    expect(answer.body).toMatchObject({ code, detail: expect.stringContaining(detail) as string });
  });

  it('has no names that would reach a prototype', async () => {
    const answer = await put('d', 'application/json', '{"columns": {"__proto__": [1]}}');
    expect(answer.body).toMatchObject({ code: 'INVALID_JSON' });
    for (const name of ['__proto__', 'constructor', 'a b', '-']) {
      const { status, body } = await put(
        encodeURIComponent(name),
        'application/json',
        '{"columns": {"x": [1]}}',
      );
      expect([status, (body as Problem).code]).toEqual([422, 'NAME_INVALID']);
    }
  });
});

describe('a data set of CSV', () => {
  it('has a float32 column for each name of the header', async () => {
    const text = '"x, 1",constructor,__proto__\r\n1,2,-3.5\r\n\r\n4e2,"5",nan\r\n';
    const { status, body } = await put('d', 'text/csv; charset=utf-8', text);
    expect(status).toBe(201);
    expect(body).toMatchObject({ rows: 2, bytes: 24 });
    const { values } = (await server.request('GET', '/v1/datasets/d?rows=:')).body as { values: object };
    expect(
      Object.entries(values).map(([name, { data }]: [string, { data: unknown[] }]) => [name, data]),
    ).toEqual([
      ['x, 1', [1, 400]],
      ['constructor', [2, 5]],
      ['__proto__', [-3.5, 'NaN']],
    ]);
    expect(Object.keys(await valuesOf('d', 'columns=x%2C 1&columns=constructor'))).toEqual([
      'x, 1',
      'constructor',
    ]);
  });

  it('of many parts has the numbers that JSON.parse and float32 make of its text', async () => {
    const rows = Array.from({ length: 150_000 }, (_, i) => [i, Math.sin(i) * 10 ** (i % 30)] as const);
    const text = `i,x\n${rows.map(([i, x]) => `${i},${x}`).join('\n')}`;
    expect(text.length).toBeGreaterThan(2.5 * 2 ** 20);
    expect((await put('d', 'text/csv', text)).body).toMatchObject({ rows: rows.length });
    const { i, x } = await valuesOf('d', 'rows=49990:50010');
    expect(i!.data).toEqual(rows.slice(49_990, 50_010).map(([at]) => at));
    expect(x!.data.map((value) => Math.fround(value as number))).toEqual(
      rows.slice(49_990, 50_010).map(([, value]) => Math.fround(value)),
    );
    const { i: last } = await valuesOf('d', 'rows=-1&columns=i');
    expect(last!.data).toEqual([149_999]);
  });

  it('may come in chunks without a length, and compressed', async () => {
    const text = 'x\n1\n2\n';
    expect((await put('a', 'text/csv', new Blob([text]).stream())).status).toBe(201);
    const packed = new Uint8Array(gzipSync(text));
    expect((await put('b', 'text/csv', packed, { 'content-encoding': 'gzip' })).status).toBe(201);
    for (const name of ['a', 'b']) expect((await valuesOf(name)).x!.data).toEqual([1, 2]);
  });

  it.each([
    ['no number', 'x,y\n1,2\n3,four\n', 'line 3, column "y": must be a number, not "four"'],
    ['a cell too few', 'x,y\n1\n', 'line 2: has 1 cells where the header has 2'],
    ['a column twice', 'x,x\n1,2\n', 'columns.x: is there twice'],
    ['a column without a name', 'x,\n1,2\n', 'columns[1]: has no name'],
    ['a header alone', 'x,y\n', 'columns: have no rows'],
    ['nothing', '', 'there is no header line'],
  ])('with %s is refused, and the data set before stays', async (_what, text, detail) => {
    await put('d', 'text/csv', 'x\n7\n');
    const answer = await put('d', 'text/csv', text);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      code: 'DATASET_INVALID',
      detail: expect.stringContaining(detail) as string,
    });
    expect((await valuesOf('d')).x!.data).toEqual([7]);
  });
});

describe("a data set of numpy's files", () => {
  it('is one column named data of an .npy', async () => {
    const { body } = await put('d', 'application/x-npy', bytesOf(arrays.fortran!.npy));
    expect(body).toMatchObject({ columns: [{ name: 'data', shape: [2, 3, 4], dtype: 'float32' }] });
    expect((await valuesOf('d')).data!.data).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });

  it.each(['application/x-npz', 'application/zip'])(
    'has the arrays of an .npz by name (%s)',
    async (type) => {
      for (const archive of Object.values(archives)) {
        const { body } = await put('d', type, bytesOf(archive));
        expect(body).toMatchObject({ rows: 4, bytes: 48 + 32 });
        expect(await valuesOf('d')).toEqual({
          x: { shape: [4, 3], dtype: 'float32', data: Array.from({ length: 12 }, (_, i) => i) },
          y: { shape: [4], dtype: 'int64', data: [0, 1, 1, 0] },
        });
      }
    },
  );

  it('that is damaged or none is refused, and the data set before stays', async () => {
    await put('d', 'text/csv', 'x\n7\n');
    const file = bytesOf(archives.stored!);
    const changed = file.map((byte, at) => (at === 200 ? byte ^ 1 : byte));
    for (const [type, bytes] of [
      ['application/x-npz', changed],
      ['application/x-npz', file.subarray(1)],
      ['application/x-npy', file],
      ['application/x-npy', bytesOf(arrays.scalar!.npy)],
    ] as const) {
      const answer = await put('d', type, bytes);
      expect(answer.body).toMatchObject({ status: 422, code: 'DATASET_INVALID' });
    }
    expect((await valuesOf('d')).x!.data).toEqual([7]);
  });

  it('that promises more than it has is refused before any memory is taken for it', async () => {
    const head = npyFile(new TensorValue('float32', [0], new Float32Array(0)));
    const lying = Buffer.from(head.toString('latin1').replace('(0,)', '(2147483648,)'), 'latin1');
    expect((await put('d', 'application/x-npy', new Uint8Array(lying))).body).toMatchObject({
      code: 'DATASET_INVALID',
      detail: expect.stringContaining('f4 [2147483648] has 8589934592') as string,
    });
  });
});

describe('what is not served', () => {
  it('is 415 with what is', async () => {
    for (const type of ['application/octet-stream', 'application/x-parquet', 'text/csv; charset=utf-16']) {
      const { status, body } = await put('d', type, new Uint8Array(4), { 'x-tensor-shape': '1' });
      expect([status, (body as Problem).code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    }
    const { body } = await put('d', 'application/octet-stream', new Uint8Array(4));
    expect((body as Problem).detail).toContain(
      'send application/json, text/csv, application/x-npy or application/x-npz',
    );
    const elsewhere = await fetch(`${server.url}/v1/models`, {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: 'x\n1\n',
    });
    expect(elsewhere.status).toBe(415);
    expect(await elsewhere.text()).toContain('send application/json"');
  });

  it('is 413 where the body or the columns are too large', async () => {
    const large = await put('d', 'text/csv', new Uint8Array(4 * 2 ** 20 + 1));
    expect(large.body).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    const bytes = npyFile(new TensorValue('bool', [2 ** 21], new Uint8Array(2 ** 21)));
    const isU1 = Buffer.from(bytes.toString('latin1').replace('|b1', '|u1'), 'latin1');
    const first = await put('a', 'application/x-npy', new Uint8Array(isU1));
    expect(first.body).toMatchObject({ rows: 2 ** 21, bytes: 2 ** 23 });
    await put('b', 'text/csv', 'x\n1\n');
    const second = await put('c', 'application/x-npy', new Uint8Array(isU1));
    expect(second.body).toMatchObject({ status: 413, code: 'QUOTA_EXCEEDED' });
  });
});

describe('the list', () => {
  it('is in order of name, a page at a time, without columns', async () => {
    for (const name of ['c', 'a', 'b']) await put(name, 'text/csv', 'x\n1\n');
    const first = (await server.request('GET', '/v1/datasets?limit=2')).body as {
      datasets: Record<string, unknown>[];
      next_cursor: string;
    };
    expect(first.datasets.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(Object.keys(first.datasets[0]!)).toEqual(['name', 'epoch', 'version', 'rows', 'bytes']);
    expect(first.next_cursor).toBe('b');
    const second = await server.request('GET', `/v1/datasets?limit=2&cursor=${first.next_cursor}`);
    expect(second.body).toMatchObject({ datasets: [{ name: 'c' }], next_cursor: null });
  });
});

describe('what is not there', () => {
  it('is told with what is near', async () => {
    await put('houses', 'text/csv', 'rooms,price\n1,2\n');
    const ask = async (path: string) => (await server.request('GET', path)).body as Problem;
    expect(await ask('/v1/datasets/house')).toMatchObject({
      code: 'DATASET_NOT_FOUND',
      detail: 'there is no data set named "house": did you mean "houses"?',
    });
    expect(await ask('/v1/datasets/houses?columns=romms,price')).toMatchObject({
      code: 'COLUMN_UNKNOWN',
      errors: [{ path: 'romms', message: 'did you mean "rooms"?' }],
    });
    expect(await ask('/v1/datasets/houses?rows=0,0')).toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
    expect(await ask('/v1/datasets/houses?rows=x')).toMatchObject({ code: 'INDEX_INVALID' });
    expect(await ask('/v1/datasets/houses?row=1')).toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('/metrics', () => {
  it('has the number of data sets and their bytes', async () => {
    await put('d', 'text/csv', 'x,y\n1,2\n');
    const { text } = await server.request('GET', '/metrics');
    expect(text).toContain('\nweightroom_datasets 1\n');
    expect(text).toContain('\nweightroom_datasets_bytes 128\n');
  });
});
