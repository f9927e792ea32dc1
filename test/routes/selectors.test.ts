// Which parameters and modules a client means, and pages of many.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';
import { StreamClient } from './stream-client.js';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const at = '/v1/models/net';
const architecture =
  'nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 3))';
beforeEach(async () => {
  await server.request('DELETE', at);
  await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture });
  await server.request('POST', `${at}/ties`, { paths: ['2.weight', '3.weight'] });
  await server.request('PATCH', `${at}/parameters/2.bias`, { requires_grad: false });
});

interface Listed {
  readonly parameters: { readonly path: string; readonly aliases: string[] }[];
  readonly modules: { readonly path: string }[];
  readonly next_cursor: string | null;
}
async function list(query: string, what: 'parameters' | 'modules' = 'parameters') {
  const { status, text, body } = await server.request('GET', `${at}/${what}?${query}`);
  expect(status, text).toBe(200);
  const { [what]: listed, next_cursor } = body as Listed;
  return { paths: listed.map(({ path }) => path), next_cursor };
}

describe('a list of parameters', () => {
  it.each([
    ['path=**.weight', ['0.0.weight', '0.1.weight', '2.weight']],
    ['path=0.**', ['0.0.weight', '0.0.bias', '0.1.weight', '0.1.bias']],
    ['path=3.weight', ['2.weight']],
    ['path=*.bias&requires_grad=true', ['3.bias']],
    ['requires_grad=false', ['2.bias']],
    ['type=BatchNorm1d', ['0.1.weight', '0.1.bias']],
    ['type=BatchNorm1d&kind=buffer', ['0.1.running_mean', '0.1.running_var', '0.1.num_batches_tracked']],
    ['type=nn.Linear&path=0.*.*', ['0.0.weight', '0.0.bias']],
    ['path=nothing', []],
    ['module=0&path=1.*', ['1.weight', '1.bias']],
  ])('with %s has %j', async (query, paths) => {
    expect(await list(query)).toEqual({ paths, next_cursor: null });
  });

  it('comes a page at a time, each where the one before ended', async () => {
    const all = (await list('kind=all')).paths;
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let pages = 1; cursor !== null; pages++) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await list(`kind=all&limit=4${query}`);
      expect(page.paths.length).toBeLessThanOrEqual(4);
      seen.push(...page.paths);
      cursor = page.next_cursor;
      expect(pages).toBeLessThanOrEqual(Math.ceil(all.length / 4));
    }
    expect(seen).toEqual(all);
  });

  it.each([
    ['type=Linaer', 'query.type', 'unknown type; did you mean Linear?'],
    ['cursor=9.weight', 'query.cursor', 'is not the next_cursor of a page of this list'],
    ['limit=0', 'query.limit', 'must be a whole number from 1 to 100000'],
    ['requires_grad=maybe', 'query.requires_grad', 'must be true or false'],
    [`path=${'x'.repeat(300)}`, 'query.path', 'must have at most 256 characters'],
  ])('with %s is refused', async (query, path, message) => {
    const { status, body } = await server.request('GET', `${at}/parameters?${query}`);
    expect(status).toBe(422);
    expect((body as { errors: unknown[] }).errors).toContainEqual({ path, message });
  });
});

describe('a list of modules', () => {
  it.each([
    ['type=Linear', ['0.0', '2', '3']],
    ['path=0.*', ['0.0', '0.1']],
    ['path=**&type=ReLU', ['1']],
  ])('with %s has %j', async (query, paths) => {
    expect(await list(query, 'modules')).toEqual({ paths, next_cursor: null });
  });

  it('comes a page at a time', async () => {
    expect(await list('limit=2', 'modules')).toEqual({ paths: ['', '0'], next_cursor: '0' });
    expect(await list('limit=10&cursor=0', 'modules')).toEqual({
      paths: ['0.0', '0.1', '1', '2', '3'],
      next_cursor: null,
    });
  });
});

