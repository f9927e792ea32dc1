// Models of several inputs and outputs, over HTTP and the stream, on a whole server.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startServer, type TestServer } from '../server.js';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

interface Tensor {
  readonly shape: number[];
  readonly data: number[];
}
interface Answer {
  readonly revision: number;
  readonly outputs: Tensor & Record<string, Tensor>;
  readonly code: string;
  readonly detail: string;
  readonly errors: { path: string; message: string }[];
}

async function send(method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer }> {
  const { status, body: answer } = await server.request(method, path, body);
  return { status, body: answer as Answer };
}

const sumAndProduct = {
  type: 'Graph',
  inputs: ['a', 'b'],
  nodes: [
    { name: 'sum', op: 'add', inputs: ['a', 'b'] },
    { name: 'product', op: 'mul', inputs: ['a', 'b'] },
  ],
  outputs: ['sum', 'product'],
};
const sum = { ...sumAndProduct, nodes: sumAndProduct.nodes.slice(0, 1), outputs: ['sum'] };

async function build(name: string, architecture: unknown): Promise<void> {
  const { status, body } = await send('POST', '/v1/models', { name, seed: 0, architecture });
  expect([status, body.errors]).toEqual([201, undefined]);
}

describe('a Graph of several inputs', () => {
  beforeAll(async () => {
    await build('both', sumAndProduct);
    await build('sum', sum);
  });

  it('takes an object by name and answers several outputs by name, in any number of requests at once', async () => {
    const asked = Array.from({ length: 20 }, (_, i) =>
      send('POST', '/v1/models/both/forward', { inputs: { b: [[1, i]], a: [[2, 3]] } }),
    );
    (await Promise.all(asked)).forEach(({ status, body }, i) => {
      expect(status).toBe(200);
      expect(body.outputs.sum).toMatchObject({ shape: [1, 2], data: [3, 3 + i] });
      expect(body.outputs.product).toMatchObject({ shape: [1, 2], data: [2, 3 * i] });
    });
  });

  it('answers one output as a tensor', async () => {
    const inputs = { a: { shape: [2], data: [1, 2] }, b: 10 };
    const { body } = await send('POST', '/v1/models/sum/forward', { inputs });
    expect(body.outputs).toMatchObject({ shape: [2], data: [11, 12] });
  });

  it('takes and gives large tensors', async () => {
    const a = Array.from({ length: 20_000 }, (_, i) => i % 100);
    const { status, body } = await send('POST', '/v1/models/both/forward', { inputs: { a, b: a } });
    expect(status).toBe(200);
    expect(body.outputs.sum!.data).toEqual(a.map((x) => 2 * x));
    expect(body.outputs.product!.data).toEqual(a.map((x) => x * x));
  });

  it.each([
    [[1, 2], [['inputs', 'must be an object of tensors by name: a, b']]],
    [{ shape: [1], data: [1] }, [['inputs', 'must be an object of tensors by name: a, b']]],
    [{ a: 1 }, [['inputs.b', 'is missing']]],
    [{ a: 1, B: 2 }, [['inputs.B', 'there is no such input; did you mean b?'], ['inputs.b', 'is missing']]],
    [{}, [['inputs.a', 'is missing'], ['inputs.b', 'is missing']]],
  ])('refuses %j', async (inputs, faults) => {
    const { status, body } = await send('POST', '/v1/models/both/forward', { inputs });
    expect([status, body.code]).toEqual([422, 'INVALID_REQUEST']);
    expect(body.errors.map(({ path, message }) => [path, message])).toEqual(faults);
  }); // prettier-ignore

  it('says which input cannot be read, and where shapes do not fit', async () => {
    const wrong = await send('POST', '/v1/models/both/forward', { inputs: { a: [1, 'x'], b: 1 } });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'TENSOR_INVALID']);
    expect(wrong.body.errors[0]!.path).toContain('inputs.a');
    const apart = await send('POST', '/v1/models/both/forward', { inputs: { a: [1, 2, 3], b: [1, 2] } });
    expect([apart.status, apart.body.code]).toEqual([422, 'SHAPE_MISMATCH']);
    expect(apart.body.detail).toContain('The size of tensor a (3) must match the size of tensor b (2)');
    expect(apart.body.errors[0]!.path).toBe('sum');
  });

  it('gives no raw bytes of several outputs', async () => {
    const answer = await fetch(`${server.url}/v1/models/both/forward`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/octet-stream' },
      body: JSON.stringify({ inputs: { a: 1, b: 2 } }),
    });
    expect(answer.status).toBe(406);
  });

  it('is answered by name on the stream', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/stream`);
    await new Promise((resolve) => socket.once('open', resolve));
    const message = await new Promise<{ outputs: unknown }>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const read = JSON.parse(data.toString()) as { type: string; outputs: unknown };
        if (read.type === 'outputs') resolve(read);
      });
      socket.send(JSON.stringify({ type: 'forward', id: 1, model: 'both', inputs: { a: [1], b: [2] } }));
    });
    socket.close();
    expect(message.outputs).toMatchObject({ sum: { data: [3] }, product: { data: [2] } });
  });
});

describe('the modules of a Graph', () => {
  const linear = (from: number, to: number) => ({ type: 'Linear', in_features: from, out_features: to });

  it('are children by their nodes’ names, that are read, run and replaced, and neither added nor removed', async () => {
    const nodes = [
      { name: 'head', module: linear(3, 2), inputs: ['body'] },
      { name: 'body', module: linear(4, 3), inputs: ['x'] },
    ];
    await build('named', { type: 'Graph', inputs: ['x'], nodes, outputs: ['head'] });
    const { body } = await server.request('GET', '/v1/models/named/parameters');
    const { parameters } = body as { parameters: { path: string }[] };
    expect(parameters.map(({ path }) => path)).toEqual([
      'head.weight',
      'head.bias',
      'body.weight',
      'body.bias',
    ]);
    const whole = await send('POST', '/v1/models/named/forward', { inputs: [[1, 2, 3, 4]] });
    expect(whole.body.outputs.shape).toEqual([1, 2]);
    const byName = await send('POST', '/v1/models/named/forward', { inputs: { x: [[1, 2, 3, 4]] } });
    expect(byName.body.outputs).toEqual(whole.body.outputs);
    const part = await send('POST', '/v1/models/named/forward', { inputs: [[1, 2, 3, 4]], module: 'body' });
    expect(part.body.outputs.shape).toEqual([1, 3]);

    const put = await send('PUT', '/v1/models/named/modules/head', { architecture: linear(3, 5) });
    expect(put.status).toBe(200);
    const wider = await send('POST', '/v1/models/named/forward', { inputs: [[1, 2, 3, 4]] });
    expect(wider.body.outputs.shape).toEqual([1, 5]);
    const other = await send('PUT', '/v1/models/named/modules/tail', { architecture: linear(3, 5) });
    expect([other.status, other.body.code]).toEqual([422, 'MODULE_INVALID']);
    const gone = await send('DELETE', '/v1/models/named/modules/head');
    expect([gone.status, gone.body.code]).toEqual([422, 'MODULE_INVALID']);
    const unfit = await send('PUT', '/v1/models/named/modules/head', { architecture: sum });
    expect(unfit.body.errors[0]!.message).toBe('Graph takes 2 inputs (a, b), got 1');

    const { body: read } = await server.request('GET', '/v1/models/named');
    const { architecture } = read as { architecture: { nodes: unknown[] } };
    await build('again', architecture);
    expect(architecture.nodes).toEqual([
      { name: 'head', module: linear(3, 5), inputs: ['body'] },
      { name: 'body', module: linear(4, 3), inputs: ['x'] },
    ]);
  });

  it('may be Graphs, whose one output goes on; several go nowhere', async () => {
    const inner = (graph: unknown) => ({
      type: 'Graph',
      inputs: ['x'],
      nodes: [{ name: 'g', module: graph, inputs: ['x', 'x'] }],
      outputs: ['g'],
    });
    await build('inner', inner(sum));
    const { body } = await send('POST', '/v1/models/inner/forward', { inputs: [1, 2] });
    expect(body.outputs.data).toEqual([2, 4]);
    const { status, body: refused } = await send('POST', '/v1/models', {
      name: 'no',
      architecture: inner(sumAndProduct),
    });
    expect([status, refused.code]).toEqual([422, 'ARCHITECTURE_INVALID']);
    expect(refused.errors).toEqual([
      {
        path: 'architecture.nodes[0].inputs',
        message: 'Graph gives 2 outputs (sum, product), a node gives one',
      },
    ]);
  });
});
