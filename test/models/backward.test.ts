import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '#src/models/model.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { excess } from '../kernels/instance.js';
import { startEngine, type Engine } from './engine.js';

interface Tensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly data: number[];
}

const file = new URL('../fixtures/golden/training.json', import.meta.url);
const { tied } = JSON.parse(readFileSync(file, 'utf8')) as {
  tied: {
    state: Record<string, Tensor>;
    input: Tensor;
    target: Tensor;
    loss: number;
    grads: Record<string, Tensor>;
  };
};

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ workers: 2 });
});
afterAll(() => engine.stop());

let built = 0;
async function build(architecture: unknown, seed = 0): Promise<Model> {
  const name = `net${built++}`;
  await engine.registry.build({ name, seed, architecture });
  return engine.registry.get(name);
}

const MLP = 'nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))';
const INPUTS = [
  [1, 2, 3, 4],
  [0, 1, 0, 1],
];
const ONCE = { inputs: INPUTS, targets: [[1], [0]], loss: { name: 'mse_loss' } };
const AS_IS = { module: '', mode: 'eval', input_grad: false } as const;

async function gradOf(model: Model, path: string): Promise<number[] | null> {
  const { grad } = await model.parameter(path, {});
  return grad === null ? null : [...(grad as TensorValue).data].map(Number);
}

async function valueOf(model: Model, path: string): Promise<number[]> {
  return [...((await model.parameter(path, {})).value as TensorValue).data].map(Number);
}

