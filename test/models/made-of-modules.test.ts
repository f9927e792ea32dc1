// Live models of layers with many parameters, or with modules of their own: their inits, their names, their edits.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeArchitecture } from '#src/nn/architecture-text.js';
import { readArchitecture } from '#src/nn/architecture.js';
import { everyName } from '#src/nn/module.js';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from './engine.js';

interface Case {
  readonly architecture: { readonly type: string };
  readonly seed: number;
  readonly state: readonly (readonly [name: string, shape: readonly number[], sha256: string])[];
}
const file = new URL('../fixtures/layers/seeded.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ workers: 2, inlineFlops: 0 });
});
afterAll(() => engine.stop());

async function fresh(architecture: unknown, seed = 0) {
  if (engine.registry.find('m')) await engine.registry.delete('m');
  await engine.registry.build({ name: 'm', seed, architecture });
  return engine.registry.get('m');
}

type Model = Awaited<ReturnType<typeof fresh>>;

async function stateOf(model: Model): Promise<Record<string, TensorValue>> {
  const { state_dict: state } = (await model.stateDict({ module: '' })) as {
    state_dict: Record<string, TensorValue>;
  };
  return state;
}

const bytesOf = ({ data }: TensorValue): Buffer => Buffer.from((data as Float32Array).slice().buffer);
const sha256 = (tensor: TensorValue): string => createHash('sha256').update(bytesOf(tensor)).digest('hex');

const layer = { type: 'TransformerEncoderLayer', d_model: 8, nhead: 2, dim_feedforward: 12 };
const encoder = { type: 'TransformerEncoder', encoder_layer: layer, num_layers: 3 };

describe("PyTorch's default inits from a seed, to the bit", () => {
  it.each(cases.map((each, i) => [`${i}: ${JSON.stringify(each.architecture)}`, each] as const))(
    '%s',
    async (_label, { architecture, seed, state }) => {
      const model = await fresh(architecture, seed);
      const own = Object.entries(await stateOf(model));
      expect(own.map(([name, tensor]) => [name, tensor.shape, sha256(tensor)])).toEqual(state);
    },
  );
});

describe('copies of one module', () => {
  it('begin alike and are apart: a patch changes one of them', async () => {
    const model = await fresh(encoder);
    const name = (i: number): string => `layers.${i}.self_attn.out_proj.weight`;
    const before = await stateOf(model);
    expect(sha256(before[name(1)]!)).toBe(sha256(before[name(0)]!));
    await model.patch(new Map([[name(1), { ops: [{ op: 'set', value: 0.5 }] }]]));
    const after = await stateOf(model);
    expect([...new Set(after[name(1)]!.data as Float32Array)]).toEqual([0.5]);
    for (const i of [0, 2]) expect(sha256(after[name(i)]!)).toBe(sha256(before[name(i)]!));
  });

  it('of a module that stands elsewhere have its values and not its storage', async () => {
    const model = await fresh({
      type: 'Sequential',
      shared: { s: layer },
      children: [
        { shared: 's' },
        { type: 'TransformerEncoder', encoder_layer: { shared: 's' }, num_layers: 1 },
      ],
    });
    const state = await stateOf(model);
    const copy = '1.layers.0.linear1.weight';
    expect(sha256(state[copy]!)).toBe(sha256(state['0.linear1.weight']!));
    await model.setParameter('0.linear1.weight', { value: 1 });
    expect(sha256((await stateOf(model))[copy]!)).toBe(sha256(state[copy]!));
  });

  it('are no more than a model may have modules', () => {
    const read = readArchitecture({ ...encoder, num_layers: 2 ** 31 - 1 }, { maxModules: 100, maxDepth: 9 });
    expect(read).toEqual({
      faults: [
        { path: 'architecture.encoder_layer', message: expect.stringContaining('more than 100') as string },
      ],
    });
  });
});

describe('the modules of an encoder', () => {
  it('may be exchanged and removed where they stand in a list', async () => {
    const model = await fresh(encoder, 3);
    await model.putModule('layers.1', { type: 'Linear', in_features: 8, out_features: 8 });
    await model.removeModule('layers.0');
    expect(Object.keys(await stateOf(model)).slice(0, 3)).toEqual([
      'layers.0.weight',
      'layers.0.bias',
      'layers.1.self_attn.in_proj_weight',
    ]);
    const { outputs } = (await model.forward({
      inputs: { shape: [3, 2, 8], dtype: 'float32', data: Array<number>(48).fill(0.1) },
      module: '',
    })) as { outputs: TensorValue };
    expect(outputs.shape).toEqual([3, 2, 8]);
  });

  it.each(['layers.0.linear1', 'layers.0.self_attn.out_proj', 'layers'])(
    'stay where they are: %s',
    async (path) => {
      const model = await fresh(encoder);
      await expect(model.putModule(path, { type: 'Identity' })).rejects.toMatchObject({
        errors: [{ path, message: expect.stringContaining('is made of its modules: they stay') as string }],
      });
      await expect(model.removeModule(path)).rejects.toMatchObject({ errors: [{ path }] });
    },
  );

  it('are described with what was changed and tied in them', () => {
    const read = (architecture: unknown) => {
      const found = readArchitecture(architecture, { maxModules: 100, maxDepth: 9 });
      if ('faults' in found) throw new Error(JSON.stringify(found.faults));
      return found.root;
    };
    const tied = { ...layer, tie: { 'linear1.weight': 'layers.0.linear1.weight' } };
    const architecture = { ...encoder, encoder_layer: [layer, tied, { type: 'ReLU' }] };
    const root = read(architecture);
    expect(describeArchitecture(root)).toEqual(architecture);
    const [first, second] = ['0', '1'].map((i) => root.children.get('layers')!.children.get(i)!);
    const weight = (module: typeof root) => module.children.get('linear1')!.parameters.get('weight');
    expect(weight(second!)).toBe(weight(first!));
    expect(everyName(read(describeArchitecture(root))).map(({ path }) => path)).toEqual(
      everyName(root).map(({ path }) => path),
    );
  });
});
