// The text of a forward's answer. Put together by hand: the names of models and epochs need no escaping, and of a small
// answer there is little more than these.

import { HeldTensor, tensorsIn } from '../runtime/held-tensor.js';
import { stringifyAnswer } from '../tensor/json.js';
import type { TensorValue } from '../tensor/tensor-value.js';
import type { Outputs } from './forwards.js';

/** As stringifyAnswer writes it. */
export function forwardText({ name, epoch, revision, outputs }: Outputs): string {
  return `{"name":"${name}","epoch":"${epoch}","revision":${revision},"outputs":${stringifyAnswer(outputs)}}`;
}

/** What a module with several outputs gives. */
export type NamedTensors = Readonly<Record<string, TensorValue>>;

/** Of an answer that is not sent, or not any more. */
export function release({ outputs, captured }: Pick<Outputs, 'outputs' | 'captured'>): void {
  for (const tensor of tensorsIn({ outputs, captured })) if (tensor instanceof HeldTensor) tensor.release();
}
