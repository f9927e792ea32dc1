// A client's tensor that came as raw bytes: its elements stand in memory already. It goes wherever a parsed JSON tensor
// goes (json.ts takes both), so that nobody else need know how it arrived.

import { FaultList } from './fault.js';
import { numel } from './shape.js';
import { dtypeOf, TensorValue, type TensorData } from './tensor-value.js';

/** Right as long as the request that brought it is not answered. */
export class RawTensor extends TensorValue {
  /** Every number is whole, as int64 needs it; of floats nobody asks, as the dtype says enough. */
  get integral(): boolean {
    return this.dtype !== 'float32';
  }
}

/** Elements that are converted at a time. */
const BLOCK = 4096;

type WriteRow = (
  row: readonly unknown[],
  target: TensorData,
  at: number,
  fault: (index: number, message: string) => void,
) => void;

/** Copies the elements into another dtype's memory by `write`, which knows the rules; the same dtype's bytes as they are. */
export function writeRaw(
  raw: RawTensor,
  target: TensorData,
  { path, write }: { path: string; write: WriteRow },
): void {
  const { data } = raw;
  const faults = new FaultList();
  if (numel(raw.shape) !== target.length) {
    const message = `has ${numel(raw.shape)} elements where ${target.length} are wanted`;
    faults.add(() => ({ path, message }));
  } else if (dtypeOf(data) === dtypeOf(target) && !(target instanceof Uint8Array)) {
    (target as Float32Array).set(data as Float32Array);
  } else {
    for (let from = 0; from < data.length; from += BLOCK) {
      const fault = (i: number, message: string): void =>
        faults.add(() => ({ path: `${path}[${from + i}]`, message }));
      write(elements(data, from, from + BLOCK), target, from, fault);
    }
  }
  faults.throwIfAny(path);
}

/** As they would come out of JSON; a bool byte that is neither 0 nor 1 as the number it is. */
function elements(data: TensorData, from: number, to: number): unknown[] {
  if (data instanceof Uint8Array)
    return Array.from(data.subarray(from, to), (byte) => (byte > 1 ? byte : byte === 1));
  if (data instanceof BigInt64Array) return Array.from(data.subarray(from, to), Number);
  return Array.from(data.subarray(from, to), told);
}

function told(x: number): number | string {
  return x - x === 0 ? x : x > 0 ? 'Infinity' : x < 0 ? '-Infinity' : 'NaN';
}
