// What is answered of the inside of a pass: captured outputs and their gradients, as values or as statistics.

import type { Statistics } from '../tensor/statistics.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { InsideRequest } from './inside.js';
import type { CapturedSlot, Pass } from './pass.js';
import type { PassResult } from './passes.js';

export type CapturedValues = Readonly<Record<string, TensorValue | Statistics | null>>;

export interface Told {
  /** By the path of the module, relative to the one that ran. */
  readonly captured?: CapturedValues;
  /** null: what was differentiated does not depend on it. */
  readonly captured_grads?: CapturedValues;
}

/** To be called before anything else of the result is read: it may reject, with WorkerLostError or PoolClosedError. */
export async function tell(
  { captured }: Pass,
  result: PassResult,
  { capture, captureGrad }: InsideRequest,
): Promise<Told> {
  if (!capture) return {};
  const gradients = captureGrad ? captured : [];
  const [values, grads] = await Promise.all([
    statisticsOf(captured, ({ slot }) => slot, result),
    statisticsOf(gradients, ({ gradient }) => gradient, result),
  ]);
  return {
    captured: read(captured, values, result),
    ...(captureGrad && { captured_grads: read(gradients, grads, result) }),
  };
}

type Looked = readonly { readonly slot: number | null; readonly stats: Statistics | undefined }[];

/** The statistics that are wanted; no values are held while they are computed. */
function statisticsOf(
  captured: readonly CapturedSlot[],
  slotOf: (one: CapturedSlot) => number | null,
  { survey }: PassResult,
): Promise<Looked> {
  return Promise.all(
    captured.map(async (one) => {
      const slot = slotOf(one);
      return { slot, stats: one.stats && slot !== null ? await survey(slot, one.bins) : undefined };
    }),
  );
}

function read(captured: readonly CapturedSlot[], looked: Looked, result: PassResult): CapturedValues {
  const entries = looked.map(({ slot, stats }, i) => [
    captured[i]!.path,
    stats ?? (slot === null ? null : result.read(slot)),
  ]);
  return Object.fromEntries(entries) as CapturedValues;
}
