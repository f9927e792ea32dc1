import fc from 'fast-check';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '#src/models/model.js';
import type { ForwardRequest } from '#src/models/forward.js';
import type { Outputs } from '#src/models/forwards.js';
import { HeldTensor } from '#src/runtime/held-tensor.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from './engine.js';

const mlp = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))';
const convnet =
  'nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5), nn.Softmax(dim=1))';

/** Sums of branches, numbers written in a text, and a product of two that come of the input. */
const graph = {
  type: 'Graph',
  inputs: ['x'],
  nodes: [
    {
      name: 'wide',
      module: {
        type: 'Residual',
        children: [{ type: 'Linear', in_features: 4, out_features: 4 }, { type: 'Tanh' }],
      },
      inputs: ['x'],
    },
    {
      name: 'lambda',
      module: { type: 'Lambda', expression: 'where(x > 0.5, x ** 1.5, 2 - x) / 3' },
      inputs: ['wide'],
    },
    { name: 'row', op: 'unsqueeze', dim: 1, inputs: ['lambda'] },
    { name: 'column', op: 'unsqueeze', dim: 2, inputs: ['x'] },
    { name: 'outer', op: 'matmul', inputs: ['column', 'row'] },
    { name: 'sum', op: 'add', inputs: ['outer', 'row'] },
  ],
  outputs: ['sum'],
};

const sum = { type: 'Graph', nodes: [{ name: 's', op: 'add', inputs: ['a', 'b'] }], outputs: ['s'] };

/** As a worker needs some time for: what waits behind it is not run yet. */
const slowPatch = new Map([
  ['0.weight', { ops: [{ op: 'map', expression: `${'sin('.repeat(60)}w${')'.repeat(60)}` } as const] }],
]);
const slowNet = 'nn.Sequential(nn.Linear(1024, 256), nn.Linear(256, 1))';

let engine: Engine;
let count = 0;
async function build(architecture: unknown, from = engine): Promise<Model> {
  const name = `m${count++}`;
  await from.registry.build({ name, seed: 0, architecture });
  return from.registry.get(name);
}

/** The batches that `work` makes, in forwards. */
async function batchesOf(work: () => Promise<unknown>, { registry } = engine): Promise<number[]> {
  const { batchForwards } = registry.scheduler.queue.tallies;
  const add = batchForwards.add.bind(batchForwards);
  const seen: number[] = [];
  batchForwards.add = (value) => {
    seen.push(value);
    add(value);
  };
  await work();
  batchForwards.add = add;
  return seen;
}

function bytes({ outputs }: Outputs): Uint8Array {
  const { buffer, byteOffset, byteLength } = (outputs as TensorValue).data;
  const copy = new Uint8Array(buffer, byteOffset, byteLength).slice();
  if (outputs instanceof HeldTensor) outputs.release();
  return copy;
}

