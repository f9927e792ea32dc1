import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from './engine.js';

const linear = (inFeatures: number, outFeatures: number) => ({
  type: 'Linear',
  in_features: inFeatures,
  out_features: outFeatures,
});
const relu = { type: 'ReLU' };
const mlp = { type: 'Sequential', children: [linear(4, 8), relu, linear(8, 1)] };
const tied = {
  shared: { s: linear(8, 8) },
  type: 'Sequential',
  children: [linear(4, 8), relu, { shared: 's' }, relu, { shared: 's' }, relu, linear(8, 1)],
};

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ workers: 2, inlineFlops: 0 });
});
afterAll(() => engine.stop());

async function values(name: string, path: string): Promise<number[]> {
  const { value } = (await engine.registry.get(name).parameter(path, {})) as { value: TensorValue };
  return Array.from(value.data, Number);
}

async function fresh(name: string, architecture: unknown, seed = 0) {
  if (engine.registry.find(name)) await engine.registry.delete(name);
  await engine.registry.build({ name, seed, architecture });
  return engine.registry.get(name);
}

const bits = ({ data }: TensorValue): number[] => [...new Uint32Array((data as Float32Array).slice().buffer)];

describe('a live model', () => {
  it('numbers its revisions 1, 2, 3, ... whatever mix of changes is asked for at once', async () => {
    const model = await fresh('mixed', tied);
    const ones = { module: '', rules: [{ init: { name: 'ones' as const } }] };
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 3 === 0
          ? model.init(ones)
          : i % 3 === 1
            ? model.patch(new Map([['2.weight', { ops: [{ op: 'add', value: 1 }] }]]))
            : model.setParameter('0.bias', { value: i }),
      ),
    );
    expect(answers.map(({ revision }) => revision)).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
    const { changes } = model.changes({ after: 0, limit: 100 }) as { changes: { revision: number }[] };
    expect(changes.map(({ revision }) => revision)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
  });

  it('changes nothing, and numbers nothing, when one of many patches is wrong', async () => {
    const model = await fresh('atomic', mlp);
    const before = await values('atomic', '0.weight');
    const edits = new Map([
      ['0.weight', { ops: [{ op: 'set' as const, value: 7 }] }],
      ['2.bias', { ops: [{ op: 'set' as const, value: [1, 2, 3] }] }],
    ]);
    await expect(model.patch(edits)).rejects.toMatchObject({ code: 'PARAMETER_SHAPE' });
    expect(await values('atomic', '0.weight')).toEqual(before);
    expect(model.revision).toBe(1);
  });

  it('shows a change through one name of a tied parameter under all of its names', async () => {
    const model = await fresh('tied', tied);
    const answer = await model.patch(
      new Map([['4.weight', { ops: [{ op: 'set', index: '0,0', value: 100 }] }]]),
    );
    expect(answer.parameters).toEqual([{ path: '2.weight', aliases: ['4.weight'] }]);
    expect((await values('tied', '2.weight'))[0]).toBe(100);
    expect(await values('tied', '2.weight')).toEqual(await values('tied', '4.weight'));
  });

  it('gives tied names a storage of their own with the same values, and ties them again', async () => {
    const model = await fresh('apart', tied);
    await model.untie(['2.weight', '4.weight']);
    await model.setParameter('4.weight', { value: 0, index: ':' });
    expect(new Set(await values('apart', '4.weight'))).toEqual(new Set([0]));
    expect(new Set(await values('apart', '2.weight')).size).toBeGreaterThan(1);
    const bias = (await model.parameter('2.bias', {})) as { aliases: string[] };
    expect(bias.aliases).toEqual(['4.bias']);
    await model.tie(['4.weight', '2.weight']);
    expect(new Set(await values('apart', '2.weight'))).toEqual(new Set([0]));
  });

  it('refuses a state with two values for one storage, naming both names', async () => {
    const model = await fresh('conflict', tied);
    const { state_dict: state } = (await model.stateDict({ module: '' })) as {
      state_dict: Record<string, TensorValue>;
    };
    const lists = Object.fromEntries(
      Object.entries(state).map(([name, { shape, data }]) => [
        name,
        { shape, data: Array.from(data, Number) },
      ]),
    );
    lists['4.bias']!.data[0]! += 1;
    const loading = model.loadStateDict({ module: '', strict: true, state: lists });
    await expect(loading).rejects.toMatchObject({
      code: 'TIED_VALUES_DIFFER',
      message: expect.stringMatching(/2\.bias.*4\.bias/),
    });
    lists['4.bias']!.data[0] = lists['2.bias']!.data[0]!;
    expect(await model.loadStateDict({ module: '', strict: true, state: lists })).toMatchObject({
      missing_keys: [],
      unexpected_keys: [],
      revision: 2,
    });
  });

  it('draws on from where its generator stands unless a seed is given', async () => {
    const rules = [
      { types: ['Linear'], parameters: ['weight'], init: { name: 'normal' as const, std: 0.01 } },
    ];
    const model = await fresh('stream', mlp);
    await model.init({ module: '', rules });
    const first = await values('stream', '0.weight');
    await model.init({ module: '', rules });
    expect(await values('stream', '0.weight')).not.toEqual(first);
    await model.init({ module: '', rules, seed: 7 });
    const seeded = await values('stream', '2.weight');
    await model.init({ module: '', rules, seed: 7 });
    expect(await values('stream', '2.weight')).toEqual(seeded);
  });

  it('visits a module shared under one parent once, and one shared under two parents twice', async () => {
    const draws = {
      module: '',
      rules: [{ parameters: ['weight'], init: { name: 'uniform' as const } }],
      seed: 1,
    };
    const flat = await fresh('one-parent', {
      shared: { s: linear(3, 3) },
      type: 'Sequential',
      children: [{ shared: 's' }, { shared: 's' }, linear(3, 3)],
    });
    await flat.init(draws);
    const nested = await fresh('two-parents', {
      shared: { s: linear(3, 3) },
      type: 'Sequential',
      children: [
        { type: 'Sequential', children: [{ shared: 's' }] },
        { type: 'Sequential', children: [{ shared: 's' }] },
        linear(3, 3),
      ],
    });
    await nested.init(draws);
    const single = await fresh('three', {
      type: 'Sequential',
      children: [linear(3, 3), linear(3, 3), linear(3, 3)],
    });
    await single.init(draws);
    expect(await values('one-parent', '0.weight')).toEqual(await values('three', '0.weight'));
    expect(await values('one-parent', '2.weight')).toEqual(await values('three', '1.weight'));
    expect(await values('two-parents', '0.0.weight')).toEqual(await values('three', '1.weight'));
    expect(await values('two-parents', '2.weight')).toEqual(await values('three', '2.weight'));
  });

  it.each([
    ['on any worker', 0],
    ['alone on the main thread, in a batch on any worker', 8192],
  ])('gives a row the same bits alone and in any batch, %s', async (_where, inlineFlops) => {
    const workers = await startEngine({ workers: 3, inlineFlops });
    await workers.registry.build({
      name: 'rows',
      seed: 0,
      architecture: {
        type: 'Sequential',
        children: [
          linear(19, 33),
          { type: 'Tanh' },
          { type: 'LayerNorm', normalized_shape: [33] },
          linear(33, 7),
          { type: 'Softmax', dim: -1 },
        ],
      },
    });
    const model = workers.registry.get('rows');
    const row = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 19, maxLength: 19 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
        const run = async (inputs: unknown) =>
          ((await model.forward({ inputs, module: '' })) as { outputs: TensorValue }).outputs;
        // More forwards at once than workers: every worker takes some.
        const [together, ...alone] = await Promise.all([run(rows), ...rows.map((one) => run([one]))]);
        expect(alone.flatMap(bits)).toEqual(bits(together));
      }),
      { numRuns: 25 },
    );
    await workers.stop();
  });

  it('runs every forward on one revision while it is being changed', async () => {
    const model = await fresh('steady', { type: 'Sequential', children: [linear(64, 64), linear(64, 64)] });
    await model.init({ module: '', rules: [{ init: { name: 'zeros' } }] });
    const base = model.revision;
    const writes = Array.from({ length: 20 }, () =>
      model.patch(
        new Map([
          ['0.bias', { ops: [{ op: 'add' as const, value: 1 }] }],
          ['1.bias', { ops: [{ op: 'sub' as const, value: 1 }] }],
          ['1.weight', { ops: [{ op: 'set' as const, value: 1 / 64, index: ':' }] }],
        ]),
      ),
    );
    const inputs = [Array<number>(64).fill(1)];
    const reads = Array.from({ length: 60 }, () => model.forward({ inputs, module: '' }));
    await Promise.all(writes);
    for (const answer of await Promise.all(reads)) {
      const { revision, outputs } = answer as { revision: number; outputs: TensorValue };
      expect(revision).toBeGreaterThanOrEqual(base);
      expect(new Set(Array.from(outputs.data, Number))).toEqual(new Set([0]));
    }
  });

  it('reports mismatched shapes in the words of PyTorch', async () => {
    const model = await fresh('words', mlp);
    await expect(
      model.forward({
        inputs: [
          [1, 2, 3, 4, 5],
          [1, 2, 3, 4, 5],
        ],
        module: '',
      }),
    ).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('mat1 and mat2 shapes cannot be multiplied (2x5 and 4x8)'),
    });
  });

  it('takes indices where the first layer wants them, and says which are out of range', async () => {
    const model = await fresh('words2', {
      type: 'Sequential',
      children: [{ type: 'Embedding', num_embeddings: 5, embedding_dim: 3 }],
    });
    const { outputs } = (await model.forward({ inputs: [[0, 4]], module: '' })) as { outputs: TensorValue };
    expect(outputs.shape).toEqual([1, 2, 3]);
    await expect(model.forward({ inputs: [[0, 5]], module: '' })).rejects.toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining('index out of range in self'),
    });
  });
});

