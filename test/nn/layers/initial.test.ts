// Layers as a seed makes them, against PyTorch's after torch.manual_seed (test/fixtures/layers/make-initial.py).

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from '../../models/engine.js';
import type { Tensor } from './network.js';

interface Initial {
  readonly architecture: { readonly type: string };
  readonly seed: number;
  readonly state: Readonly<Record<string, Tensor>>;
}

const file = new URL('../../fixtures/layers/initial.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Initial[] };

describe('a seed makes the weights of PyTorch to the bit', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine({ workers: 1, inlineFlops: 0 });
  });
  afterAll(() => engine.stop());

  it.each(cases.map((entry) => [JSON.stringify(entry.architecture), entry] as const))(
    '%s',
    async (_name, { architecture, seed, state }) => {
      await engine.registry.build({ name: 'seeded', seed, architecture });
      const model = engine.registry.get('seeded');
      const { state_dict: own } = (await model.stateDict({ module: '' })) as {
        state_dict: Record<string, TensorValue>;
      };
      const plain = Object.entries(own).map(([name, { shape, data }]) => [
        name,
        shape,
        Array.from(data, Number),
      ]);
      expect(plain).toEqual(Object.entries(state).map(([name, { shape, data }]) => [name, shape, data]));
      await engine.registry.delete('seeded');
    },
  );
});