describe('a backward', () => {
  it("adds up the gradients of a layer's uses: PyTorch's tied network", async () => {
    const shared = { type: 'Linear', in_features: 8, out_features: 8 };
    const relu = { type: 'ReLU' };
    const model = await build({
      type: 'Sequential',
      shared: { s: shared },
      children: [
        { type: 'Linear', in_features: 4, out_features: 8 },
        relu,
        { shared: 's' },
        relu,
        { shared: 's' },
        relu,
        { type: 'Linear', in_features: 8, out_features: 1 },
      ],
    });
    await model.loadStateDict({ module: '', strict: true, state: tied.state });
    const { loss } = await model.backward({
      ...AS_IS,
      inputs: tied.input,
      targets: tied.target,
      loss: { name: 'mse_loss' },
    });
    expect(loss).toBeCloseTo(tied.loss, 6);
    for (const [name, { data }] of Object.entries(tied.grads)) {
      expect(excess(Float32Array.from((await gradOf(model, name))!), data), name).toBeLessThanOrEqual(1);
    }
  });

  it('adds to the gradients of the one before, which are null at first and after zero_grad', async () => {
    const model = await build(MLP);
    expect(await gradOf(model, '2.weight')).toBeNull();
    await model.backward({ ...AS_IS, ...ONCE });
    const once = (await gradOf(model, '2.weight'))!;
    await model.backward({ ...AS_IS, ...ONCE });
    expect(await gradOf(model, '2.weight')).toEqual(once.map((value) => 2 * value));
    const { revision, parameters } = await model.zeroGrad({ module: '2' });
    expect(revision).toBe(4);
    expect(parameters).toEqual(['2.weight', '2.bias'].map((path) => ({ path, aliases: [], field: 'grad' })));
    expect(await gradOf(model, '2.weight')).toBeNull();
    expect(await gradOf(model, '0.weight')).not.toBeNull();
    await model.zeroGrad({ module: '' });
    expect((await model.zeroGrad({ module: '' })).revision).toBe(5);
  });

  it('is one revision whose change names the gradients, with their values of then', async () => {
    const model = await build(MLP);
    await model.backward({ ...AS_IS, ...ONCE });
    const first = await gradOf(model, '0.bias');
    await model.backward({ ...AS_IS, ...ONCE });
    await model.zeroGrad({ module: '' });
    const [second, third, fourth] = model.log.read(1);
    expect([second, third, fourth].map((change) => [change!.revision, change!.kind])).toEqual([
      [2, 'backward'],
      [3, 'backward'],
      [4, 'zero_grad'],
    ]);
    const bias = second!.parameters.find(({ path }) => path === '0.bias')!;
    expect(bias.field).toBe('grad');
    expect([...bias.snapshot!.read(null).data]).toEqual(first);
    expect(fourth!.parameters.every(({ snapshot }) => snapshot === null)).toBe(true);
  });

  it('leaves values alone, and a patch of a value leaves its gradient alone', async () => {
    const model = await build(MLP);
    const before = await valueOf(model, '0.weight');
    await model.backward({ ...AS_IS, ...ONCE });
    expect(await valueOf(model, '0.weight')).toEqual(before);
    const gradient = await gradOf(model, '0.weight');
    await model.patchParameter('0.weight', { ops: [{ op: 'mul', value: 2 }] });
    expect(await gradOf(model, '0.weight')).toEqual(gradient);
    await model.patchParameter('0.weight', { ops: [{ op: 'mul', value: 2, field: 'grad' }] });
    expect(await gradOf(model, '0.weight')).toEqual(gradient!.map((value) => 2 * value));
    expect(await valueOf(model, '0.weight')).toEqual(before.map((value) => 2 * value));
  });

  it('computes none for frozen parameters', async () => {
    const model = await build(MLP);
    await model.patchParameter('0.weight', { requires_grad: false });
    const { parameters } = await model.backward({ ...AS_IS, ...ONCE });
    expect((parameters as { path: string }[]).map(({ path }) => path)).toEqual([
      '0.bias',
      '2.weight',
      '2.bias',
    ]);
    expect(await gradOf(model, '0.weight')).toBeNull();
    await model.patchParameter('0.weight', { requires_grad: true });
    await model.backward({ ...AS_IS, ...ONCE });
    expect(await gradOf(model, '0.weight')).not.toBeNull();
  });

  it('takes the gradient of the output in place of a loss, and answers that of the inputs', async () => {
    const model = await build('nn.Linear(2, 2)');
    await model.setParameter('weight', {
      value: [
        [1, 2],
        [3, 4],
      ],
    });
    const { loss, input_grad } = await model.backward({
      ...AS_IS,
      inputs: [[5, 6]],
      output_grad: [[1, 10]],
      input_grad: true,
    });
    expect(loss).toBeNull();
    expect([...(input_grad as TensorValue).data]).toEqual([31, 42]);
    expect(await gradOf(model, 'weight')).toEqual([5, 6, 50, 60]);
    expect(await gradOf(model, 'bias')).toEqual([1, 10]);
  });

  it('of one module concerns its parameters alone', async () => {
    const model = await build(MLP);
    await model.backward({
      ...AS_IS,
      module: '0',
      inputs: INPUTS,
      output_grad: [Array(8).fill(1), Array(8).fill(1)],
    });
    expect(await gradOf(model, '0.bias')).toEqual(Array(8).fill(2));
    expect(await gradOf(model, '2.bias')).toBeNull();
  });

  it('that fails changes nothing', async () => {
    const model = await build(MLP);
    const bytes = engine.memory.bytesInUse;
    const refused: [object, string][] = [
      [{ inputs: [[1, 2]], output_grad: [[1]] }, 'SHAPE_MISMATCH'],
      [{ inputs: INPUTS, output_grad: [[1]] }, 'NOT_DIFFERENTIABLE'],
      [{ inputs: INPUTS, targets: [[1], [2]] }, 'INVALID_REQUEST'],
      [{ inputs: INPUTS, output_grad: [[1], [1]], targets: [[1], [2]] }, 'INVALID_REQUEST'],
      [
        {
          inputs: [
            [1, 2, 3, 'x'],
            [1, 2, 3, 4],
          ],
          output_grad: [[1], [1]],
        },
        'TENSOR_INVALID',
      ],
    ];
    for (const [request, code] of refused) {
      await expect(model.backward({ ...AS_IS, inputs: null, ...request })).rejects.toMatchObject({ code });
    }
    expect(model.revision).toBe(1);
    expect(engine.memory.bytesInUse).toBe(bytes);
  });

  it('lets go of all memory with its model', async () => {
    const bytes = engine.memory.bytesInUse;
    const model = await build(MLP);
    await model.backward({ ...AS_IS, ...ONCE });
    await model.zeroGrad({ module: '' });
    await model.backward({ ...AS_IS, ...ONCE });
    await engine.registry.delete(model.name);
    expect(engine.memory.bytesInUse).toBe(bytes);
  });
});

describe('a gradient check', () => {
  const CHECK = { epsilon: 1e-3, rtol: 1e-2, atol: 1e-3, samples: 100, module: '', mode: 'eval' } as const;

  it('passes where the gradients are right, and changes nothing', async () => {
    const model = await build(
      'nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(dim=-1))',
    );
    const values = await valueOf(model, '0.weight');
    const answer = await model.checkGradients({
      ...CHECK,
      inputs: INPUTS,
      output_grad: [
        [1, 2, 3],
        [3, 0, -1],
      ],
    });
    expect(answer).toMatchObject({ passed: true, revision: 1 });
    expect((answer.parameters as { checked: number }[]).map(({ checked }) => checked)).toEqual([
      32, 8, 24, 3,
    ]);
    expect(await valueOf(model, '0.weight')).toEqual(values);
    expect(await gradOf(model, '0.weight')).toBeNull();
  });

  it('names the worst element where they differ: a step too wide for a kink', async () => {
    const model = await build('nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())');
    await model.setParameter('0.weight', { value: [[0.25]] });
    const answer = await model.checkGradients({ ...CHECK, epsilon: 1, inputs: [[1]], output_grad: [[1]] });
    expect(answer).toMatchObject({
      passed: false,
      worst: { path: '0.weight', index: '0,0', analytic: 1, numeric: 0.625, difference: 0.375 },
    });
  });
});