describe('a change of the tree', () => {
  it('says in the log where a module was put or removed, also one without parameters', async () => {
    const model = await fresh('tree', mlp);
    await model.putModule('-2', { type: 'Tanh' });
    await model.putModule('head', linear(1, 2));
    await model.removeModule('1');
    const { changes } = model.changes({ after: 1, limit: 10 }) as { changes: Record<string, unknown>[] };
    expect(changes).toMatchObject([
      { kind: 'put_module', module: '1', parameters: [] },
      { kind: 'put_module', module: 'head', parameters: [{ path: 'head.weight' }, { path: 'head.bias' }] },
      { kind: 'remove_module', module: '1', parameters: [] },
    ]);
  });
});

describe('what is wrong with a request', () => {
  it('is told all at once, for patches, ties, inits and states', async () => {
    const model = await fresh('wrong', tied);
    const edits = new Map([
      ['9.weight', { ops: [{ op: 'set' as const, value: 1 }] }],
      [
        '0.weight',
        {
          ops: [
            { op: 'add' as const, value: [1, 2, 3] },
            { op: 'set' as const, index: '0,9', value: 1 },
            { op: 'map' as const, expression: 'v + 1' },
            { op: 'set' as const, value: [[1, 'x']] },
          ],
        },
      ],
    ]);
    await expect(model.patch(edits)).rejects.toMatchObject({
      code: 'PATCH_INVALID',
      errors: [
        { path: 'parameters["9.weight"]' },
        { path: 'parameters["0.weight"].ops[0].value' },
        { path: 'parameters["0.weight"].ops[1].index' },
        { path: 'parameters["0.weight"].ops[2].expression' },
        { path: expect.stringContaining('parameters["0.weight"].ops[3].value') },
      ],
    });
    await expect(model.tie(['0.weight', '8.weight', '9.weight'])).rejects.toMatchObject({
      code: 'PARAMETER_NOT_FOUND',
      errors: [{ path: 'paths[1]' }, { path: 'paths[2]' }],
    });
    const loading = model.loadStateDict({
      module: '0',
      strict: true,
      state: { weight: [[1]], bias: ['x'], other: 1 },
    });
    await expect(loading).rejects.toMatchObject({ code: 'STATE_DICT_MISMATCH', errors: { length: 3 } });
    const rules = [{ types: ['Liner'], parameters: ['wieght'], init: { name: 'zeros' as const } }];
    await expect(model.init({ module: '', rules })).rejects.toMatchObject({
      code: 'INIT_INVALID',
      errors: [
        { message: expect.stringContaining('did you mean Linear?') },
        { message: expect.stringContaining('did you mean weight?') },
      ],
    });
    expect(model.revision).toBe(1);
  });
});

