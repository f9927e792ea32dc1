// A row's bits are its own: the same in any batch, in any part of a step, with panels that are kept or made in the run,
// and whichever of steps and batch comes first.

import { describe, expect, it } from 'vitest';
import { readTree } from '#src/models/edit-structure.js';
import { everyName } from '#src/nn/module.js';
import { numel } from '#src/tensor/shape.js';
import { bits, noise } from '../../kernels/instance.js';
import { run, type Tensor } from './network.js';

const LAYER = { type: 'TransformerEncoderLayer', d_model: 48, nhead: 3, dim_feedforward: 40 };
const RECURRENT = { input_size: 20, hidden_size: 50, num_layers: 2, bidirectional: true };
const LAYERS: Record<string, { readonly architecture: object; readonly width: number }> = {
  RNN: { architecture: { type: 'RNN', ...RECURRENT }, width: 20 },
  LSTM: { architecture: { type: 'LSTM', ...RECURRENT }, width: 20 },
  GRU: { architecture: { type: 'GRU', ...RECURRENT }, width: 20 },
  MultiheadAttention: {
    architecture: { type: 'MultiheadAttention', embed_dim: 48, num_heads: 3 },
    width: 48,
  },
  TransformerEncoder: {
    architecture: {
      type: 'TransformerEncoder',
      encoder_layer: { ...LAYER, activation: 'gelu' },
      num_layers: 2,
    },
    width: 48,
  },
};
const [BATCH, STEPS] = [19, 21];

function float(shape: readonly number[], seed: number): Tensor {
  return { shape, dtype: 'float32', data: [...noise(numel(shape), seed)] };
}

function withOption(architecture: object, batchFirst: boolean): object {
  if (!('encoder_layer' in architecture)) return { ...architecture, batch_first: batchFirst };
  return {
    ...architecture,
    encoder_layer: { ...(architecture.encoder_layer as object), batch_first: batchFirst },
  };
}

/** Parameters that are the same for every way to run them. */
function stateOf(architecture: object): Record<string, Tensor> {
  const { root } = readTree(architecture, { maxModules: 100, maxDepth: 9 });
  return Object.fromEntries(
    everyName(root).map(({ path, value }, i) => {
      const tensor = float(value.shape, i + 2);
      return [path, { ...tensor, data: tensor.data.map((number) => number * 0.3) }];
    }),
  );
}

/** Rows 0 and 1 of a tensor the other way round. */
function turned({ shape, data }: { shape: readonly number[]; data: readonly number[] }): number[] {
  const [a, b, inner] = shape as [number, number, number];
  return Array.from({ length: a * b * inner }, (_, i) => {
    const [row, at] = [Math.floor(i / inner), i % inner];
    return data[((row % a) * b + Math.floor(row / a)) * inner + at]!;
  });
}

describe.each(Object.entries(LAYERS))('%s', (_type, { architecture, width }) => {
  const state = stateOf(architecture);
  const batchFirst = withOption(architecture, true);
  const input = float([BATCH, STEPS, width], 1);
  const all = run({ architecture: batchFirst, state, inputs: [input], gradients: false });

  it('gives each row of a batch the bits that it has alone', () => {
    const each = STEPS * width;
    const out = all.output.length / BATCH;
    for (let row = 0; row < BATCH; row++) {
      const alone = {
        ...input,
        shape: [1, STEPS, width],
        data: input.data.slice(row * each, (row + 1) * each),
      };
      const { output } = run({ architecture: batchFirst, state, inputs: [alone], gradients: false });
      expect(bits(output), `row ${row}`).toEqual(bits(all.output.subarray(row * out, (row + 1) * out)));
    }
  });

  it("gives the gradient of each row's input the bits that it has alone", () => {
    const slice = ({ shape, data }: Tensor, row: number): Tensor => {
      const each = data.length / BATCH;
      return {
        shape: [1, ...shape.slice(1)],
        dtype: 'float32',
        data: data.slice(row * each, (row + 1) * each),
      };
    };
    const outputGrad = float(all.shape, 99);
    const { plan, inputGrads } = run({ architecture: batchFirst, state, inputs: [input], outputGrad });
    expect(plan.steps.some(({ op, parts }) => op.endsWith('_gradient') && parts > 1)).toBe(true);
    const each = inputGrads[0]!.length / BATCH;
    for (const row of [0, 7, 8, BATCH - 1]) {
      const own = { inputs: [slice(input, row)], outputGrad: slice(outputGrad, row) };
      const alone = run({ architecture: batchFirst, state, ...own });
      const among = inputGrads[0]!.subarray(row * each, (row + 1) * each);
      expect(bits(alone.inputGrads[0]!), `row ${row}`).toEqual(bits(among));
    }
  });

  it('is told to be row by row, and shares its steps', () => {
    const kept = run({ architecture: batchFirst, state, inputs: [input], unpacked: false, gradients: false });
    expect(kept.plan.rowwise).toBe(true);
    const shared = kept.plan.steps.filter(({ op, parts }) => /recurrence|attention/.test(op) && parts > 1);
    expect(shared).not.toEqual([]);
    for (const { op, scratchStride } of shared)
      expect(scratchStride, `room of a part of ${op}`).toBeGreaterThan(0);
    expect(bits(kept.output)).toEqual(bits(all.output));
  });

  it('gives the same bits where the steps come first', () => {
    const given = { ...input, shape: [STEPS, BATCH, width], data: turned(input) };
    const stepsFirst = run({
      architecture: withOption(architecture, false),
      state,
      inputs: [given],
      gradients: false,
    });
    const back = turned({
      shape: [STEPS, BATCH, all.output.length / BATCH / STEPS],
      data: [...stepsFirst.output],
    });
    expect(bits(Float32Array.from(back))).toEqual(bits(all.output));
  });
});
