// What each step of a change does to memory. Runs on workers; every number was checked before it was sent.

import type { Kernels } from '../graph/kernels.js';
import { initialize } from '../nn/init/apply.js';
import { evaluate, parseExpression } from '../nn/expression.js';
import { randperm } from '../random/distributions.js';
import { Generator } from '../random/generator.js';
import { numel } from '../tensor/shape.js';
import { applyPatch } from '../tensor/patch.js';
import { viewAt } from './memory-view.js';
import type { EditStep, Placed } from './protocol.js';

/** A segment as a worker has it. */
export interface Workbench {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Pick<Kernels, 'pack'>;
}

type Editors = {
  readonly [K in EditStep['kind']]: (step: Extract<EditStep, { kind: K }>, bench: Workbench) => void;
};

const bytesAt = (memory: WebAssembly.Memory, address: number, bytes: number): Uint8Array =>
  viewAt(memory, address, bytes, 'bool');

const floats = (memory: WebAssembly.Memory, { address, shape }: Placed): Float32Array =>
  viewAt(memory, address, numel(shape), 'float32');

const generatorAt = (memory: WebAssembly.Memory, address: number): Generator =>
  new Generator(bytesAt(memory, address, Generator.bytes));

export const EDITORS: Editors = {
  seed: ({ generator, seed }, { memory }) => generatorAt(memory, generator).seed(seed),
  copy: ({ from, to, bytes }, { memory }) => bytesAt(memory, to, bytes).set(bytesAt(memory, from, bytes)),
  zero: ({ to, bytes }, { memory }) => bytesAt(memory, to, bytes).fill(0),
  init: ({ spec, target, generator }, { memory }) =>
    initialize(spec, target.shape, floats(memory, target), generatorAt(memory, generator)),
  order: ({ to, n, generator }, { memory }) => {
    const order = viewAt(memory, to, n, 'int32') as Int32Array;
    if (generator !== null) order.set(randperm(generatorAt(memory, generator), n));
    else for (let i = 0; i < n; i++) order[i] = i;
  },
  pack: ({ from, to, n, k }, { kernels }) => kernels.pack(from, to, n, k),
  patch: ({ target, op }, { memory }) => {
    const { value, ...rest } = op;
    const data = viewAt(memory, target.address, numel(target.shape), target.dtype);
    const operand =
      value === undefined || typeof value === 'number'
        ? value
        : { shape: value.shape, data: viewAt(memory, value.address, numel(value.shape), value.dtype) };
    applyPatch(data, target.shape, { ...rest, value: operand }, (expression, view) =>
      evaluate(parseExpression(expression), view),
    );
  },
};

/** Does the steps in order. */
export function edit(steps: readonly EditStep[], bench: Workbench): void {
  for (const step of steps) (EDITORS[step.kind] as (step: EditStep, bench: Workbench) => void)(step, bench);
}