describe('memory', () => {
  it('is not kept by a seeded init that touches nothing; the seed counts for what is drawn next', async () => {
    const model = await fresh('seeded', mlp);
    const touchNothing = { module: '', rules: [{ types: ['ReLU'], init: { name: 'zeros' as const } }] };
    expect(await model.init({ ...touchNothing, seed: 5 })).toMatchObject({ revision: 2, parameters: [] });
    const before = engine.memory.bytesInUse;
    for (let seed = 0; seed < 50; seed++) await model.init({ ...touchNothing, seed });
    expect(engine.memory.bytesInUse).toBe(before);
    const draw = { module: '', rules: [{ parameters: ['weight'], init: { name: 'uniform' as const } }] };
    await model.init(draw);
    const continued = await values('seeded', '0.weight');
    await model.init({ ...draw, seed: 49 });
    expect(continued).toEqual(await values('seeded', '0.weight'));
    expect(await model.init(touchNothing)).toMatchObject({ revision: 54, parameters: [] });
  });

  it('has the same bytes in use after ten thousand models were made and deleted', async () => {
    const small = { type: 'Sequential', children: [linear(2, 2), relu] };
    const { registry, memory } = engine;
    const before = memory.bytesInUse;
    for (let batch = 0; batch < 100; batch++) {
      const names = Array.from({ length: 100 }, (_, i) => `m-${batch}-${i}`);
      await Promise.all(names.map((name) => registry.build({ name, architecture: small, seed: 0 })));
      await registry.get(names[0]!).forward({ inputs: [[1, 2]], module: '' });
      await Promise.all(names.map((name) => registry.delete(name)));
    }
    expect(memory.bytesInUse).toBe(before);
  }, 120_000);

  it('takes nothing for a model that does not fit', async () => {
    const { registry, memory } = engine;
    const before = memory.bytesInUse;
    for (const size of [65_536, 2 ** 31 - 1]) {
      const build = registry.build({ name: 'huge', architecture: linear(size, size) });
      await expect(build).rejects.toMatchObject({
        status: expect.toSatisfy((s: number) => s === 413 || s === 422),
      });
    }
    for (const size of [0, -1, 1.5, 2 ** 31, 2 ** 53]) {
      const build = registry.build({ name: 'huge', architecture: linear(size, 4) });
      await expect(build).rejects.toMatchObject({
        status: expect.toSatisfy((s: number) => s === 413 || s === 422),
      });
    }
    expect(memory.bytesInUse).toBe(before);
    expect(registry.find('huge')).toBeUndefined();
  });
});

