// The chapter on parameter management, cell by cell, over real HTTP, with a real WebSocket watching all the while.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../server.js';
import { watch, type Watcher } from '../watcher.js';

interface Tensor {
  dtype: string;
  shape: number[];
  data: number[];
}

const linear = (inFeatures: number, outFeatures: number) => ({
  type: 'Linear',
  in_features: inFeatures,
  out_features: outFeatures,
});
const relu = { type: 'ReLU' };
const X = [
  [0.1, 0.2, 0.3, 0.4],
  [0.5, 0.6, 0.7, 0.8],
];
const LINEAR_RULE = { types: ['Linear'], parameters: ['weight'] };
const zeroBias = { types: ['Linear'], parameters: ['bias'], init: { name: 'zeros' } };

// What the same cells print in PyTorch with torch.manual_seed before each network (test/fixtures/make-chapter.py).
const expected = JSON.parse(
  readFileSync(new URL('../fixtures/chapter.json', import.meta.url), 'utf8'),
) as Record<'net' | 'net_out' | 'rgnet_out' | 'normal' | 'xavier' | 'custom' | 'tied_out', Tensor> & {
  rgnet_repr: string;
  rgnet_bias: Tensor;
};

let server: TestServer;
let stream: Watcher;
const net = '/v1/models/net';
const rgnet = '/v1/models/rgnet';
const tied = '/v1/models/tied';

beforeAll(async () => {
  server = await startServer();
  stream = await watch(server, '/v1/stream', { detail: 'values' });
});
afterAll(async () => {
  stream.close();
  await server.stop();
});

async function call<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await server.request(method, path, body);
  expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body as T;
}
const value = async (model: string, path: string, query = '') =>
  (await call<{ value: Tensor }>('GET', `${model}/parameters/${encodeURIComponent(path)}${query}`)).value;

function expectClose(actual: Tensor, wanted: Tensor, relative = 1e-5, absolute = 1e-6): void {
  expect(actual.shape).toEqual(wanted.shape);
  wanted.data.forEach((number, i) => {
    expect(Math.abs(actual.data[i]! - number)).toBeLessThanOrEqual(absolute + relative * Math.abs(number));
  });
}

