import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorValue } from '#src/tensor/tensor-value.js';
import { startEngine, type Engine } from './engine.js';

interface Tensor {
  shape: number[];
  dtype: string;
  data: number[];
}
interface Case {
  name: string;
  seed: number;
  architecture: unknown;
  repr: string;
  named_parameters: [string, number[]][];
  state_keys: string[];
  state: Record<string, Tensor>;
  input: Tensor;
  output: Tensor;
}

const file = new URL('../fixtures/golden/networks.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

/** The one network whose architecture the fixture leaves to the reader: its shared layer is made first. */
function tied({ state }: Case): unknown {
  const width = state['2.weight']!.shape[0]!;
  const linear = (inFeatures: number, outFeatures: number) => ({
    type: 'Linear',
    in_features: inFeatures,
    out_features: outFeatures,
  });
  const relu = { type: 'ReLU' };
  return {
    shared: { middle: linear(width, width) },
    type: 'Sequential',
    children: [
      linear(4, width),
      relu,
      { shared: 'middle' },
      relu,
      { shared: 'middle' },
      relu,
      linear(width, 1),
    ],
  };
}

describe("PyTorch's networks, built from a seed", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine({ workers: 2, inlineFlops: 0 });
  });
  afterAll(() => engine.stop());

  it.each(cases)(
    '$name: same print, names and state; outputs within 1e-5 relative and 1e-6 absolute',
    async (network) => {
      const { registry } = engine;
      const architecture = network.architecture ?? tied(network);
      await registry.build({ name: network.name, seed: network.seed, architecture });
      const model = registry.get(network.name);
      expect(model.repr().repr).toBe(network.repr);

      const { parameters } = (await model.parameters({ module: '', recurse: true, kind: 'parameter' })) as {
        parameters: { path: string; shape: number[] }[];
      };
      expect(parameters.map(({ path, shape }) => [path, shape])).toEqual(network.named_parameters);

      const { state_dict: state } = (await model.stateDict({ module: '' })) as {
        state_dict: Record<string, TensorValue>;
      };
      expect(Object.keys(state)).toEqual(network.state_keys);
      for (const [name, expected] of Object.entries(network.state)) {
        const { shape, dtype, data } = state[name]!;
        expect({ shape, dtype }).toEqual({ shape: expected.shape, dtype: expected.dtype });
        // Only an Embedding draws from the normal distribution, where PyTorch's own builds differ by 2 ulps.
        if (network.name === 'embedding' && name === '0.weight') expectClose(data, expected.data, 3e-7, 1e-9);
        else expect(Array.from(data, Number)).toEqual(expected.data);
      }

      const { outputs } = (await model.forward({ inputs: network.input, module: '' })) as {
        outputs: TensorValue;
      };
      expect(outputs.shape).toEqual(network.output.shape);
      expectClose(outputs.data, network.output.data, 1e-5, 1e-6);
      await registry.delete(network.name);
    },
  );
});

function expectClose(
  actual: ArrayLike<number | bigint>,
  expected: readonly number[],
  relative: number,
  absolute: number,
) {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(Number(actual[i]) - value), `element ${i}`).toBeLessThanOrEqual(
      absolute + relative * Math.abs(value),
    );
  });
}