describe('a lost worker', () => {
  it('answers WORKER_LOST to its request alone: the model is as it was, and others are served meanwhile', async () => {
    const lossy = await startEngine({ workers: 2, timeoutMs: 150, inlineFlops: 0 });
    const { registry, pool } = lossy;
    await registry.build({ name: 'hit', seed: 0, architecture: linear(512, 1024) });
    await registry.build({ name: 'other', seed: 0, architecture: mlp });
    const [hit, other] = [registry.get('hit'), registry.get('other')];
    const before = await hit.parameter('weight', {});
    // A hundred sines of half a million numbers take seconds.
    const expression = `${'sin('.repeat(60)}w${')'.repeat(60)} + ${'sin('.repeat(60)}w${')'.repeat(60)}`;
    const slow = expect(
      hit.patch(
        new Map([
          ['weight', { ops: Array.from({ length: 10 }, () => ({ op: 'map', expression }) as const) }],
        ]),
      ),
    ).rejects.toMatchObject({ code: 'WORKER_LOST', status: 500 });
    let served = 0;
    do {
      expect(await other.forward({ inputs: [[1, 2, 3, 4]], module: '' })).toMatchObject({ revision: 1 });
      served++;
    } while (pool.load.running > 0);
    expect(served).toBeGreaterThan(10);
    await slow;
    expect(await hit.parameter('weight', {})).toEqual(before);
    expect(await hit.patch(new Map([['weight', { ops: [{ op: 'add', value: 1 }] }]]))).toMatchObject({
      revision: 2,
    });
    await lossy.stop();
  });
});

it('is built where all of it fits, when the segment before has room for a part of it only', async () => {
  const GIB = 2 ** 30;
  const large = await startEngine({ limitBytes: 6 * GIB, inlineFlops: 0 });
  const { memory, registry } = large;
  // Never touched, so that it costs addresses alone.
  memory.allocate(4 * GIB - 2 * 65_536 - 2 ** 18);
  await registry.build({ name: 'next', seed: 0, architecture: linear(300, 300) });
  const next = registry.get('next');
  expect(next.workplace.segment).toBe(1);
  await registry.build({ name: 'small', seed: 0, architecture: linear(2, 2) });
  await next.setParameter('weight', { value: 1 });
  await next.setParameter('bias', { value: 0.5 });
  const { outputs } = await next.forward({ inputs: [Array<number>(300).fill(1)], module: '' });
  expect([...new Set(Array.from((outputs as TensorValue).data, Number))]).toEqual([300.5]);
  await large.stop();
});
