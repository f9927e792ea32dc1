// The answers to forwards over the stream, as they are sent. Put together by hand: names of models and epochs need no
// escaping, and of a small answer there is little more than these.

import { HeldTensor } from '../runtime/held-tensor.js';
import { stringifyAnswer } from '../tensor/json.js';
import { ApiError } from '../errors.js';
import { TensorValue } from '../tensor/tensor-value.js';
import { release } from './forward-answer.js';
import type { Outputs } from './forwards.js';
import type { Outbox } from './outbox.js';
import { frameData } from './stream-frames.js';
import type { AskedForward } from './stream-forwards.js';

/** Sends an answer and lets go of it; the bytes that it takes. */
export function sendOutputs(outbox: Outbox, asked: AskedForward, answer: Outputs): number {
  return asked.binary ? sendFrame(outbox, asked, answer) : sendText(outbox, asked, answer);
}

function sendText(outbox: Outbox, asked: AskedForward, answer: Outputs): number {
  const { outputs, captured } = answer;
  const more = captured === undefined ? '' : `,"captured":${stringifyAnswer(captured)}`;
  const text = `${beginning(asked, answer)},"outputs":${stringifyAnswer(outputs)}${more}}`;
  release(answer);
  outbox.addText(text);
  return text.length;
}

function sendFrame(outbox: Outbox, asked: AskedForward, answer: Outputs): number {
  const { outputs } = answer;
  if (!(outputs instanceof TensorValue))
    throw new ApiError('NOT_ACCEPTABLE', ['text, having several outputs,']);
  const { shape, dtype } = outputs;
  const header = `${beginning(asked, answer)},"shape":[${shape.join(',')}],"dtype":"${dtype}"}`;
  const data = frameData(outputs);
  const bytes = outputs instanceof HeldTensor ? outputs.heldBytes : 0;
  outbox.addFrame(header, data, { bytes, release: () => release(answer) });
  return header.length + data.length;
}

/** Up to the tensor. Most answers are of the model and revision of the one before. */
function beginning({ id }: AskedForward, { name, epoch, revision }: Outputs): string {
  if (name !== last.name || epoch !== last.epoch || revision !== last.revision) {
    const text = `,"model":"${name}","epoch":"${epoch}","revision":${revision}`;
    last = { name, epoch, revision, text };
  }
  return `{"type":"outputs","id":${typeof id === 'number' ? id : JSON.stringify(id)}${last.text}`;
}

let last = { name: '', epoch: '', revision: 0, text: '' };
