// Shared memory for the bodies of requests: taken when the first byte is expected, given back when the request is
// answered. What all of them take together is bounded, so that bodies do not take the models' memory.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.js';
import { explain } from '../models/failures.js';
import type { Region, SharedMemory } from '../runtime/memory.js';
import { viewAt } from '../runtime/memory-view.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body has tensors in it: a large one is received in shared memory. */
    tensors?: boolean;
    /** The body may be the raw bytes of one. */
    raw?: boolean;
  }
  interface FastifyRequest {
    /** What is let go when the request is answered. */
    holds: (() => void)[] | null;
  }
}

/** What is copied in one turn of the event loop; a tenth of a millisecond. */
const TURN_BYTES = 2 ** 20;

export interface InboxOptions {
  readonly memory: SharedMemory;
  /** Of all bodies together; a single one may always be received. */
  readonly limitBytes: number;
}

export class Inbox {
  readonly memory: SharedMemory;
  private readonly limitBytes: number;
  private used = 0;

  constructor({ memory, limitBytes }: InboxOptions) {
    this.memory = memory;
    this.limitBytes = limitBytes;
  }

  /** Memory until the request is answered. Throws OVERLOADED or QUOTA_EXCEEDED. */
  take(request: FastifyRequest, bytes: number): Region {
    if (this.used > 0 && this.used + bytes > this.limitBytes) {
      throw new ApiError('OVERLOADED', [`bodies of ${this.used} bytes are being received`]);
    }
    const region = this.takeRoom(request, bytes);
    this.used += bytes;
    hold(request, () => (this.used -= bytes));
    return region;
  }

  /** The same, with what came already in it. */
  async place(request: FastifyRequest, chunks: readonly Buffer[], bytes: number): Promise<Region> {
    const region = this.take(request, bytes);
    const target = this.bytes(region);
    let at = 0;
    let turn = 0;
    for (const chunk of chunks) {
      target.set(chunk, at);
      at += chunk.length;
      turn += chunk.length;
      if (turn < TURN_BYTES) continue;
      turn = 0;
      await nextTurn();
    }
    return region;
  }

  /** The same for what a body becomes: it is bounded by the body. Throws QUOTA_EXCEEDED. */
  takeRoom(request: FastifyRequest, bytes: number, segment?: number): Region {
    try {
      const region = this.memory.allocate(bytes, segment);
      hold(request, () => this.memory.release(region));
      return region;
    } catch (error) {
      throw explain(error);
    }
  }

  bytes({ segment, address, bytes }: Region): Uint8Array {
    return viewAt(this.memory.memories[segment]!, address, bytes, 'bool');
  }
}

/** Calls `release` when the handler is done and its answer is on the way, whichever answer it is. */
function hold(request: FastifyRequest, release: () => void): void {
  (request.holds ??= []).push(release);
}

/**
 * Lets go of what a request held when its answer is made: nothing reads the body any more then, also where the client
 * hung up in between, as handlers run to their end.
 */
export function releaseHolds(app: FastifyInstance): void {
  app.decorateRequest('holds', null);
  app.addHook('onRoute', (route) => {
    if (!route.config?.tensors) return;
    route.onSend = [
      route.onSend ?? [],
      (request: FastifyRequest, _reply: unknown, _payload: unknown, done: () => void): void => {
        const held = request.holds;
        request.holds = null;
        for (const release of held ?? []) release();
        done();
      },
    ].flat();
  });
}
