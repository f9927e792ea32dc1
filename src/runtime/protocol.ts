// Every message between the main thread and its workers. Everything else is derived from these types:
// a call without a handler does not compile. Forwards go through the ring where they fit (ring.ts).

import type { MessagePort } from 'node:worker_threads';
import type { Plan } from '../graph/plan.js';
import type { InitSpec } from '../nn/init/spec.js';
import type { FileFaults, FileFormat, FileOutline, FilePart } from '../tensor/column-file.js';
import type { DType } from '../tensor/dtype.js';
import type { PatchOp } from '../tensor/patch.js';
import type { Shape } from '../tensor/shape.js';
import type { DifferencesOrder } from './gradient-check.js';
import type { Moments } from '../tensor/statistics.js';
import type { GatherOrder } from './gather.js';
import type { KernelModule } from './kernel-module.js';
import type { Stretch } from './surveyor.js';
import type { Reading, ReadOrder, TextOrder } from './text.js';
import type { EvaluateOrder, Evaluation, TrainOrder, TrainReport } from './training.js';

export type PlanId = number;

/** A tensor in the segment that the call names. */
export interface Placed {
  readonly address: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Bytes of the segment that the call names. */
export interface ByteRange {
  readonly address: number;
  readonly bytes: number;
}

/** Tensors with names, all in one segment. */
export interface PlacedColumns {
  readonly segment: number;
  readonly columns: readonly (Placed & { readonly name: string })[];
}

/** A patch's op with its value, if it has one, as a tensor in memory. */
export type PlacedPatchOp = Omit<PatchOp, 'value'> & { readonly value?: number | Placed };

/** What a change does to memory, in order. Nothing that a reader sees is written to: targets are new regions. */
export type EditStep =
  | { readonly kind: 'seed'; readonly generator: number; readonly seed: number }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly bytes: number }
  | { readonly kind: 'zero'; readonly to: number; readonly bytes: number }
  | { readonly kind: 'init'; readonly spec: InitSpec; readonly target: Placed; readonly generator: number }
  /** panels of w[n,k]; see Kernels.pack */
  | {
      readonly kind: 'pack';
      readonly from: number;
      readonly to: number;
      readonly n: number;
      readonly k: number;
    }
  /** int32: the numbers 0 ... n - 1, in an order that is drawn where there is a generator. */
  | { readonly kind: 'order'; readonly to: number; readonly n: number; readonly generator: number | null }
  | { readonly kind: 'patch'; readonly target: Placed; readonly op: PlacedPatchOp };

export interface Calls {
  /** Runs a plan that was told before. Rejects with ValueError. */
  forward: {
    args: { plan: PlanId; segment: number; arena: number; bindings: readonly number[] };
    result: null;
  };
  /** Makes training steps with a plan that was told before. Rejects with ValueError. */
  train: { args: TrainOrder; result: TrainReport };
  /** Losses of batches, with a plan that was told before. Rejects with ValueError. */
  evaluate: { args: EvaluateOrder; result: Evaluation };
  /** Central differences of a plan's loss. Rejects with ValueError. */
  differences: { args: DifferencesOrder; result: number[] };
  /** Rejects with ValueError where a step cannot be done. */
  edit: { args: { segment: number; steps: readonly EditStep[] }; result: null };
  /** Of some elements of a view of the tensor. */
  moments: { args: { segment: number; tensor: Placed; stretch: Stretch }; result: Moments };
  /** How many of the elements are in each bin. */
  histogram: {
    args: {
      segment: number;
      tensor: Placed;
      stretch: Stretch;
      bins: { edges: readonly number[]; even: boolean };
    };
    result: number[];
  };
  /** Which of the pairs of byte ranges hold the same bytes. */
  same: {
    args: { segment: number; pairs: readonly { a: number; b: number; bytes: number }[] };
    result: boolean[];
  };
  /** Reads the lists of numbers in a request's body. */
  readBody: { args: ReadOrder & { segment: number }; result: Reading };
  /** What columns a file in memory has. */
  outlineFile: {
    args: { segment: number; file: ByteRange; format: FileFormat };
    result: FileOutline | FileFaults;
  };
  /** Writes a part of a file into columns of the same segment or another one. */
  readFilePart: {
    args: { segment: number; file: ByteRange; part: FilePart; target: PlacedColumns };
    result: null | FileFaults;
  };
  /** Writes rows of columns side by side. Rejects with ValueError where a value has no place in the target's dtype. */
  gatherRows: { args: GatherOrder; result: null };
  /** Writes a tensor's numbers as JSON; the bytes of the text. */
  writeText: { args: TextOrder & { segment: number }; result: number };
}

export type CallName = keyof Calls;
export type Handlers = { readonly [C in CallName]: (args: Calls[C]['args']) => Calls[C]['result'] };

export type Request = {
  [C in CallName]: { readonly call: C; readonly args: Calls[C]['args'] };
}[CallName];

/** Told, not asked: no answer comes. */
export type Notice =
  | { readonly notice: 'segment'; readonly memory: WebAssembly.Memory }
  | { readonly notice: 'plan'; readonly plan: PlanId; readonly definition: Plan }
  | { readonly notice: 'forget'; readonly plan: PlanId };

export type ToWorker = Request | Notice;

export type FromWorker =
  | { readonly result: Calls[CallName]['result'] }
  | { readonly failure: { readonly kind: 'value' | 'internal'; readonly message: string } };

export interface WorkerData {
  readonly kernels: KernelModule;
  readonly memories: readonly WebAssembly.Memory[];
  /** Of this worker among all. */
  readonly index: number;
  readonly stations: readonly { readonly ring: SharedArrayBuffer; readonly board: SharedArrayBuffer }[];
  readonly bell: SharedArrayBuffer;
  readonly port: MessagePort;
  /** Workers that may be awake for one of them to spin. */
  readonly awake: number;
}
