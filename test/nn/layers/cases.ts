// The cases of test/fixtures/layers: each layer's print, state, output and gradients as PyTorch gives them.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { printModule } from '#src/nn/notation/print.js';
import { MODES, type Mode } from '#src/nn/layer.js';
import { everyName } from '#src/nn/module.js';
import { excess } from '../../kernels/instance.js';
import { run, type Tensor } from './network.js';

export interface Case {
  readonly architecture: { readonly type: string } | string;
  readonly note?: string;
  readonly mode?: Mode;
  readonly seed?: number;
  readonly repr: string;
  readonly state: Readonly<Record<string, Tensor>>;
  readonly state_after?: Readonly<Record<string, Tensor>>;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly output_grad: Tensor;
  readonly grads: Readonly<Record<string, Tensor>>;
  readonly input_grads: readonly (Tensor | null)[];
}

export function casesOf(family: string): readonly Case[] {
  const url = new URL(`../../fixtures/layers/${family}.json`, import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { cases: Case[] }).cases;
}

/** As torch.allclose weighs them; absolute in units of the largest number: sums of many products cancel. */
const RELATIVE = 1e-5;
const ABSOLUTE = 1e-6;

/** What has another forward after net.train(). */
const MODAL = /Dropout|BatchNorm|InstanceNorm|RReLU|RNN|LSTM|GRU|Attention|Transformer/;

/** The modes in which a case is PyTorch's: both, where they are one. */
export function modesOf({ architecture, repr, mode = 'eval' }: Case): readonly Mode[] {
  return MODAL.test(JSON.stringify([architecture, repr])) ? [mode] : MODES;
}

/** One test for each case: print, state, output, gradients and changed buffers are PyTorch's. */
export function itMatchesPyTorch(cases: readonly Case[]): void {
  const all = cases.flatMap((entry, i) =>
    modesOf(entry).map((mode) => [label({ ...entry, mode }, i), { ...entry, mode }] as const),
  );
  it.each(all)('%s', (_label, entry) => {
    const { architecture, state, inputs, mode, seed = 0 } = entry;
    const results = run({ architecture, state, inputs, outputGrad: entry.output_grad, mode, seed });
    expect(printModule(results.root)).toBe(entry.repr);
    expect(everyName(results.root).map(({ path }) => path)).toEqual(Object.keys(state));
    expect(results.shape).toEqual(entry.output.shape);
    near(results.output, entry.output, 'output');
    for (const [name, grad] of results.grads) {
      const expected = entry.grads[name];
      if (!expected) expect(grad ?? [], `gradient of ${name}`).toEqual([]);
      else near(grad, expected, `gradient of ${name}`);
    }
    const expected = entry.input_grads.filter((_grad, i) => inputs[i]!.dtype === 'float32');
    expected.forEach((grad, i) => grad && near(results.inputGrads[i]!, grad, `gradient of input ${i}`));
    for (const [name, after] of Object.entries(entry.state_after ?? {})) {
      near(results.updates.get(name) ?? Float32Array.from(state[name]!.data), after, `${name} afterwards`);
    }
  });
}

function near(actual: Float32Array | null, { data }: Tensor, what: string): void {
  expect(actual, what).not.toBeNull();
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  expect(excess(actual!, data, RELATIVE, ABSOLUTE * largest), what).toBeLessThanOrEqual(1);
}

function label({ architecture, note, mode = 'eval', inputs }: Case, i: number): string {
  const text = typeof architecture === 'string' ? architecture : JSON.stringify(architecture);
  const shapes = inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');
  return `${i}: ${text.length > 160 ? `${text.slice(0, 160)}...` : text} ${mode} ${shapes} ${note ?? ''}`.trim();
}
