// Forwards that find their model's queue full are refused past the framework, which costs more than the refusal; in the
// words, headers and counts of the usual way, whose first question it is, too (intake.ts): it is asked before the body,
// its type, and what the client accepts. Only requests that have a body, as there.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem, PROBLEM_MEDIA_TYPE, type ApiError } from '../errors.js';
import type { Line, Queue } from '../models/queue.js';
import { SECURITY_HEADERS } from './headers.js';
import { holdOff } from './hold-off.js';
import { hasBody } from './intake.js';

export interface RefusalOptions {
  readonly queue: Queue;
  /** Whether something else is wrong that the usual way tells of first, or it adds headers of its own. */
  readonly defers: () => boolean;
  readonly requestId: () => string;
  /** Told of each answer. */
  readonly durations: { observe(milliseconds: number): void };
}

export type Refuse = (line: Line, request: IncomingMessage, response: ServerResponse) => boolean;

/** The function answers a request where it is to be refused; if not, false. */
export function refusal({ queue, defers, requestId, durations }: RefusalOptions): Refuse {
  /** One for all who are refused within a short time, but for the id (Line.refusal). */
  let last: ApiError | undefined;
  let text = '';
  let headers: string[] = [];
  const write = (error: ApiError): void => {
    last = error;
    text = JSON.stringify(problem(error)).slice(0, -1);
    headers = [
      ...SECURITY_HEADERS,
      'retry-after',
      String(error.retryAfterSeconds),
      'content-type',
      `${PROBLEM_MEDIA_TYPE}; charset=utf-8`,
      'content-length',
    ];
  };
  return (line, request, response) => {
    if (!queue.full(line) || !hasBody(request) || defers()) return false;
    const start = performance.now();
    const error = queue.refusal(line);
    if (error === undefined) return false;
    if (error !== last) write(error);
    const body = `${text},"request_id":"${requestId()}"}`;
    response.writeHead(error.status, [...headers, String(Buffer.byteLength(body))]);
    response.end(body);
    holdOff(request);
    durations.observe(performance.now() - start);
    return true;
  };
}
