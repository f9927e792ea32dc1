// Lazy layers on a whole server: what they are before they have shapes, and how they get them.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';

interface Case {
  readonly notation: string;
  readonly seed: number;
  readonly shape: number[];
  readonly before: string;
  readonly after: string;
  readonly lazy: string[];
  readonly state: Readonly<Record<string, Tensor>>;
}
interface Tensor {
  readonly shape: number[];
  readonly data: number[];
}
const { cases } = JSON.parse(readFileSync(new URL('../fixtures/lazy.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

interface Answer {
  readonly revision: number;
  readonly repr: string;
  readonly code: string;
  readonly errors?: { path: string; message: string }[];
  readonly outputs: Tensor;
  readonly value: Tensor;
  readonly state_dict: Record<string, Tensor & { status?: string }>;
  readonly parameters: { path: string; shape: number[] | null; status?: string }[];
  readonly changes: { kind: string; parameters: { path: string }[] }[];
}

let server: TestServer;
let made = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

async function send(method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer }> {
  const { status, body: answer } = await server.request(method, path, body);
  return { status, body: answer as Answer };
}

/** A new model; the beginning of its paths. */
async function build(architecture: unknown, seed = 0): Promise<string> {
  const name = `m${++made}`;
  const { status, body } = await send('POST', '/v1/models', { name, seed, architecture });
  expect([status, body.errors]).toEqual([201, undefined]);
  return `/v1/models/${name}`;
}

const zeros = (shape: readonly number[]) => ({
  shape,
  data: Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0),
});

/** The names without a shape. */
async function lazyNames(model: string): Promise<string[]> {
  const { body } = await send('GET', `${model}/state_dict`);
  return Object.entries(body.state_dict).flatMap(([name, { status }]) =>
    status === 'uninitialized' ? [name] : [],
  );
}

const NET = 'nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))';

describe.each(cases)('$notation', ({ notation, seed, shape, before, after, lazy, state }) => {
  it('prints and draws what PyTorch does, in the revision before its first forward', async () => {
    const model = await build(notation, seed);
    expect((await send('GET', model)).body.repr).toBe(before);
    const counters = Object.keys(state).filter((name) => name.endsWith('num_batches_tracked'));
    expect((await lazyNames(model)).filter((name) => !counters.includes(name))).toEqual(lazy);
    const { status, body } = await send('POST', `${model}/forward`, { inputs: zeros(shape) });
    expect([status, body.revision]).toEqual([200, 2]);
    expect((await send('GET', model)).body.repr).toBe(after);
    const { state_dict } = (await send('GET', `${model}/state_dict`)).body;
    expect(Object.keys(state_dict)).toEqual(Object.keys(state));
    for (const [name, { shape: own, data }] of Object.entries(state)) {
      expect(state_dict[name]!.shape, name).toEqual(own);
      // JSON of float32, and of the same number as a double.
      expect(state_dict[name]!.data.map(Math.fround), name).toEqual(data.map(Math.fround));
    }
  });

  it('is the same whether a forward or materialize gives the shapes, and after its print', async () => {
    const [first, second, third] = [
      await build(notation, seed),
      await build(notation, seed),
      await build(before, seed),
    ];
    await send('POST', `${first}/forward`, { inputs: zeros(shape) });
    expect((await send('POST', `${second}/materialize`, { shape })).status).toBe(200);
    expect((await send('POST', `${third}/materialize`, { shape })).status).toBe(200);
    const [a, b] = [await send('GET', `${first}/state_dict`), await send('GET', `${second}/state_dict`)];
    expect(b.body.state_dict).toEqual(a.body.state_dict);
    expect((await send('GET', third)).body.repr).toBe(after);
  });
});

describe('a lazy parameter', () => {
  it('is listed without a shape, and a module says so', async () => {
    const model = await build(NET);
    const { body } = await send('GET', `${model}/parameters`);
    expect(body.parameters.map(({ path, shape, status }) => [path, shape, status])).toEqual(
      ['0.weight', '0.bias', '2.weight', '2.bias'].map((path) => [path, null, 'uninitialized']),
    );
    const one = await send('GET', `${model}/parameters/0.weight`);
    expect(one.body).toMatchObject({ path: '0.weight', shape: null, status: 'uninitialized', value: null });
    const module = await send('GET', `${model}/modules/0`);
    expect(module.body.parameters).toMatchObject([
      { path: '0.weight', shape: null },
      { path: '0.bias', shape: null },
    ]);
  });

  it.each([
    ['PUT', 'parameters/0.weight', { value: 1 }],
    ['PATCH', 'parameters/0.weight', { ops: [{ op: 'add', value: 1 }] }],
    ['PATCH', 'parameters', { parameters: { '0.bias': { requires_grad: false } } }],
    ['POST', 'ties', { paths: ['0.weight', '2.weight'] }],
  ])('cannot be changed yet: %s %s', async (method, path, body) => {
    const model = await build(NET);
    const { status, body: refused } = await send(method, `${model}/${path}`, body);
    expect([status, refused.code]).toEqual([409, 'UNINITIALIZED']);
    expect((await send('GET', model)).body.revision).toBe(1);
  });

  it('is not there under another name', async () => {
    const model = await build(NET);
    expect((await send('GET', `${model}/parameters/0.wieght`)).status).toBe(404);
    expect((await send('GET', `${model}/parameters/1.weight`)).status).toBe(404);
  });
});

describe('the first forward', () => {
  it('is one change, however many forwards begin at once, and all of them are answered', async () => {
    const model = await build(NET, 3);
    const asked = Array.from({ length: 20 }, () => send('POST', `${model}/forward`, { inputs: [[1, 2, 3]] }));
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.revision))).toEqual(new Set([2]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body.outputs))).size).toBe(1);
    const { body } = await send('GET', `${model}/changes?after=1`);
    expect(body.changes.map(({ kind, parameters }) => [kind, parameters.map(({ path }) => path)])).toEqual([
      ['materialize', ['0.weight', '0.bias', '2.weight', '2.bias']],
    ]);
  });

  it('that does not fit changes nothing', async () => {
    const model = await build('nn.Sequential(nn.LazyLinear(4), nn.Linear(5, 1))');
    const { status, body } = await send('POST', `${model}/forward`, { inputs: [[1, 2]] });
    expect([status, body.code]).toEqual([422, 'SHAPE_MISMATCH']);
    expect(await lazyNames(model)).toEqual(['0.weight', '0.bias']);
    expect((await send('GET', model)).body.revision).toBe(1);
    const groups = await build('nn.Sequential(nn.LazyConv1d(4, 1, groups=2))');
    const odd = await send('POST', `${groups}/forward`, { inputs: zeros([1, 3, 4]) });
    expect(odd.body.errors).toEqual([{ path: '0', message: 'in_channels must be divisible by groups' }]);
  });

  it('of a part gives that part its shapes', async () => {
    const model = await build(NET);
    const { status, body } = await send('POST', `${model}/forward`, { inputs: [[1, 2, 3]], module: '0' });
    expect([status, body.revision]).toEqual([200, 2]);
    expect(await lazyNames(model)).toEqual(['2.weight', '2.bias']);
    expect((await send('POST', `${model}/forward`, { inputs: [[1, 2]], module: '1' })).body.revision).toBe(2);
    expect((await send('POST', `${model}/forward`, { inputs: [[1, 2, 3]] })).body.revision).toBe(3);
  });

  it('makes one module of one that stands at two places', async () => {
    const shared = { type: 'LazyLinear', out_features: 3 };
    const model = await build({
      type: 'Sequential',
      shared: { s: shared },
      children: [{ shared: 's' }, { shared: 's' }],
    });
    expect((await send('POST', `${model}/forward`, { inputs: [[1, 2, 3]] })).status).toBe(200);
    const { body } = await send('GET', `${model}/parameters`);
    expect(body.parameters).toMatchObject([{ path: '0.weight', aliases: ['1.weight'] }, { path: '0.bias' }]);
  });

  it('comes after a module is put that is lazy', async () => {
    const model = await build('nn.Sequential(nn.Linear(2, 3))');
    const put = send('PUT', `${model}/modules/1`, { architecture: 'nn.LazyLinear(2)' });
    const forward = send('POST', `${model}/forward`, { inputs: [[1, 2]] });
    const again = send('POST', `${model}/forward`, { inputs: [[1, 2]] });
    expect((await put).status).toBe(200);
    expect([(await forward).status, (await again).status]).toEqual([200, 200]);
    expect((await send('POST', `${model}/forward`, { inputs: [[1, 2]] })).body.outputs.shape).toEqual([1, 2]);
    expect(await lazyNames(model)).toEqual([]);
  });
});