describe('parameter management', () => {
  it('cell 4: net = Sequential(Linear(4, 8), ReLU(), Linear(8, 1)); net(X)', async () => {
    const built = await call<{ revision: number; repr: string }>('POST', '/v1/models', {
      name: 'net',
      seed: 0,
      architecture: 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))',
    });
    expect(built.revision).toBe(1);
    const { outputs } = await call<{ outputs: Tensor }>('POST', `${net}/forward`, { inputs: X });
    expectClose(outputs, expected.net_out);
    expect(await stream.change('net', 1)).toMatchObject({ kind: 'build', revision: 1 });
  });

  it('cell 7: net[2].state_dict()', async () => {
    const { state_dict: state } = await call<{ state_dict: Record<string, Tensor> }>(
      'GET',
      `${net}/state_dict?module=2`,
    );
    expect(Object.keys(state)).toEqual(['weight', 'bias']);
    expect(state.weight!.shape).toEqual([1, 8]);
    expect(state.bias!.shape).toEqual([1]);
  });

  it('cell 12: net[2].bias is a parameter with a value', async () => {
    const bias = await call('GET', `${net}/parameters/2.bias`);
    expect(bias).toMatchObject({
      path: '2.bias',
      kind: 'parameter',
      requires_grad: true,
      is_leaf: true,
      shape: [1],
    });
  });

  it('cell 14: net[2].weight.grad is None before a backward', async () => {
    expect(await call('GET', `${net}/parameters/2.weight`)).toMatchObject({ grad: null });
  });

  it('cell 17: named_parameters() of a layer and of the net', async () => {
    interface Listed {
      parameters: { path: string; shape: number[] }[];
    }
    const names = ({ parameters }: Listed) => parameters.map(({ path, shape }) => [path, shape]);
    expect(names(await call<Listed>('GET', `${net}/parameters?module=0`))).toEqual([
      ['weight', [8, 4]],
      ['bias', [8]],
    ]);
    expect(names(await call<Listed>('GET', `${net}/parameters`))).toEqual([
      ['0.weight', [8, 4]],
      ['0.bias', [8]],
      ['2.weight', [1, 8]],
      ['2.bias', [1]],
    ]);
  });

  it("cell 20: net.state_dict()['2.bias'].data", async () => {
    const { state_dict: state } = await call<{ state_dict: Record<string, Tensor> }>(
      'GET',
      `${net}/state_dict`,
    );
    expect(state['2.bias']).toEqual(await value(net, '2.bias'));
    expect(state['0.weight']!.data).toEqual(expected.net.data);
  });

  it('cell 23: rgnet = Sequential(block2(), Linear(4, 1)), a block factory nested four times; rgnet(X)', async () => {
    const block = { type: 'Sequential', children: [linear(4, 8), relu, linear(8, 4), relu] };
    const nested = [0, 1, 2, 3].map((i) => ({ name: `block ${i}`, block: 'block1' }));
    await call('POST', '/v1/models', {
      name: 'rgnet',
      seed: 1,
      architecture: {
        blocks: { block1: block },
        type: 'Sequential',
        children: [{ type: 'Sequential', children: nested }, linear(4, 1)],
      },
    });
    const { outputs } = await call<{ outputs: Tensor }>('POST', `${rgnet}/forward`, { inputs: X });
    expectClose(outputs, expected.rgnet_out);
  });

  it('cell 24: print(rgnet), byte for byte', async () => {
    const answer = await server.request('GET', `${rgnet}/repr`);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(answer.text.trimEnd()).toBe(expected.rgnet_repr);
  });

  it('cell 26: rgnet[0][1][0].bias.data', async () => {
    expect(await value(rgnet, '0.block 1.0.bias')).toEqual(expected.rgnet_bias);
  });

  it('cell 30: net.apply(init_normal)', async () => {
    const normal = { ...LINEAR_RULE, init: { name: 'normal', mean: 0, std: 0.01 } };
    const answer = await call('POST', `${net}/init`, { rules: [normal, zeroBias], seed: 2 });
    expect(answer).toMatchObject({ revision: 2 });
    // Two float32 ulps, where PyTorch's own builds differ.
    expectClose(await value(net, '0.weight'), expected.normal, 2.4e-7, 0);
    expect((await value(net, '0.bias')).data).toEqual(Array(8).fill(0));
    const change = await stream.change('net', 2);
    expect(change.kind).toBe('init');
    expect(new Set(change.parameters.map(({ path }) => path))).toEqual(
      new Set(['0.weight', '0.bias', '2.weight', '2.bias']),
    );
  });

  it('cell 32: net.apply(init_constant)', async () => {
    const ones = { ...LINEAR_RULE, init: { name: 'constant', val: 1 } };
    await call('POST', `${net}/init`, { rules: [ones, zeroBias] });
    expect((await value(net, '0.weight')).data).toEqual(Array(32).fill(1));
  });

  it('cell 34: net[0].apply(init_xavier); net[2].apply(init_42)', async () => {
    const xavier = { ...LINEAR_RULE, init: { name: 'xavier_uniform' } };
    await call('POST', `${net}/init`, { module: '0', rules: [xavier], seed: 3 });
    await call('POST', `${net}/init`, {
      module: '2',
      rules: [{ ...LINEAR_RULE, init: { name: 'constant', val: 42 } }],
    });
    expect(await value(net, '0.weight')).toEqual(expected.xavier);
    expect((await value(net, '2.weight')).data).toEqual(Array(8).fill(42));
  });

  it('cell 38: a custom init: uniform(-10, 10), then zero where |w| < 5, with its negative zeros', async () => {
    const custom = { ...LINEAR_RULE, init: { name: 'uniform', a: -10, b: 10, then: 'w * (abs(w) >= 5)' } };
    await call('POST', `${net}/init`, { rules: [custom], seed: 4 });
    const answer = await server.request('GET', `${net}/parameters/0.weight`);
    const { value: tensor } = answer.body as { value: Tensor };
    expect(tensor).toEqual(expected.custom);
    expect(tensor.data.some((number) => Object.is(number, -0))).toBe(true);
    expect(answer.text).toMatch(/-0[,\]]/);
  });

  it('cell 40: weight.data[:] += 1; weight.data[0, 0] = 42; weight.data[0]', async () => {
    const before = (await value(net, '0.weight', '?index=0')).data;
    const answer = await call<{ revision: number }>('PATCH', `${net}/parameters/0.weight`, {
      ops: [
        { op: 'add', index: ':', value: 1 },
        { op: 'set', index: '0,0', value: 42 },
      ],
    });
    const row = await value(net, '0.weight', '?index=0');
    expect(row.shape).toEqual([4]);
    expect(row.data).toEqual([42, ...before.slice(1).map((number) => Math.fround(number + 1))].map(shortest));
    const change = await stream.change('net', answer.revision);
    expect(change).toMatchObject({ kind: 'patch', parameters: [{ path: '0.weight', aliases: [] }] });
    expect(change.parameters[0]!.value!.data.slice(0, 4)).toEqual(row.data);
  });

  it('cell 43: a shared layer at two places; net(X)', async () => {
    await call('POST', '/v1/models', {
      name: 'tied',
      seed: 5,
      architecture: {
        shared: { shared: linear(8, 8) },
        type: 'Sequential',
        children: [linear(4, 8), relu, { shared: 'shared' }, relu, { shared: 'shared' }, relu, linear(8, 1)],
      },
    });
    const { outputs } = await call<{ outputs: Tensor }>('POST', `${tied}/forward`, { inputs: X });
    expectClose(outputs, expected.tied_out);
  });

  it('cell 44: net[2].weight.data[0] == net[4].weight.data[0]', async () => {
    expect(await value(tied, '2.weight', '?index=0')).toEqual(await value(tied, '4.weight', '?index=0'));
  });

  it('cell 45: net[2].weight.data[0, 0] = 100 is seen through both names, and so is the change', async () => {
    const answer = await call<{ revision: number }>('PUT', `${tied}/parameters/2.weight?index=0,0`, {
      value: 100,
    });
    expect((await value(tied, '4.weight', '?index=0,0')).data).toEqual([100]);
    const change = await stream.change('tied', answer.revision);
    expect(change.parameters).toMatchObject([{ path: '2.weight', aliases: ['4.weight'], index: '0,0' }]);
  });

  it('afterwards: the stream has shown every revision of every model once, in order', async () => {
    for (const [model, base] of Object.entries({ net, rgnet, tied })) {
      const { revision } = await call<{ revision: number }>('GET', base);
      await stream.change(model, revision);
      expect(stream.revisions(model)).toEqual(Array.from({ length: revision }, (_, i) => i + 1));
    }
  });
});

/** The number that the shortest text of a float32 reads as. */
function shortest(float: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(float.toPrecision(digits));
    if (Math.fround(text) === float) return text;
  }
  return float;
}
