// What each route makes of a request: the call to the inner API, the status, the headers. Nothing is computed.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEcho, type EchoServer } from './echo.js';

let server: EchoServer;

beforeAll(async () => {
  server = await startEcho();
});
afterAll(() => server.stop());
afterEach(() => server.answerWith(undefined));

async function send(method: string, path: string, body?: unknown) {
  const answer = await fetch(server.url + path, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** The inner call that a request becomes. */
async function callOf(method: string, path: string, body?: unknown) {
  const { status, text } = await send(method, path, body);
  expect(status, text).toBeLessThan(300);
  return server.last();
}

/** The faults of a refused request, as `path: message`. */
async function faultsOf(method: string, path: string, body?: unknown): Promise<string[]> {
  const { status, text } = await send(method, path, body);
  expect(status, text).toBe(422);
  const { errors } = JSON.parse(text) as { errors: { path: string; message: string }[] };
  return errors.map(({ path: at, message }) => `${at}: ${message}`);
}

describe('models', () => {
  it('build takes name, seed and any architecture, and answers 201 with Location and ETag', async () => {
    const body = { name: 'a.b-c_1', seed: 7, architecture: 'nn.ReLU()' };
    const { status, headers } = await send('POST', '/v1/models', body);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe('/v1/models/a.b-c_1');
    expect(headers.get('etag')).toBe('"e-3"');
    expect(server.last()).toEqual({ method: 'build', args: [body] });
    const tree = { type: 'Sequential', children: [{ type: 'Linear', in_features: 1, out_features: 1 }] };
    expect((await callOf('POST', '/v1/models', { name: 'b', architecture: tree }))?.args).toEqual([
      { name: 'b', architecture: tree },
    ]);
  });

  it('build reports every fault at once, with the nearest field', async () => {
    expect(await faultsOf('POST', '/v1/models', { nmae: 'a', seed: 1.5, architecture: 'nn.ReLU()' })).toEqual(
      [
        'name: is required',
        'seed: must be a whole number from -9007199254740991 to 9007199254740991',
        'nmae: unknown field; did you mean name?',
      ],
    );
    expect(await faultsOf('POST', '/v1/models', { name: 'a' })).toEqual(['architecture: is required']);
    expect(await faultsOf('POST', '/v1/models', [])).toEqual(['body: expected object, received array']);
    expect(await faultsOf('POST', '/v1/models', { name: 'a', seed: 2 ** 53, architecture: '' })).toEqual([
      'seed: must be a whole number from -9007199254740991 to 9007199254740991',
    ]);
  });

  it('list pages', async () => {
    expect(await callOf('GET', '/v1/models')).toEqual({ method: 'list', args: [{ limit: 100 }] });
    expect((await callOf('GET', '/v1/models?limit=2&cursor=a%20b'))?.args).toEqual([
      { limit: 2, cursor: 'a b' },
    ]);
    for (const limit of ['0', '1001', '-1', '1.5', 'x', '']) {
      expect(await faultsOf('GET', `/v1/models?limit=${limit}`)).toEqual([
        'query.limit: must be a whole number from 1 to 1000',
      ]);
    }
    expect(await faultsOf('GET', '/v1/models?limit=1&limit=2')).toHaveLength(1);
  });

  it('delete answers 204 without a body', async () => {
    const { status, text } = await send('DELETE', '/v1/models/net');
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect(server.last()).toEqual({ method: 'delete', args: ['net'] });
  });

  it('repr is text, with the ETag', async () => {
    const { headers, text } = await send('GET', '/v1/models/net/repr');
    expect(text).toBe('Sequential()');
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(headers.get('etag')).toBe('"e-3"');
  });

  it.each(['__proto__', 'constructor', 'nix', '-a', 'a%2Fb', '%00', 'a'.repeat(65)])(
    'a name that is not there (%s) is 404, whatever it is',
    async (name) => {
      expect((await send('GET', `/v1/models/${name}`)).status).toBe(404);
    },
  );
});

describe('paths', () => {
  it.each([
    ['', ''],
    ['0', '0'],
    ['-1', '-1'],
    ['1:3', '1:3'],
    ['0.block%201.0', '0.block 1.0'],
    ['a%2Fb', 'a/b'],
    ['100%25', '100%'],
    ['a%252Fb', 'a%2Fb'],
    ['%3F%23%26', '?#&'],
    ['%E2%82%AC', '€'],
    ['a+b', 'a+b'],
    ['__proto__', '__proto__'],
  ])('%j reaches the model as %j', async (written, path) => {
    expect(await callOf('GET', `/v1/models/net/modules/${written}`)).toEqual({
      method: 'module',
      args: [path],
    });
    expect((await callOf('GET', `/v1/models/net/parameters/${written}`))?.args[0]).toBe(path);
  });
});

describe('modules', () => {
  const node = { type: 'Linear', in_features: 1, out_features: 1 };

  it('list takes a prefix', async () => {
    expect(await callOf('GET', '/v1/models/net/modules')).toEqual({
      method: 'modules',
      args: [{ prefix: '', limit: 100_000 }],
    });
    expect((await callOf('GET', '/v1/models/net/modules?prefix=0.block%201'))?.args).toEqual([
      { prefix: '0.block 1', limit: 100_000 },
    ]);
  });

  it('put takes {"architecture"} or the node itself', async () => {
    const call = { method: 'putModule', args: ['0', node] };
    expect(await callOf('PUT', '/v1/models/net/modules/0', { architecture: node })).toEqual(call);
    expect(await callOf('PUT', '/v1/models/net/modules/0', node)).toEqual(call);
    expect((await callOf('PUT', '/v1/models/net/modules/0', 'nn.ReLU()'))?.args).toEqual(['0', 'nn.ReLU()']);
    expect((await callOf('PUT', '/v1/models/net/modules/0', { ref: '2' }))?.args).toEqual([
      '0',
      { ref: '2' },
    ]);
    expect(await faultsOf('PUT', '/v1/models/net/modules/0', { archtecture: node })).toEqual([
      'architecture: is required',
      'archtecture: unknown field; did you mean architecture?',
    ]);
  });

  it('delete removes', async () => {
    expect(await callOf('DELETE', '/v1/models/net/modules/2')).toEqual({
      method: 'removeModule',
      args: ['2'],
    });
  });
});

describe('parameters', () => {
  it('list takes module, recurse and kind', async () => {
    expect((await callOf('GET', '/v1/models/net/parameters'))?.args).toEqual([
      { module: '', recurse: true, kind: 'parameter', limit: 100_000, wanted: {} },
    ]);
    expect((await callOf('GET', '/v1/models/net/parameters?module=0&recurse=false&kind=all'))?.args).toEqual([
      { module: '0', recurse: false, kind: 'all', limit: 100_000, wanted: {} },
    ]);
    expect(await faultsOf('GET', '/v1/models/net/parameters?recurse=yes&kind=x&modul=0')).toEqual([
      'query.recurse: must be true or false',
      'query.kind: must be parameter, buffer or all',
      'query.modul: unknown field; did you mean module?',
    ]);
  });

  it('read takes an index and a layout', async () => {
    expect(
      (await callOf('GET', '/v1/models/net/parameters/0.weight?index=0,1:3&layout=nested'))?.args,
    ).toEqual(['0.weight', { index: '0,1:3' }]);
    expect(await faultsOf('GET', '/v1/models/net/parameters/0.weight?layout=deep')).toEqual([
      'query.layout: must be flat or nested',
    ]);
  });

  it.each([
    ['include=value', { value: true, grad: false, stats: false, bins: undefined }],
    ['include=stats,grad', { value: false, grad: true, stats: true, bins: undefined }],
    ['include=histogram', { value: false, grad: false, stats: true, bins: 32 }],
    ['include=value,histogram&bins=8', { value: true, grad: false, stats: true, bins: 8 }],
    ['bins=-1,0,1', { value: false, grad: false, stats: true, bins: [-1, 0, 1] }],
    ['include=', { value: false, grad: false, stats: false, bins: undefined }],
  ])('list and read take what of the numbers is wanted: %s', async (query, wanted) => {
    const [listed] = (await callOf('GET', `/v1/models/net/parameters?${query}`))!.args;
    expect(listed).toMatchObject({ wanted });
    const [, read] = (await callOf('GET', `/v1/models/net/parameters/0.weight?${query}`))!.args;
    expect(read).toEqual({ index: undefined, wanted });
  });

  it.each(['', '/0.weight'])('list and read refuse other words and bins', async (path) => {
    const url = `/v1/models/net/parameters${path}`;
    expect(await faultsOf('GET', `${url}?include=values,bias&bins=1,0`)).toEqual([
      'query.include: "values" is none of value, grad, stats, histogram; did you mean value?',
      'query.include: "bias" is none of value, grad, stats, histogram',
      'query.bins: edges must ascend: 0 comes after 1',
    ]);
    expect(await faultsOf('GET', `${url}?bins=many`)).toEqual([
      'query.bins: must be a number of bins, or edges',
    ]);
    expect(await faultsOf('GET', `${url}?bins=1025`)).toEqual([
      'query.bins: must be a whole number from 1 to 1024, or edges',
    ]);
    expect(await faultsOf('GET', `${url}?bins=1&bins=2`)).toEqual([
      'query.bins: must be given once, with commas between',
    ]);
  });

  it.each([
    [{ value: [[1, 2]] }, [[1, 2]]],
    [[[1, 2]], [[1, 2]]],
    [3, 3],
    ['NaN', 'NaN'],
    [{ value: 'Infinity' }, 'Infinity'],
    [
      { shape: [1], data: [1] },
      { shape: [1], data: [1] },
    ],
    [{ value: { dtype: 'float32', shape: [1], data: [1] } }, { dtype: 'float32', shape: [1], data: [1] }],
  ])('put takes %j', async (body, value) => {
    expect((await callOf('PUT', '/v1/models/net/parameters/0.bias', body))?.args).toEqual([
      '0.bias',
      { value },
    ]);
  });

  it('put takes an index in the query', async () => {
    expect((await callOf('PUT', '/v1/models/net/parameters/0.bias?index=0', { value: 1 }))?.args).toEqual([
      '0.bias',
      { value: 1, index: '0' },
    ]);
    expect(await faultsOf('PUT', '/v1/models/net/parameters/0.bias', { valu: 1 })).toEqual([
      'value: is required',
      'valu: unknown field; did you mean value?',
    ]);
  });

  it('patch of one takes each op', async () => {
    const body = {
      ops: [
        { op: 'add', index: ':', value: 1 },
        { op: 'set', index: '0,0', value: 42 },
        { op: 'sub', value: [1] },
        { op: 'mul', value: 2 },
        { op: 'div', value: 2 },
        { op: 'clamp', min: -1, max: 1 },
        { op: 'map', expression: 'w * 2' },
      ],
      requires_grad: false,
    };
    const call = await callOf('PATCH', '/v1/models/net/parameters/0.weight', body);
    expect(call?.args).toEqual(['0.weight', body]);
  });

  it('clamp takes the words for numbers that JSON cannot write', async () => {
    const ops = [{ op: 'clamp', min: '-Infinity', max: 'NaN' }];
    const call = await callOf('PATCH', '/v1/models/net/parameters/0.weight', { ops });
    expect(call?.args[1]).toEqual({ ops: [{ op: 'clamp', min: -Infinity, max: NaN }] });
    expect(
      await faultsOf('PATCH', '/v1/models/net/parameters/w', { ops: [{ op: 'clamp', min: 'inf' }] }),
    ).toEqual(['ops[0].min: must be a number, "NaN", "Infinity" or "-Infinity"']);
  });

  it('patch of many hands the paths on as a Map', async () => {
    const parameters = {
      '0.block 1.0.bias': { ops: [{ op: 'set', value: 0 }] },
      constructor: { requires_grad: true },
      toString: { requires_grad: true },
    };
    const call = await callOf('PATCH', '/v1/models/net/parameters', { parameters });
    expect(call?.args).toEqual([new Map(Object.entries(parameters))]);
  });

  it('patch reports the faults of all parameters at once', async () => {
    const faults = await faultsOf('PATCH', '/v1/models/net/parameters', {
      parameters: {
        '0.weight': { ops: [{ op: 'add' }, { op: 'pow', value: 2 }, { op: 'clamp', mni: 1 }] },
        bias: {},
        a: { ops: [] },
        b: { ops: [{ op: 'set', value: 1, index: 0 }], requiresgrad: true },
      },
    });
    expect(faults).toEqual([
      'parameters["0.weight"].ops[0].value: is required',
      'parameters["0.weight"].ops[1].op: must be one of set, add, sub, mul, div, clamp, map',
      'parameters["0.weight"].ops[2].mni: unknown field; did you mean min?',
      'parameters.bias: needs ops or requires_grad',
      'parameters.a.ops: must not be empty',
      'parameters.b.ops[0].index: must be a string, e.g. "0,0"',
      'parameters.b.requiresgrad: unknown field; did you mean requires_grad?',
    ]);
  });
});

describe('init', () => {
  const rule = { types: ['Linear'], parameters: ['weight'], init: { name: 'normal', mean: 0, std: 0.01 } };

  it('takes a module, rules and a seed', async () => {
    const body = { module: '0', rules: [rule], seed: 7 };
    expect(await callOf('POST', '/v1/models/net/init', body)).toEqual({ method: 'init', args: [body] });
    expect(
      (await callOf('POST', '/v1/models/net/init', { rules: [{ init: { name: 'zeros' } }] }))?.args,
    ).toEqual([{ module: '', rules: [{ init: { name: 'zeros' } }] }]);
  });

  it('names what is missing and unknown', async () => {
    expect(
      await faultsOf('POST', '/v1/models/net/init', { rules: [{ type: ['Linear'] }], seeds: 1 }),
    ).toEqual([
      'rules[0].init: is required',
      'rules[0].type: unknown field; did you mean types?',
      'seeds: unknown field; did you mean seed?',
    ]);
    expect(await faultsOf('POST', '/v1/models/net/init', { rules: [] })).toEqual([
      'rules: must not be empty',
    ]);
  });
});

describe('ties', () => {
  it('take paths', async () => {
    const paths = ['0.weight', '2.weight'];
    expect(await callOf('POST', '/v1/models/net/ties', { paths })).toEqual({ method: 'tie', args: [paths] });
    expect(await callOf('DELETE', '/v1/models/net/ties', { paths: ['2.weight'] })).toEqual({
      method: 'untie',
      args: [['2.weight']],
    });
    expect(await faultsOf('POST', '/v1/models/net/ties', { paths: ['a'] })).toEqual([
      'paths: must have at least two paths',
    ]);
  });
});

describe('state_dict', () => {
  it('is read of a module', async () => {
    expect((await callOf('GET', '/v1/models/net/state_dict?module=0&layout=nested'))?.args).toEqual([
      { module: '0' },
    ]);
  });

  it('is loaded strictly unless told otherwise', async () => {
    const state_dict = { '0.weight': [[1]], constructor: 1 };
    expect((await callOf('PUT', '/v1/models/net/state_dict', { state_dict }))?.args).toEqual([
      { module: '', strict: true, state: state_dict },
    ]);
    expect(
      (await callOf('PUT', '/v1/models/net/state_dict?strict=false&module=0', { state_dict }))?.args,
    ).toEqual([{ module: '0', strict: false, state: state_dict }]);
    expect(await faultsOf('PUT', '/v1/models/net/state_dict', { state_dict: [1] })).toEqual([
      'state_dict: must be an object of tensors by name',
    ]);
  });
});

describe('forward', () => {
  it('takes any inputs, a module, and a mode', async () => {
    const args = async (body: unknown) => (await callOf('POST', '/v1/models/net/forward', body))?.args;
    expect(await args({ inputs: [[1]] })).toEqual([{ inputs: [[1]], module: '', mode: 'eval' }]);
    expect(await args({ inputs: { a: [1], b: 2 }, module: '0' })).toEqual([
      { inputs: { a: [1], b: 2 }, module: '0', mode: 'eval' },
    ]);
    expect(await faultsOf('POST', '/v1/models/net/forward', { mode: 'test' })).toEqual([
      'inputs: is required',
      'mode: must be eval or train',
    ]);
  });

  it('carries the revision it ran on in its ETag', async () => {
    server.answerWith(() => ({ name: 'net', epoch: 'e', revision: 12, outputs: 1 }));
    expect((await send('POST', '/v1/models/net/forward', { inputs: 1 })).headers.get('etag')).toBe('"e-12"');
  });
});

describe('changes', () => {
  it('are read after a revision', async () => {
    expect((await callOf('GET', '/v1/models/net/changes'))?.args).toEqual([{ after: 0, limit: 100 }]);
    expect((await callOf('GET', '/v1/models/net/changes?after=12&limit=5'))?.args).toEqual([
      { after: 12, limit: 5 },
    ]);
    expect(await faultsOf('GET', '/v1/models/net/changes?after=-1')).toHaveLength(1);
  });
});