describe('a patch', () => {
  const zeros = { ops: [{ op: 'set', value: 0 }] };
  const patch = (parameters: object, more: object = {}) =>
    server.request('PATCH', `${at}/parameters`, { parameters, ...more });
  const changed = (body: unknown) => (body as Listed).parameters.map(({ path }) => path);

  it('of a glob is one of each parameter that it matches, tied ones once', async () => {
    const { status, body } = await patch({ '**.weight': zeros }, { expect_count: 3 });
    expect(status).toBe(200);
    expect(changed(body)).toEqual(['0.0.weight', '0.1.weight', '2.weight']);
    const { body: read } = await server.request('GET', `${at}/parameters/3.weight`);
    expect(read).toMatchObject({ value: { data: Array(9).fill(0) as number[] } });
  });

  it('may be of those of a type, or that are trained', async () => {
    const of = async (where: object) => changed((await patch({ '**': { ...zeros, where } })).body);
    expect(await of({ type: 'BatchNorm1d' })).toEqual(['0.1.weight', '0.1.bias']);
    expect(await of({ requires_grad: false })).toEqual(['2.bias']);
    expect(await of({ type: 'Linear', requires_grad: true })).toEqual(
      ['0.0.weight', '0.0.bias', '2.weight', '3.bias'],
    ); // prettier-ignore
  });

  it('of buffers is one where no parameter matches', async () => {
    expect(changed((await patch({ '**.running_*': zeros })).body)).toEqual([
      '0.1.running_mean',
      '0.1.running_var',
    ]);
  });

  it('that chooses another number than was expected changes nothing', async () => {
    const before = (await server.request('GET', at)).body;
    const { status, body } = await patch({ '*.bias': zeros, '2.weight': zeros }, { expect_count: 2 });
    expect(status).toBe(422);
    expect(body).toMatchObject({ errors: [{ path: 'expect_count', message: 'is 2, but 3 are chosen' }] });
    expect((await server.request('GET', at)).body).toEqual(before);
  });

  it('that chooses nothing names what is near', async () => {
    const { status, body } = await patch({ '*.wieght': zeros });
    expect(status).toBe(404);
    expect(body).toMatchObject({
      code: 'PARAMETER_NOT_FOUND',
      errors: [{ message: 'did you mean "2.weight"?' }],
    });
    const wrong = await patch({ '**': { ...zeros, where: { type: 'Linaer' } } });
    expect(wrong.body).toMatchObject({ errors: [{ path: 'parameters["**"].where.type' }] });
  });
});

describe('an init rule', () => {
  const init = (rule: object, more: object = {}) =>
    server.request('POST', `${at}/init`, { rules: [{ init: { name: 'zeros' }, ...rule }], ...more });
  const changed = (body: unknown) => (body as Listed).parameters.map(({ path }) => path);

  it.each([
    [{ paths: ['0.**'] }, ['0.0.weight', '0.0.bias', '0.1.weight', '0.1.bias']],
    [{ paths: ['*.bias', '0.0.weight'] }, ['0.0.weight', '2.bias', '3.bias']],
    [{ requires_grad: false }, ['2.bias']],
    [{ types: ['Linear'], paths: ['3.*'], requires_grad: true }, ['2.weight', '3.bias']],
  ])('of %j is one of %j', async (rule, paths) => {
    const { status, text, body } = await init(rule, { expect_count: paths.length });
    expect(status, text).toBe(200);
    expect(changed(body)).toEqual(paths);
    expect((await init(rule, { expect_count: 9 })).status).toBe(422);
  });

  it('of a path is kept for lazy layers', async () => {
    await server.request('DELETE', at);
    const lazy = 'nn.Sequential(nn.LazyLinear(2), nn.LazyLinear(2))';
    await server.request('POST', '/v1/models', { name: 'net', seed: 0, architecture: lazy });
    expect((await init({ paths: ['1.bias'] })).status).toBe(200);
    await server.request('POST', `${at}/materialize`, { shape: [1, 3] });
    const bias = async (path: string) =>
      ((await server.request('GET', `${at}/parameters/${path}`)).body as { value: { data: number[] } }).value
        .data;
    expect(await bias('1.bias')).toEqual([0, 0]);
    expect(await bias('0.bias')).not.toEqual([0, 0]);
  });
});

describe('a subscription', () => {
  it('of paths is told of what matches one of them', async () => {
    const client = await StreamClient.open(`${server.url.replace('http', 'ws')}${at}/stream`);
    client.send({ type: 'subscribe', id: 1, paths: ['*.bias', '0.0.*'] });
    await client.next();
    for (const path of ['2.weight', '2.bias', '0.1.weight', '0.0.weight']) {
      await server.request('PUT', `${at}/parameters/${path}`, { value: 0 });
    }
    const told = (await client.settled()).flatMap((message) =>
      message.type === 'change' ? message.parameters.map(({ path }) => path) : [],
    );
    expect(told).toEqual(['2.bias', '0.0.weight']);
    await client.close();
  });
});
