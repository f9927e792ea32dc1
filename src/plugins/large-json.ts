// Large JSON bodies with tensors in them: the text arrives in shared memory and a worker reads its numbers, so that the
// main thread parses what is left when these are taken out. What is wrong with one is told in the words of small ones.

import type { FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { Kernels } from '../graph/kernels.js';
import { ApiError } from '../errors.js';
import { explained } from '../models/failures.js';
import { bindKernels, kernelModule } from '../runtime/kernel-module.js';
import type { Region } from '../runtime/memory.js';
import type { Pool } from '../runtime/pool.js';
import { mostNumbers, readingRoom, restoreBody, TEXT_PADDING } from '../runtime/text.js';
import { receiveInto, tooLarge, wrongLength } from './body.js';
import type { Inbox } from './inbox.js';

/** Below, JSON.parse is done before a worker would have heard of it (bench/body). */
export const LARGE_BYTES = 16_384;

export interface LargeOptions {
  readonly bytes: number;
  /** Parses what is left of the text; rejects with INVALID_JSON. */
  readonly parsed: (request: FastifyRequest, text: string) => Promise<unknown>;
}

export class LargeJson {
  private readonly inbox: Inbox;
  private readonly pool: Pick<Pool, 'call'>;
  /** By segment. */
  private readonly kernels: Kernels[] = [];

  constructor(inbox: Inbox, pool: Pick<Pool, 'call'>) {
    this.inbox = inbox;
    this.pool = pool;
  }

  /** A body whose length is known. The values in it are right until the request is answered. */
  async receive(request: FastifyRequest, payload: Readable, options: LargeOptions): Promise<unknown> {
    const { bytes } = options;
    const limit = request.server.initialConfig.bodyLimit!;
    if (bytes > limit) throw tooLarge(limit);
    const region = this.inbox.take(request, bytes + TEXT_PADDING);
    const received = await receiveInto(this.inbox.bytes(region).subarray(0, bytes), payload);
    if (!received.complete) throw wrongLength();
    return this.read(request, region, options);
  }

  /** A body whose length only its end told. */
  async place(request: FastifyRequest, chunks: Buffer[], options: LargeOptions): Promise<unknown> {
    const region = await this.inbox.place(request, chunks, options.bytes + TEXT_PADDING);
    return this.read(request, region, options);
  }

  private async read(
    request: FastifyRequest,
    region: Region,
    { bytes, parsed }: LargeOptions,
  ): Promise<unknown> {
    const { segment, address } = region;
    const text = { address, bytes };
    const numbers = mostNumbers(this.kernelsOf(segment), text);
    const room = this.inbox.takeRoom(request, readingRoom(numbers), segment);
    const reading = await explained(() => this.pool.call('readBody', { segment, text, room }));
    if ('wrong' in reading) throw new ApiError('INVALID_JSON', [reading.wrong]);
    const memory = this.inbox.memory.memories[segment]!;
    return restoreBody(await parsed(request, reading.skeleton), reading, { memory, address });
  }

  private kernelsOf(segment: number): Kernels {
    return (this.kernels[segment] ??= bindKernels(kernelModule(), this.inbox.memory.memories[segment]!));
  }
}
