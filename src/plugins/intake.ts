// How much is read at a time. A body is parsed on the main thread: in one turn of the event loop only so many bytes of
// them are let in, so that everybody else is answered between two turns. The others wait with their bodies unread, and
// count among those who wait for their model; who finds that queue full is refused before its body is read.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { Line, type Queue, type Task } from '../models/queue.js';
import { WaitingList } from '../models/waiting-list.js';
import { termsOf } from './terms.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who waits is heard by priority. Changes of one model stay in order. */
    prioritized?: boolean;
  }
  interface FastifyRequest {
    /** Gives back the place that it has while it is read. */
    place: (() => void) | null;
  }
}

/** Small bodies of so many bytes take 10 to 20 ms from the socket to the arena, those that workers read half of that. */
export const TURN_BYTES = 1_048_576;
/** A turn that refused for longer lets in more, in proportion: refusals must not starve what is served. */
const TURN_MS = 10;
/** A request costs something without a body, too. */
const REQUEST_BYTES = 2048;

/** A request that is longer in coming has no place until it is there: slow senders must not fill the queue. */
const MAX_READING_MS = 1000;

export interface Intaken {
  readonly scheduler: { readonly queue: Queue };
  find(name: string): { readonly line: Line } | undefined;
}

interface Visitor {
  readonly task: Task;
  /** In bytes. */
  readonly size: number;
  readonly enter: () => void;
}

export class Intake {
  private readonly waiting = new WaitingList<Visitor>(() => undefined);
  private read = 0;
  private since = 0;
  private turnEnds = false;

  /** Whether so many bytes may be read now; if so, they count. */
  admits(bytes: number): boolean {
    if (this.waiting.size > 0 || (this.read > 0 && this.read + bytes > TURN_BYTES)) return false;
    this.count(bytes);
    return true;
  }

  wait(visitor: Visitor): void {
    this.waiting.add(visitor);
  }

  private count(bytes: number): void {
    this.read += bytes;
    if (this.turnEnds) return;
    this.turnEnds = true;
    this.since = performance.now();
    setImmediate(() => this.endTurn());
  }

  private endTurn(): void {
    this.turnEnds = false;
    this.read = 0;
    const turns = Math.max(1, (performance.now() - this.since) / TURN_MS);
    for (const { task, size, enter } of this.waiting.take(turns * TURN_BYTES)) {
      task.waive();
      this.count(size);
      enter();
    }
  }
}

/** For requests that the framework does not see: whether a body of so many bytes may be read now; if so, it counts. */
export function boundIntake(app: FastifyInstance, models: Intaken): (bodyBytes: number) => boolean {
  const { queue } = models.scheduler;
  const intake = new Intake();
  const others = new Line('no model');
  app.decorateRequest('place', null);
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.always || !hasBody(request)) return done();
    const line = lineOf(models, request) ?? others;
    const size = REQUEST_BYTES + Number(request.headers['content-length'] ?? 0);
    /** What is read, here or by a worker, counts among what waits: nothing is read to be refused then. */
    const read = (): void => {
      const giveBack = queue.reserve(line);
      const timer = setTimeout(giveBack, MAX_READING_MS);
      request.place = (): void => {
        clearTimeout(timer);
        giveBack();
      };
      reply.raw.once('close', request.place);
      done();
    };
    try {
      queue.admit(line);
      if (intake.admits(size)) return read();
      const { priority, ...terms } = termsOf(request, reply);
      const heard = request.routeOptions.config.prioritized ? { ...terms, priority } : terms;
      intake.wait({ task: queue.enter(line, heard, done), size, enter: read });
    } catch (error) {
      done(error as Error);
    }
  });
  // The handler takes a place of its own, in the same turn, where it needs one.
  app.addHook('preHandler', (request, _reply, done) => {
    request.place?.();
    done();
  });
  return (bodyBytes) => intake.admits(REQUEST_BYTES + bodyBytes);
}

/** As the headers announce it. */
export function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function lineOf(models: Intaken, { params }: FastifyRequest): Line | undefined {
  const { model } = params as { model?: string };
  return model === undefined ? undefined : models.find(model)?.line;
}
