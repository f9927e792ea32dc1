// One forward: decode the input into memory, run the module's plan, read the output.

import { address } from '../graph/plan.js';
import type { Parameter } from '../nn/module.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { inspectTensor, writeTensor } from '../tensor/json.js';
import { byteLength } from '../tensor/shape.js';
import type { Workplace } from './draft.js';
import type { Plans } from './plans.js';
import { moduleAt, type ModelState } from './state.js';

export interface ForwardRequest {
  readonly inputs: unknown;
  /** "" runs the whole model. */
  readonly module: string;
}

/** Throws ApiError, TensorError, ShapeError, ValueError, QuotaError, WorkerLostError. */
export async function forward(
  state: ModelState,
  request: ForwardRequest,
  { plans, workplace }: { readonly plans: Plans; readonly workplace: Workplace },
): Promise<TensorValue> {
  const { memory, dispatcher, segment } = workplace;
  const { module, path } = moduleAt(state, request.module);
  const { shape, dtype, integral } = inspectTensor(request.inputs, 'inputs');
  byteLength(shape, dtype ?? 'float32');
  const { id, plan, stored } = plans.find(module, path, {
    shape,
    dtype: dtype === 'int32' ? 'int64' : dtype,
    integral,
  });
  const arena = memory.allocate(plan.arenaBytes, segment);
  try {
    writeTensor(request.inputs, memory.tensor(arena, plan.input.shape, plan.input.dtype).data, 'inputs');
    const bindings = stored.map((parameter) => state.tensors.get(parameter as Parameter).region.address);
    const call = { plan: id, segment: arena.segment, arena: arena.address, bindings };
    await dispatcher.forward(plan, call);
    const offset = address(plan.result, arena.address, bindings) - arena.address;
    const { data } = memory.tensor(arena, plan.output.shape, plan.output.dtype, offset);
    // The arena is free again before the answer is encoded, so the output is copied out of it.
    return new TensorValue(plan.output.dtype, plan.output.shape, data.slice());
  } finally {
    memory.release(arena);
  }
}
