// What forwards compute: their inputs decoded into memory, one below the other, the plan of their module run once on all
// of them, and each one's rows of the output.

import { ShapeError, type Operand } from '../graph/op.js';
import { address, type Place } from '../graph/run.js';
import type { Parameter } from '../nn/module.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import { heldOrCopied } from '../runtime/held-tensor.js';
import type { Region } from '../runtime/memory.js';
import { inspectTensor, writeTensor } from '../tensor/json.js';
import { byteLength, numel, type Shape } from '../tensor/shape.js';
import { TensorValue, type TensorData } from '../tensor/tensor-value.js';
import { LAYERS } from '../nn/layers/table.js';
import { isLazy } from '../nn/lazy.js';
import { outputNames } from '../nn/signature.js';
import type { Workplace } from './draft.js';
import type { NamedTensors } from './forward-answer.js';
import { givenTo, type Given } from './given.js';
import type { InsideRequest } from './inside.js';
import type { Panels } from './panels.js';
import type { KnownPlan, PlannedInput, Plans, Recipe } from './plans.js';
import { moduleAt, type ModelState } from './state.js';

export interface ForwardRequest {
  readonly inputs: unknown;
  /** "" runs the whole model. */
  readonly module: string;
  /** What is looked at, or is another, inside of it: such a forward goes another way, alone (see edit-backward.ts). */
  readonly inside?: InsideRequest | undefined;
}

export interface Means {
  readonly plans: Plans;
  readonly panels: Panels;
  readonly workplace: Workplace;
}

/** A forward of which is known how it is run; no memory is taken yet. */
export interface Prepared {
  readonly recipe: Recipe;
  readonly inputs: unknown;
  readonly rows: number;
}

export interface Member {
  readonly recipe: Recipe;
  readonly inputs: unknown;
  /** In rows. */
  readonly size: number;
  /** It has had its answer: what held its inputs may be gone. */
  readonly over: boolean;
  /** What it gets may be a HeldTensor, which is its own to release. */
  answer(outputs: TensorValue | NamedTensors): void;
  fail(error: unknown): void;
}

/** A module cannot run before its lazy ones have shapes. */
export class LazyModuleError extends ShapeError {}

/** Throws ApiError, TensorError, ShapeError, SizeError, LazyModuleError. */
export function prepare(state: ModelState, request: ForwardRequest, { plans }: Means): Prepared {
  let { inputs } = request;
  const { module, path } = moduleAt(state, request.module);
  if (state.structure.lazy && isLazy(module)) throw new LazyModuleError('a module of it is uninitialized');
  if (LAYERS[module.type].inputs) {
    const given = givenTo(module, inputs);
    if (given.length > 1 || outputNames(module)) {
      return { recipe: plans.findNamed(module, path, given.map(planned)), inputs: given, rows: 1 };
    }
    inputs = given[0]!.value;
  }
  const input = planned({ value: inputs, path: 'inputs' });
  const recipe = plans.find(module, path, input);
  return { recipe, inputs, rows: recipe.rowwise ? input.shape[0]! : recipe.rows };
}

/** What is known of a tensor before it is decoded. Throws TensorError or SizeError. */
export function planned({ value, path }: Given): PlannedInput {
  const { shape, dtype, integral } = inspectTensor(value, path);
  byteLength(shape, dtype ?? 'float32');
  return { shape, dtype: dtype === 'int32' ? 'int64' : dtype, integral };
}

/**
 * Runs members of one recipe together, and answers those whose inputs can be read. Throws what fails all of them, before
 * any is answered: ValueError, QuotaError, SizeError, WorkerLostError, PoolClosedError.
 */
