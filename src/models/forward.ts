// One forward: decode the input into memory, run the module's plan, read the output.

import { address } from '../graph/run.js';
import type { Parameter } from '../nn/module.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { inspectTensor, writeTensor } from '../tensor/json.js';
import { byteLength } from '../tensor/shape.js';
import type { Workplace } from './draft.js';
import type { Panels } from './panels.js';
import type { KnownPlan, Plans } from './plans.js';
import { moduleAt, type ModelState } from './state.js';

export interface ForwardRequest {
  readonly inputs: unknown;
  /** "" runs the whole model. */
  readonly module: string;
}

interface Means {
  readonly plans: Plans;
  readonly panels: Panels;
  readonly workplace: Workplace;
}

/** Throws ApiError, TensorError, ShapeError, ValueError, QuotaError, WorkerLostError. */
export async function forward(
  state: ModelState,
  request: ForwardRequest,
  { plans, panels, workplace }: Means,
): Promise<TensorValue> {
  const { memory, segment } = workplace;
  const { module, path } = moduleAt(state, request.module);
  const { shape, dtype, integral } = inspectTensor(request.inputs, 'inputs');
  byteLength(shape, dtype ?? 'float32');
  const known = plans.find(module, path, { shape, dtype: dtype === 'int32' ? 'int64' : dtype, integral });
  const { input, arenaBytes } = known.plan;
  // The input, then the arena.
  const inputBytes = aligned(byteLength(input.shape, input.dtype));
  const room = memory.allocate(inputBytes + arenaBytes, segment);
  try {
    writeTensor(request.inputs, memory.tensor(room, input.shape, input.dtype).data, 'inputs');
    if (known.packed.length > 0 && panels.lack(known.packed)) await panels.make(known.packed);
    return await run(state, known, { room, arena: room.address + inputBytes }, { panels, workplace });
  } finally {
    memory.release(room);
  }
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Runs a plan whose input stands at the beginning of `room`. */
async function run(
  { tensors }: ModelState,
  { id, plan, stored, packed }: KnownPlan,
  { room, arena }: { room: { segment: number; address: number }; arena: number },
  { panels, workplace: { memory, dispatcher } }: Pick<Means, 'panels' | 'workplace'>,
): Promise<TensorValue> {
  const held = panels.hold(packed);
  try {
    const bindings = [
      ...stored.map((parameter) => tensors.get(parameter as Parameter).region.address),
      room.address,
      ...held.map((region) => region?.address ?? 0),
    ];
    const { segment } = room;
    await dispatcher.forward(plan, { plan: id, segment, arena, bindings });
    const { shape, dtype } = plan.output;
    // The arena is free again before the answer is encoded, so the output is copied out of it.
    const { data } = memory.view(segment, address(plan.result, { arena, bindings }), shape, dtype);
    return new TensorValue(dtype, shape, data.slice());
  } finally {
    for (const region of held) if (region) memory.release(region);
  }
}