describe('an init before there are shapes', () => {
  it('is done after the layer’s own, in order, when there are', async () => {
    const model = await build(NET, 5);
    const rules = [
      { types: ['Linear'], parameters: ['bias'], init: { name: 'constant', val: 2 } },
      { types: ['LazyLinear'], parameters: ['weight'], init: { name: 'ones' } },
    ];
    const { status, body } = await send('POST', `${model}/init`, { rules });
    expect([status, body.revision, body.parameters]).toEqual([200, 2, []]);
    const again = [{ parameters: ['weight'], init: { name: 'constant', val: 3 } }];
    expect((await send('POST', `${model}/init`, { rules: again, module: '2' })).status).toBe(200);
    const answer = await send('POST', `${model}/forward`, { inputs: [[1, 1]] });
    expect(answer.body.outputs.data).toEqual([50, 50]);
    expect((await send('GET', `${model}/parameters/0.bias`)).body.value.data).toEqual([2, 2, 2, 2]);
  });

  it('draws from the generator as it would have after them', async () => {
    const [early, late] = [await build(NET, 5), await build(NET, 5)];
    const rules = [{ init: { name: 'normal', std: 0.5 } }];
    await send('POST', `${early}/init`, { rules, module: '2' });
    await send('POST', `${early}/materialize`, { shape: [1, 3] });
    await send('POST', `${late}/materialize`, { shape: [1, 3] });
    await send('POST', `${late}/init`, { rules, module: '2' });
    const values = [early, late].map(
      async (model) => (await send('GET', `${model}/state_dict`)).body.state_dict,
    );
    expect(await values[0]).toEqual(await values[1]);
  });

  it('is refused where no shape would fit it', async () => {
    const model = await build(NET);
    const rules = [{ parameters: ['bias'], init: { name: 'xavier_uniform' } }];
    const { status, body } = await send('POST', `${model}/init`, { rules });
    expect([status, body.code]).toEqual([422, 'INIT_INVALID']);
    expect(body.errors![0]!.message).toContain('0.bias: ');
    const odd = [{ parameters: ['wieght'], init: { name: 'ones' } }];
    const { body: unknown } = await send('POST', `${model}/init`, { rules: odd });
    expect(unknown.errors![0]!.message).toContain('did you mean weight?');
  });
});