export async function runBatch(state: ModelState, batch: readonly Member[], means: Means): Promise<void> {
  const { plans, panels, workplace } = means;
  const { memory, segment } = workplace;
  let rows = 0;
  for (const member of batch) rows += member.size;
  const known = plans.sized(batch[0]!.recipe, rows);
  const { packed, plan } = known;
  const [input, output] = [plan.inputs[0]!, plan.outputs[0]!];
  if (packed.length > 0 && panels.lack(packed)) await panels.make(packed);
  // The input, then the arena.
  const inputBytes = aligned(byteLength(input.shape, input.dtype));
  const room = memory.allocate(inputBytes + plan.arenaBytes, segment);
  let readable: readonly Member[];
  try {
    readable = gather(batch, memory.tensor(room, input.shape, input.dtype));
    if (readable.length === batch.length) {
      const place = await run(
        state,
        known,
        { room, inputs: [room.address], arena: room.address + inputBytes },
        means,
      );
      const result = address(output.at, place);
      const { shape, dtype } = output;
      if (byteLength(shape, dtype) <= COPIED_BYTES)
        copyOut(batch, memory.view(room.segment, result, shape, dtype));
      else
        scatter(batch, output, (part, at) =>
          heldOrCopied(memory, room, { shape: part, dtype, address: result + at }),
        );
    }
  } finally {
    memory.release(room);
  }
  if (readable.length < batch.length && readable.length > 0) await runBatch(state, readable, means);
}

/** A whole output of so many bytes is read through one view, and copied. */
const COPIED_BYTES = 16_384;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Writes each member's rows below those of the one before. Returns all but those that were given up meanwhile and those
 * that cannot be read, which fail.
 */
function gather(batch: readonly Member[], { shape, data }: TensorValue): readonly Member[] {
  if (batch.length === 1) return write(batch[0]!, data) ? batch : [];
  const rowLength = numel(shape.slice(1));
  let at = 0;
  return batch.filter((member) => {
    const from = at;
    at += member.size * rowLength;
    return write(member, data.subarray(from, at));
  });
}

function write(member: Member, data: TensorData): boolean {
  if (member.over) return false;
  try {
    writeTensor(member.inputs, data, 'inputs');
    return true;
  } catch (error) {
    member.fail(error);
    return false;
  }
}

/** Gives each member a copy of its rows. */
function copyOut(batch: readonly Member[], { shape, dtype, data }: TensorValue): void {
  if (batch.length === 1) return batch[0]!.answer(new TensorValue(dtype, shape, data.slice()));
  const row = shape.slice(1);
  const rowLength = numel(row);
  let at = 0;
  for (const member of batch) {
    const end = at + member.size * rowLength;
    member.answer(new TensorValue(dtype, [member.size, ...row], data.slice(at, end)));
    at = end;
  }
}

/** Gives each member its rows of the output: their shape, and where they begin in it, in bytes. */
function scatter(
  batch: readonly Member[],
  { shape, dtype }: Operand,
  rowsAt: (shape: Shape, at: number) => TensorValue,
): void {
  if (batch.length === 1) return batch[0]!.answer(rowsAt(shape, 0));
  const row = shape.slice(1);
  const rowBytes = byteLength(row, dtype);
  let at = 0;
  for (const member of batch) {
    member.answer(rowsAt([member.size, ...row], at));
    at += member.size * rowBytes;
  }
}

/** Of a run: its memory, and the addresses in it of the inputs and the arena. */
export interface Room {
  readonly room: Region;
  readonly inputs: readonly number[];
  readonly arena: number;
}

/** Runs a plan whose inputs stand in `room`; its outputs are where the answer and the plan say. */
export async function run(
  { tensors }: ModelState,
  known: KnownPlan,
  { room, inputs, arena }: Room,
  { plans, panels, workplace: { memory, dispatcher } }: Means,
): Promise<Place> {
  const { id, plan, stored, packed } = known;
  const held = panels.hold(packed);
  try {
    const bindings = [
      ...stored.map((parameter) => tensors.get(parameter as Parameter).region.address),
      ...inputs,
      ...held.map((region) => region?.address ?? 0),
    ];
    await dispatcher.forward(plan, { plan: id, segment: room.segment, arena, bindings });
    return { arena, bindings };
  } finally {
    for (const region of held) if (region) memory.release(region);
    plans.done(known);
  }
}