describe.each([
  ['on workers', 0],
  ['on this thread', undefined],
])('forwards %s', (_where, inlineFlops) => {
  beforeAll(async () => {
    engine = await startEngine({ workers: 2, ...(inlineFlops !== undefined && { inlineFlops }) });
  });
  afterAll(() => engine.stop());

  it('of one turn are one batch, and each has its own rows, shape and revision', async () => {
    const model = await build(mlp);
    const inputs = [[[1, 2, 3, 4]], [[0, 0, 0, 0], [1, 1, 1, 1]], [[-1, 2, -3, 4]]]; // prettier-ignore
    let together: Outputs[] = [];
    const batches = await batchesOf(async () => {
      together = await Promise.all(inputs.map((x) => model.forward({ inputs: x, module: '' })));
    });
    expect(batches).toEqual([3]);
    for (const [i, x] of inputs.entries()) {
      const alone = await model.forward({ inputs: x, module: '' });
      expect(together[i]).toMatchObject({ name: model.name, revision: 1 });
      expect(together[i]!.outputs).toEqual(alone.outputs);
      expect(alone.outputs.shape).toEqual([x.length, 3]);
    }
  });

  it('give the same bits in whatever company, for any rows of any module', async () => {
    const [a, b, c] = [await build(mlp), await build(convnet), await build(graph)];
    const pixel = fc.double({ min: -4, max: 4, noNaN: true });
    const rowsOf = (row: fc.Arbitrary<unknown>) => fc.array(row, { minLength: 1, maxLength: 6 });
    const vector = (length: number) => fc.array(pixel, { minLength: length, maxLength: length });
    const request = fc.oneof(
      fc.record({ model: fc.constant(a), module: fc.constant(''), inputs: rowsOf(vector(4)) }),
      fc.record({ model: fc.constant(a), module: fc.constant('2'), inputs: rowsOf(vector(8)) }),
      fc.record({ model: fc.constant(c), module: fc.constant(''), inputs: rowsOf(vector(4)) }),
      fc.record({
        model: fc.constant(b),
        module: fc.constant(''),
        inputs: rowsOf(fc.array(vector(8), { minLength: 8, maxLength: 8 }).map((image) => [image])),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const run = ({ model, ...rest }: ForwardRequest & { model: Model }) => model.forward(rest);
        const together = await Promise.all(requests.map(run));
        for (const [i, one] of requests.entries()) expect(bytes(together[i]!)).toEqual(bytes(await run(one)));
      }),
      { numRuns: 25 },
    );
  });

  it('of another row shape, dtype, module or rank are other batches, and nothing is padded', async () => {
    const model = await build('nn.Sequential(nn.ReLU(), nn.Softmax(dim=-1))');
    const batches = await batchesOf(async () => {
      const answers = await Promise.all([
        model.forward({ inputs: [[1, 2]], module: '' }),
        model.forward({ inputs: [[1, 2, 3]], module: '' }),
        model.forward({ inputs: [[1, 2]], module: '0' }),
        model.forward({ inputs: [1, 2], module: '' }),
        model.forward({ inputs: [[[1, 2]]], module: '' }),
        model.forward({ inputs: [[3, 4]], module: '' }),
      ]);
      const shapes = answers.map(({ outputs }) => outputs.shape);
      expect(shapes).toEqual([[1, 2], [1, 3], [1, 2], [2], [1, 1, 2], [1, 2]]);
    });
    expect(batches.sort()).toEqual([1, 1, 1, 1, 2]);
  });

  it('of sums of branches are batches, those of several inputs are not', async () => {
    const [one, two] = [await build(graph), await build({ ...sum, inputs: ['a', 'b'] })];
    const rows = (model: Model, inputs: unknown) => model.forward({ inputs, module: '' });
    const together = await batchesOf(() => Promise.all([1, 2, 3].map((x) => rows(one, [[x, 0, -x, 1]]))));
    expect(together).toEqual([3]);
    const apart = await batchesOf(() => Promise.all([1, 2, 3].map((x) => rows(two, { a: [[x]], b: [[1]] }))));
    expect(apart).toEqual([1, 1, 1]);
  });

  it('go alone where a row depends on the others', async () => {
    const model = await build('nn.Softmax(dim=0)');
    const batches = await batchesOf(async () => {
      const answers = await Promise.all(
        [1, 2, 3].map((x) => model.forward({ inputs: [[x], [x]], module: '' })),
      );
      for (const { outputs } of answers) expect([...(outputs as TensorValue).data]).toEqual([0.5, 0.5]);
    });
    expect(batches).toEqual([1, 1, 1]);
  });

  it('on both sides of a change are two batches on two revisions', async () => {
    const model = await build('nn.Sequential(nn.Linear(2, 1, bias=False))');
    const forward = () => model.forward({ inputs: [[1, 1]], module: '' });
    const set = model.setParameter('0.weight', { value: [[1, 1]] });
    const before = [forward(), forward()];
    const change = model.setParameter('0.weight', { value: [[2, 2]] });
    const after = [forward(), forward(), forward()];
    const batches = await batchesOf(() => Promise.all([set, ...before, change, ...after]));
    expect(batches).toEqual([2, 3]);
    for (const answer of before)
      expect(await answer).toMatchObject({ revision: 2, outputs: { data: new Float32Array([2]) } });
    for (const answer of after)
      expect(await answer).toMatchObject({ revision: 3, outputs: { data: new Float32Array([4]) } });
  });

  it('fail alone when one has a value that is refused, in whatever company', async () => {
    const model = await build('nn.Embedding(3, 2)');
    const before = engine.memory.bytesInUse;
    const indices = [[[0]], [[5]], [[2]], { dtype: 'int64', shape: [1, 1], data: [2 ** 60] }, [[1]]];
    const answers = await Promise.allSettled(indices.map((inputs) => model.forward({ inputs, module: '' })));
    expect(answers.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(answers[1]).toMatchObject({ reason: { code: 'VALUE_INVALID' } });
    expect(answers[3]).toMatchObject({ reason: { code: 'TENSOR_INVALID' } });
    expect(engine.memory.bytesInUse).toBe(before);
  });

  it('of no rows are answered with none', async () => {
    const model = await build(mlp);
    const inputs = { shape: [0, 4], data: [] };
    const answers = await Promise.all([1, 2].map(() => model.forward({ inputs, module: '' })));
    for (const { outputs } of answers) expect(outputs.shape).toEqual([0, 3]);
  });
});

describe('many forwards', () => {
  it('that do not fit into memory together run one after the other', async () => {
    const small = await startEngine({ workers: 1, limitBytes: 2 ** 20, inlineFlops: 0 });
    const model = await build('nn.Sequential(nn.Linear(64, 1024), nn.Linear(1024, 1))', small);
    const inputs = Array.from({ length: 40 }, () => Array<number>(64).fill(1));
    const before = small.memory.bytesInUse;
    const batches = await batchesOf(async () => {
      await Promise.all(Array.from({ length: 6 }, () => model.forward({ inputs, module: '' })));
    }, small);
    expect(batches).toEqual([3, 3]);
    expect(small.memory.bytesInUse - before).toBeLessThan(2 ** 19);
    await small.stop();
  });

  it('hold their rows of a large output until they are released, and let go of all of it then', async () => {
    engine = await startEngine({ workers: 1 });
    const model = await build('nn.Linear(8, 4096)');
    const forward = (x: number) => model.forward({ inputs: [[x, x, x, x, x, x, x, x]], module: '' });
    // The weight is packed, which stays.
    bytes(await forward(0));
    const before = engine.memory.bytesInUse;
    const held = await Promise.all([1, 2, 3].map(forward));
    expect(held.every(({ outputs }) => outputs instanceof HeldTensor)).toBe(true);
    const taken = engine.memory.bytesInUse;
    expect(taken).toBeGreaterThan(before);
    const [first, ...others] = held.map(bytes);
    expect(engine.memory.bytesInUse).toBe(before);
    expect(first).toEqual(bytes(await forward(1)));
    expect(others[1]).toEqual(bytes(await forward(3)));
    await engine.stop();
  });
});

it('leave no plan with the workers that was dropped while their panels were made', async () => {
  const MAX_PLANS = 64;
  const some = await startEngine({ workers: 1, inlineFlops: 0 });
  const linears = Array.from({ length: MAX_PLANS + 6 }, () => 'nn.Linear(64, 64)').join(', ');
  const model = await build(`nn.Sequential(${linears})`, some);
  const { pool } = some;
  const [call, forget] = [pool.call.bind(pool), pool.forget.bind(pool)];
  const learnt = new Set<number>();
  pool.call = (name, args, definition) => {
    if (definition) learnt.add((args as { plan: number }).plan);
    return call(name, args, definition);
  };
  pool.forget = (plan) => {
    learnt.delete(plan);
    forget(plan);
  };
  const inputs = [Array<number>(64).fill(1)];
  const all = Array.from({ length: MAX_PLANS + 6 }, (_, i) => String(i));
  const first = model.forward({ inputs, module: '0' });
  await turn();
  // Its panels are being made: the others drop its plan.
  await Promise.all([first, ...all.slice(1).map((module) => model.forward({ inputs, module }))]);
  expect(learnt.size).toBeGreaterThan(0);
  expect(learnt.size).toBeLessThanOrEqual(MAX_PLANS);
  await some.stop();
});

describe('who waits behind a change', () => {
  beforeAll(async () => {
    engine = await startEngine({ workers: 1, limits: { maxQueue: 4 } });
  });
  afterAll(() => engine.stop());
  const inputs = [Array<number>(1024).fill(1)];

  it('is answered DEADLINE_EXCEEDED when its timeout passes, and not run', async () => {
    const model = await build(slowNet);
    const change = model.patch(slowPatch);
    const batches = await batchesOf(async () => {
      await expect(model.forward({ inputs, module: '' }, { timeoutMs: 1 })).rejects.toMatchObject({
        code: 'DEADLINE_EXCEEDED',
        message: 'there was no answer within the timeout of 1 ms',
      });
      await expect(model.patch(slowPatch, { timeoutMs: 1 })).rejects.toMatchObject({ status: 504 });
      expect(await change).toMatchObject({ revision: 2 });
      expect(await model.forward({ inputs, module: '' })).toMatchObject({ revision: 2 });
    });
    expect(batches).toEqual([1]);
  });

  it('keeps nothing of what it asked once it was given up, though the change goes on', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const model = await build(slowNet);
    const change = model.patch(slowPatch);
    const asked: WeakRef<object>[] = [];
    const ask = async (): Promise<void> => {
      const rows = [Array<number>(1024).fill(1)];
      asked.push(new WeakRef(rows));
      await expect(model.forward({ inputs: rows, module: '' }, { timeoutMs: 1 })).rejects.toThrow();
    };
    await ask();
    await turn();
    gc();
    expect(model.revision).toBe(1);
    expect(asked[0]!.deref()).toBeUndefined();
    await change;
  });

  it('is not run when the client is gone by then', async () => {
    const model = await build(slowNet);
    const change = model.patch(slowPatch);
    const batches = await batchesOf(async () => {
      await expect(model.forward({ inputs, module: '' }, { gone: () => true })).rejects.toMatchObject({
        code: 'CLIENT_GONE',
      });
      await change;
    });
    expect(batches).toEqual([]);
  });

  it('fills the queue, changes too, and more are OVERLOADED until it empties', async () => {
    const model = await build(slowNet);
    const change = model.patch(slowPatch);
    const waiting = [
      ...[1, 2].map(() => model.forward({ inputs, module: '' })),
      model.setParameter('1.bias', { value: [1] }),
      model.forward({ inputs, module: '' }),
    ];
    await expect(model.forward({ inputs, module: '' })).rejects.toMatchObject({ code: 'OVERLOADED' });
    await expect(model.setParameter('1.bias', { value: [1] })).rejects.toMatchObject({ code: 'OVERLOADED' });
    await change;
    expect(await Promise.all(waiting)).toMatchObject([
      { revision: 2 },
      { revision: 2 },
      { revision: 3 },
      { revision: 3 },
    ]);
    expect(await model.forward({ inputs, module: '' })).toMatchObject({ revision: 3 });
  });

  it('a change that has begun is made and answered, however late', async () => {
    const model = await build(slowNet);
    expect(await model.patch(slowPatch, { timeoutMs: 1 })).toMatchObject({ revision: 2 });
  });
});