describe('materialize', () => {
  it('takes shapes by name where there are several inputs', async () => {
    const lazy = { type: 'LazyLinear', out_features: 2 };
    const model = await build({
      type: 'Graph',
      inputs: ['a', 'b'],
      nodes: [
        { name: 'left', module: lazy, inputs: ['a'] },
        { name: 'right', module: lazy, inputs: ['b'] },
        { name: 'sum', op: 'add', inputs: ['left', 'right'] },
      ],
      outputs: ['sum'],
    });
    const inputs = { a: { shape: [1, 3] }, b: { shape: [1, 5], dtype: 'float32' } };
    const { status, body } = await send('POST', `${model}/materialize`, { inputs });
    expect([status, body.parameters.map(({ path }) => path)]).toEqual([
      200,
      ['left.weight', 'left.bias', 'right.weight', 'right.bias'],
    ]);
    const again = await send('POST', `${model}/materialize`, { inputs });
    expect([again.status, again.body.revision, again.body.parameters]).toEqual([200, 2, []]);
    const wrong = await send('POST', `${await build(NET)}/materialize`, { inputs });
    expect([wrong.status, wrong.body.errors![0]!.path]).toEqual([422, 'inputs']);
  });

  it.each([
    [{}, 422, 'INVALID_REQUEST'],
    [{ shape: [-1] }, 422, 'INVALID_REQUEST'],
    [{ shape: [2, 3], extra: 1 }, 422, 'INVALID_REQUEST'],
    [{ shape: [2 ** 20, 2 ** 20, 2 ** 20] }, 422, 'INVALID_REQUEST'],
    [{ shape: [] }, 422, 'SHAPE_MISMATCH'],
    [{ shape: [2, 2 ** 31] }, 422, 'SHAPE_MISMATCH'],
    [{ shape: [2, 3], module: '7' }, 404, 'MODULE_NOT_FOUND'],
    [{ shape: [1, 2 ** 30] }, 413, 'QUOTA_EXCEEDED'],
  ])('refuses %j', async (request, expected, code) => {
    const model = await build(NET);
    const { status, body } = await send('POST', `${model}/materialize`, request);
    expect([status, body.code]).toEqual([expected, code]);
    expect(await lazyNames(model)).toHaveLength(4);
  });
});

describe('a state that is loaded', () => {
  it('gives shapes, as load_state_dict does', async () => {
    const [from, to] = [
      await build('nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))', 1),
      await build(NET, 2),
    ];
    const { state_dict } = (await send('GET', `${from}/state_dict`)).body;
    const { status, body } = await send('PUT', `${to}/state_dict`, { state_dict });
    expect([status, body.revision]).toEqual([200, 2]);
    expect((await send('GET', `${to}/state_dict`)).body.state_dict).toEqual(state_dict);
    expect((await send('POST', `${to}/forward`, { inputs: [[1, 2, 3]] })).body.revision).toBe(2);
  });

  it('may have parameters without a shape, as a lazy model’s own state has', async () => {
    const model = await build(NET);
    const { state_dict } = (await send('GET', `${model}/state_dict`)).body;
    const { status } = await send('PUT', `${model}/state_dict`, { state_dict });
    expect(status).toBe(200);
    expect(await lazyNames(model)).toHaveLength(4);
  });

  it('is refused where it gives a bias alone, which does not tell the weight', async () => {
    const model = await build(NET);
    const body = { state_dict: { '0.bias': [1, 2, 3, 4] } };
    const { status, body: refused } = await send('PUT', `${model}/state_dict?strict=false`, body);
    expect([status, refused.code]).toEqual([422, 'STATE_DICT_MISMATCH']);
    expect((await send('GET', model)).body.revision).toBe(1);
  });
});
