// Runs passes for changes: inputs decoded into the draft's memory, new values written into its regions.

import { ApiError } from '../errors.js';
import { GradientError } from '../graph/gradient.js';
import type { Kernels } from '../graph/kernels.js';
import type { Plan } from '../graph/plan.js';
import { GENERATOR } from '../graph/tracer.js';
import { address } from '../graph/run.js';
import type { Parameter } from '../nn/module.js';
import { ALIGNMENT } from '../runtime/allocator.js';
import { heldOrCopied } from '../runtime/held-tensor.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import { decodeTensor, inspectTensor, writeTensor } from '../tensor/json.js';
import type { Placed } from '../runtime/protocol.js';
import type { Bins } from '../tensor/bins.js';
import { DTYPES } from '../tensor/dtype.js';
import { byteLength } from '../tensor/shape.js';
import type { Statistics } from '../tensor/statistics.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import { wholeView } from '../tensor/view.js';
import { gradientOf, type Storage } from './companion.js';
import type { Draft, Workplace } from './draft.js';
import type { Given } from './given.js';
import type { Panels } from './panels.js';
import { makePass, type Pass, type PassSpec } from './pass.js';
import type { PlannedInput } from './plans.js';
import type { ModelState } from './state.js';

/** Passes kept for each model, the latest used. */
const MAX_PASSES = 16;

export function planned({ value, path }: Given): PlannedInput {
  const { shape, dtype, integral } = inspectTensor(value, path);
  byteLength(shape, dtype ?? 'float32');
  return { shape, dtype: dtype === 'int32' ? 'int64' : dtype, integral };
}

export interface PassResult {
  /** By number of the plan's output; whoever gets a held one lets it go. */
  readonly read: (slot: number) => TensorValue;
  /** Statistics of an output that the plan makes, or of an input. Rejects with WorkerLostError or PoolClosedError. */
  readonly survey: (slot: number, bins: Bins | undefined) => Promise<Statistics>;
  /** The storages that have new regions in the draft. */
  readonly touched: readonly Storage[];
}

export interface PassMeans {
  readonly workplace: Workplace;
  readonly panels: Panels;
  readonly kernels: Kernels;
}

export class Passes {
  private readonly means: PassMeans;
  private readonly known = new Map<string, Pass>();
  private readonly kept = new Set<Pass>();

  constructor(means: PassMeans) {
    this.means = means;
  }

  /** The pass of a key, made where it is not known. Throws ApiError, ShapeError, SizeError. */
  find(key: string, spec: PassSpec): Pass {
    const known = this.known.get(key);
    if (known) {
      this.known.delete(key);
      this.known.set(key, known);
      return known;
    }
    const pass = makePassFor(spec, this.means.kernels);
    if (this.known.size >= MAX_PASSES) this.drop(this.known.keys().next().value!);
    this.known.set(key, pass);
    this.kept.add(pass);
    return pass;
  }

  clear(): void {
    for (const key of this.known.keys()) this.drop(key);
  }

  /**
   * Runs a pass in a draft. Throws TensorError, ValueError, QuotaError, WorkerLostError, PoolClosedError.
   * The results can be read until the draft is finished.
   */
  async run(pass: Pass, state: ModelState, draft: Draft, given: readonly Given[]): Promise<PassResult> {
    const { plan, stored, written, id } = pass;
    const { workplace, panels } = this.means;
    const { memory, pool } = workplace;
    const packed = plan.packed.map((index) => stored[index] as Parameter);
    if (packed.length > 0 && panels.lack(packed)) await panels.make(packed);
    const { room, inputs, arena } = placeInputs(plan, given, { draft, memory });
    const touched = written.map((target) =>
      'gradientOf' in target ? gradientOf(target.gradientOf) : target,
    );
    const targets = touched.map((storage) => draft.replace(storage).address);
    const held = panels.hold(packed);
    const bindings = [
      ...stored.map((storage) =>
        storage === GENERATOR
          ? draft.nextGenerator().address
          : state.tensors.get(storage as Storage).region.address,
      ),
      ...inputs,
      ...targets,
      ...held.map((region) => region?.address ?? 0),
    ];
    try {
      // The generator's copy, if it is one, is made before it is drawn from.
      await draft.run();
      await pool.call('forward', { plan: id, segment: room.segment, arena, bindings }, plan);
    } finally {
      for (const region of held) if (region) memory.release(region);
      // Workers may have learnt the plan for this run after it had been dropped.
      if (!this.kept.has(pass)) pool.forget(id);
    }
    const placeOf = (slot: number): Placed => {
      const { at, shape, dtype } = plan.outputs[slot]!;
      return { address: address(at, { arena, bindings }), shape, dtype };
    };
    const read = (slot: number): TensorValue => heldOrCopied(memory, room, placeOf(slot));
    const survey = (slot: number, bins: Bins | undefined): Promise<Statistics> => {
      const { address: begin, shape, dtype } = placeOf(slot);
      const { bytes } = DTYPES[dtype];
      const view = { ...wholeView(shape), offset: (begin - room.address) / bytes };
      const all = { shape: [Math.floor(room.bytes / bytes)], dtype };
      return workplace.surveys.statistics(room, all, { view, bins });
    };
    return { read, survey, touched };
  }

  private drop(key: string): void {
    const pass = this.known.get(key);
    this.known.delete(key);
    if (!pass) return;
    this.kept.delete(pass);
    this.means.workplace.pool.forget(pass.id);
  }
}

/** Decodes what clients gave into the draft's memory, with the arena behind it. Throws TensorError or QuotaError. */
export function placeInputs(
  { inputs, arenaBytes }: Plan,
  given: readonly Given[],
  { draft, memory }: { draft: Draft; memory: SharedMemory },
): { room: Region; inputs: readonly number[]; arena: number } {
  let bytes = 0;
  const places = inputs.map(({ shape, dtype }) => {
    const at = bytes;
    bytes += Math.ceil(byteLength(shape, dtype) / ALIGNMENT) * ALIGNMENT;
    return at;
  });
  const room = draft.room(bytes + arenaBytes);
  const addresses = places.map((at) => room.address + at);
  inputs.forEach(({ shape, dtype }, i) => {
    const { value, path, mask } = given[i]!;
    const { data } = memory.view(room.segment, addresses[i]!, shape, dtype);
    if (mask) (data as Float32Array).set(decodeTensor(value, { dtype: 'bool', path }).data as Uint8Array);
    else writeTensor(value, data, path);
  });
  return { room, inputs: addresses, arena: room.address + bytes };
}

/** Throws NOT_DIFFERENTIABLE, and what makePass throws. */
export function makePassFor(spec: PassSpec, kernels: Kernels): Pass {
  try {
    return makePass(spec, kernels);
  } catch (error) {
    if (error instanceof GradientError) throw new ApiError('NOT_DIFFERENTIABLE', [error.message]);
    throw error;
  }
}
