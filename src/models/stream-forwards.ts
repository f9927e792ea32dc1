// The forwards that one client asked for over the stream: many at a time, each answered when it is done. What they cost is
// bounded though the client does not read: an answer for which there is no room is forgotten, and computed again once
// there is. The bounds: requests by number and bytes, unsent answers by the outbox's hard limit and one message.

import { ApiError } from '../errors.js';
import { release } from './forward-answer.js';
import type { ForwardRequest } from './forward.js';
import type { Outputs } from './forwards.js';
import type { Outbox } from './outbox.js';
import { sendOutputs } from './stream-answers.js';
import type { SubscriptionId } from './stream-messages.js';
import type { Terms } from './terms.js';

/** The models there are, as far as they can be run. */
export interface RunnableDirectory {
  find(name: string): { forward(request: ForwardRequest, terms: Terms): Promise<Outputs> } | undefined;
}

/** A forward that is not answered yet. */
export interface AskedForward extends ForwardRequest {
  readonly id: SubscriptionId;
  readonly model: string;
  /** Asked by a binary frame, and answered by one. */
  readonly binary: boolean;
  /** Of the message. */
  readonly bytes: number;
}

export interface StreamForwardsOptions {
  readonly models: RunnableDirectory;
  readonly outbox: Outbox;
  readonly limits: { readonly maxForwards: number; readonly hardLimitBytes: number };
  /** Tells the client what is wrong with a forward. */
  readonly refuse: (error: unknown, id: SubscriptionId) => void;
}

export class StreamForwards {
  readonly #options: StreamForwardsOptions;
  /** Those that wait until the client reads, in order. */
  readonly #waiting: AskedForward[] = [];
  #count = 0;
  #bytes = 0;
  /** Of the last answer: what the next is expected to take. */
  #answerBytes = 1;
  #closed = false;
  readonly #terms: Terms = { gone: () => this.#closed };

  constructor(options: StreamForwardsOptions) {
    this.#options = options;
  }

  /** Throws QUOTA_EXCEEDED where too many are not answered yet. */
  ask(forward: AskedForward): void {
    const { outbox, limits } = this.#options;
    if (this.#count >= limits.maxForwards) {
      throw new ApiError('QUOTA_EXCEEDED', [`a socket has at most ${limits.maxForwards} forwards in flight`]);
    }
    if (this.#count > 0 && this.#bytes + forward.bytes > limits.hardLimitBytes) {
      throw new ApiError('QUOTA_EXCEEDED', [
        `the forwards in flight of a socket have at most ${limits.hardLimitBytes} bytes`,
      ]);
    }
    this.#count++;
    this.#bytes += forward.bytes;
    if (this.#waiting.length === 0 && outbox.reading) this.#start(forward);
    else this.#wait(forward);
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  #start(forward: AskedForward): void {
    const model = this.#options.models.find(forward.model);
    if (model === undefined) return this.#fail(forward, new ApiError('MODEL_NOT_FOUND', [forward.model]));
    model.forward(forward, this.#terms).then(
      (outputs) => this.#answer(forward, outputs),
      (error: unknown) => this.#fail(forward, error),
    );
  }

  #answer(forward: AskedForward, outputs: Outputs): void {
    if (this.#closed) return release(outputs);
    if (!this.#options.outbox.admitsLive(this.#resume)) {
      release(outputs);
      this.#waiting.push(forward);
      return;
    }
    try {
      this.#answerBytes = sendOutputs(this.#options.outbox, forward, outputs);
    } catch (error) {
      release(outputs);
      return this.#fail(forward, error);
    }
    this.#end(forward);
  }

  #fail(forward: AskedForward, error: unknown): void {
    if (this.#closed) return;
    this.#options.refuse(error, forward.id);
    this.#end(forward);
  }

  #end({ bytes }: AskedForward): void {
    this.#count--;
    this.#bytes -= bytes;
    if (this.#waiting.length > 0) this.#resume();
  }

  #wait(forward: AskedForward): void {
    this.#waiting.push(forward);
    if (this.#options.outbox.admitsHistory(this.#resume)) this.#resume();
  }

  /** Starts as many as there is likely room for, and one at least. */
  readonly #resume = (): void => {
    const { outbox } = this.#options;
    if (this.#closed || this.#waiting.length === 0 || !outbox.admitsHistory(this.#resume)) return;
    const running = this.#count - this.#waiting.length;
    const fitting = Math.max(1, Math.floor(outbox.room / this.#answerBytes)) - running;
    if (fitting > 0) for (const forward of this.#waiting.splice(0, fitting)) this.#start(forward);
  };
}
